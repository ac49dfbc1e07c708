/** A time that a person typed, or what to type instead. */
export type ParsedTime = { readonly ok: true; readonly atMs: number } | { readonly ok: false; readonly message: string }

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const DAY_MS = 86_400_000
const EXAMPLES = 'such as 10:32, 10:32:07, -4m, 2026-11-25 10:32 or now'

/**
 * Read a time as people type it: `now`; so long ago (`-4m`, `-1h30m`, `-90s`); a time of day, the last one that was
 * (`10:32`, `10:32:07`); a day with or without it (`2026-11-25 10:32`); any of the latter as ISO 8601 with a zone. Without a
 * zone it is local time. `nowMs` is Unix ms.
 */
export function parseTime(text: string, nowMs: number): ParsedTime {
  const typed = text.trim()
  if (typed === '') return refused(`type a time, ${EXAMPLES}`)
  if (/^now$/i.test(typed)) return { ok: true, atMs: nowMs }
  if (/^[-−]/.test(typed)) return ago(typed.slice(1), nowMs)
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(typed)
  if (clock) return lastClock(clock.slice(1), nowMs)
  const day = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?))?\s*(Z|[+-]\d{2}:?\d{2})?$/i.exec(
    typed,
  )
  if (!day) return refused(`"${typed}" is not a time, ${EXAMPLES}`)
  const [, date = '', time = '00:00', zone = ''] = day
  const atMs = Date.parse(`${date}T${time}${zone.toUpperCase()}`)
  if (!Number.isFinite(atMs) || !isCalendarDay(date)) return refused(`there is no ${typed}`)
  return { ok: true, atMs }
}

function ago(text: string, nowMs: number): ParsedTime {
  const parts = [...text.matchAll(/(\d{1,7})\s*([smhd])/gi)]
  const whole = parts.map(([part]) => part).join('')
  if (parts.length === 0 || whole.replace(/\s/g, '') !== text.replace(/\s/g, '')) {
    return refused(`"-${text}" is not so long ago, write -90s, -4m, -1h30m or -2d`)
  }
  const backMs = parts.reduce((sum, [, count = '0', unit = 's']) => {
    return sum + Number(count) * (UNIT_MS[unit.toLowerCase()] ?? 0)
  }, 0)
  return { ok: true, atMs: nowMs - backMs }
}

function lastClock(parts: readonly (string | undefined)[], nowMs: number): ParsedTime {
  const [hour = 0, minute = 0, second = 0] = parts.map((part) => Number(part ?? 0))
  if (hour > 23 || minute > 59 || second > 59) return refused('a day has 24 hours, an hour 60 minutes')
  const date = new Date(nowMs)
  date.setHours(hour, minute, second, 0)
  // What is yet to come today was yesterday.
  if (date.getTime() > nowMs) date.setTime(date.getTime() - DAY_MS)
  date.setHours(hour, minute, second, 0)
  return { ok: true, atMs: date.getTime() }
}

function isCalendarDay(date: string): boolean {
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number)
  const made = new Date(Date.UTC(year, month - 1, day))
  return made.getUTCMonth() === month - 1 && made.getUTCDate() === day
}

function refused(message: string): ParsedTime {
  return { ok: false, message }
}
