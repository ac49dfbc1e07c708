/** What stands where a figure is not known; never 0. */
export const UNKNOWN = '–'

const SI = ['', 'k', 'M', 'G', 'T', 'P'] as const

/** Three significant digits at most, without exponent: `0.42`, `7.3`, `42`, `950`. */
function digits(value: number): string {
  const size = Math.abs(value)
  if (size >= 99.95 || value === 0) return String(Math.round(value))
  if (size >= 9.995) return value.toFixed(1)
  return value.toFixed(size >= 0.995 ? 1 : 2)
}

/** A count: `950`, `12.3k`, `4.5M`. */
export function formatCount(value: number | null): string {
  if (value === null) return UNKNOWN
  return Math.abs(value) < 10_000 ? String(Math.round(value)) : scaled(value)
}

/** A rate a second, without its unit: `0.42`, `17.9`, `4.2k`. */
export function formatRate(value: number | null): string {
  if (value === null) return UNKNOWN
  return Math.abs(value) < 1000 ? digits(value) : scaled(value)
}

/** Milliseconds: `0.42 ms`, `7.3 ms`, `950 ms`, `12.3 s`. */
export function formatMs(value: number | null): string {
  if (value === null) return UNKNOWN
  return value < 9999.5 ? `${digits(value)} ms` : `${digits(value / 1000)} s`
}

/** Bytes in powers of 1000: `0 B`, `1.2 KB`, `55 MB`. */
export function formatBytes(value: number | null): string {
  if (value === null) return UNKNOWN
  if (Math.abs(value) < 999.5) return `${Math.round(value)} B`
  return `${spaced(value)}B`
}

/** Bytes a second: `640 B/s`, `5.6 KB/s`. */
export function formatByteRate(value: number | null): string {
  return value === null ? UNKNOWN : `${formatBytes(value)}/s`
}

/** A percentage. Near 100 it keeps a digit more and never rounds up to 100: `99.2 %`, `99.97 %`. */
export function formatPct(value: number | null): string {
  if (value === null) return UNKNOWN
  if (value < 100 && value >= 99) return `${(Math.floor(value * 100) / 100).toFixed(value >= 99.9 ? 2 : 1)} %`
  return `${Math.abs(value) < 10 ? value.toFixed(1) : Math.round(value)} %`
}

/** What was saved of what came in; below nothing it is called so: how many times as much went out tells `sent up`. */
export function formatSaved(pct: number | null): string {
  return pct !== null && pct < 0 ? 'none' : formatPct(pct)
}

/** A time span from ms, in whole units: `0s`, `42s`, `3m 5s`, `2h 4m`, `3d 1h`. */
export function formatAge(ms: number | null): string {
  if (ms === null) return UNKNOWN
  const sec = Math.max(0, Math.floor(ms / 1000))
  if (sec < 60) return `${sec}s`
  if (sec < 3600) return `${Math.floor(sec / 60)}m ${sec % 60}s`
  if (sec < 86_400) return `${Math.floor(sec / 3600)}h ${Math.floor((sec % 3600) / 60)}m`
  return `${Math.floor(sec / 86_400)}d ${Math.floor((sec % 86_400) / 3600)}h`
}

/** Time of day, 24 h, `HH:MM:SS`. */
export function formatClock(atMs: number, zone: 'local' | 'utc'): string {
  const date = new Date(atMs)
  if (zone === 'utc') return date.toISOString().slice(11, 19)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':')
}

function scaled(value: number): string {
  let index = 0
  let rest = value
  while (Math.abs(rest) >= 999.5 && index < SI.length - 1) {
    rest /= 1000
    index += 1
  }
  return `${digits(rest)}${SI[index]}`
}

function spaced(value: number): string {
  return scaled(value).replace(/[a-zA-Z]$/, (unit) => ` ${unit.toUpperCase()}`)
}
