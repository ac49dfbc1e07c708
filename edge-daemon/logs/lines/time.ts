import { plainIsoTime } from './iso-time.ts'

/** Before this no log was written by what we follow, Unix ms: 2000-01-01. A clock that was never set says 1970. */
const EARLIEST_MS = 946_684_800_000
/** How far in the future a line may be: whoever wrote it may have another zone in mind. */
const AHEAD_MS = 86_400_000
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** Whether a time (Unix ms) is one that a line may have been written at, as seen from now. */
export function isSaneTime(timestamp: number, nowMs: number): boolean {
  return timestamp >= EARLIEST_MS && timestamp <= nowMs + AHEAD_MS
}

/**
 * A time as programs write it, as Unix ms: a number of seconds, ms, µs or ns since 1970 by its size, or any text of
 * {@link leadingTime}. Null when it is none.
 */
export function timeOf(value: unknown, nowMs: number): number | null {
  if (typeof value === 'number') return fromEpoch(value)
  if (typeof value !== 'string') return null
  if (/^\d{9,19}(?:\.\d{1,9})?$/.test(value)) return fromEpoch(Number(value))
  const found = leadingTime(value, nowMs)
  return found !== null && found.length === value.length ? found.timestamp : null
}

/** A time at the beginning of a line and how many characters it takes, brackets around it and a separator behind it too. */
export interface LeadingTime {
  readonly timestamp: number
  readonly length: number
}

const ISO =
  /^\[?(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|UTC|[+-]\d\d:?\d\d)?(?=$|[\s\],:|])\]?[,:|]?/
const SYSLOG = /^(?:<\d{1,3}>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?=$|[\s:])/
const APACHE_ERROR = /^\[[A-Z][a-z]{2} ([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? (\d{4})\]/
const COMMON_LOG = /^\[?(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\]?/

/**
 * The time that a text begins with: ISO 8601 and what is like it, syslog (RFC 3164), Apache's two forms. Without a zone it
 * is this machine's own time, as who writes a log beside us means it; without a year it is the last that is not in the future.
 */
export function leadingTime(text: string, nowMs: number): LeadingTime | null {
  const plain = plainIsoTime(text)
  if (plain !== null) return plain
  // Digits, a bracket, a capital or `<` of syslog: nothing else begins a time.
  const first = text.charCodeAt(0)
  if (!((first >= 0x30 && first <= 0x39) || (first >= 0x41 && first <= 0x5b) || first === 0x3c)) return null
  const iso = ISO.exec(text)
  if (iso !== null) {
    const [all, year, month, day, hour, minute, second, fraction, zone] = iso
    const parts = [year, month, day, hour, minute, second].map(Number) as Parts
    return found(all, atZone(parts, fraction, zone))
  }
  const syslog = SYSLOG.exec(text)
  if (syslog !== null) {
    const [all, name = '', day, hour, minute, second, fraction] = syslog
    const month = monthNamed(name)
    if (month === null) return null
    return found(all, lastYear([month, Number(day), Number(hour), Number(minute), Number(second)], fraction, nowMs))
  }
  const apache = APACHE_ERROR.exec(text)
  if (apache !== null) {
    const [all, name = '', day, hour, minute, second, fraction, year] = apache
    const month = monthNamed(name)
    if (month === null) return null
    return found(all, atZone([year, month, day, hour, minute, second].map(Number) as Parts, fraction, undefined))
  }
  const common = COMMON_LOG.exec(text)
  if (common === null) return null
  const [all, day, name = '', year, hour, minute, second, zone] = common
  const month = monthNamed(name)
  if (month === null) return null
  return found(all, atZone([year, month, day, hour, minute, second].map(Number) as Parts, undefined, zone))
}

/** Local time without a year: the last one that is not in the future, as far as a line may be; Unix ms, null for a day there is not. */
export function lastYear(
  [month, day, hour, minute, second]: readonly [number, number, number, number, number],
  fraction: string | undefined,
  nowMs: number,
): number | null {
  const thisYear = new Date(nowMs).getFullYear()
  for (const year of [thisYear + 1, thisYear, thisYear - 1]) {
    const at = atZone([year, month, day, hour, minute, second], fraction, undefined)
    if (at === null || at <= nowMs + AHEAD_MS) return at
  }
  return null
}

type Parts = [number, number, number, number, number, number]

function atZone(
  [year, month, day, hour, minute, second]: Parts,
  fraction: string | undefined,
  zone: string | undefined,
): number | null {
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 60) return null
  const ms = fraction === undefined ? 0 : Math.floor(Number(`0.${fraction}`) * 1000)
  if (zone === undefined) return new Date(year, month - 1, day, hour, minute, second, ms).getTime()
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, ms)
  if (zone === 'Z' || zone === 'UTC') return utc
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  return utc - (zone.startsWith('-') ? -minutes : minutes) * 60_000
}

function monthNamed(name: string): number | null {
  const at = MONTHS.indexOf(name.toLowerCase())
  return at < 0 ? null : at + 1
}

function found(matched: string, timestamp: number | null): LeadingTime | null {
  return timestamp === null || Number.isNaN(timestamp) ? null : { timestamp, length: matched.length }
}

function fromEpoch(value: number): number | null {
  if (!Number.isFinite(value) || value <= 0) return null
  if (value < 1e11) return Math.floor(value * 1000)
  if (value < 1e14) return Math.floor(value)
  return value < 1e17 ? Math.floor(value / 1000) : Math.floor(value / 1e6)
}
