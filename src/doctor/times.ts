const SEC_MS = 1000
/** One minute, ms. */
export const MINUTE_MS = 60 * SEC_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** How long something is, rounded to two figures at most: `40 s`, `3 h`, `12 days`. */
export function lasting(ms: number): string {
  const size = Math.abs(ms)
  if (size < 2 * MINUTE_MS) return `${Math.round(size / SEC_MS)} s`
  if (size < 2 * HOUR_MS) return `${Math.round(size / MINUTE_MS)} min`
  if (size < 2 * DAY_MS) return `${Math.round(size / HOUR_MS)} h`
  return `${Math.round(size / DAY_MS)} days`
}
