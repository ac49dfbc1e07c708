const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/** A long time for people, e.g. `6 d`, `31 h`, `4 min`. */
export function lasting(ms: number): string {
  if (ms >= 2 * DAY_MS) return `${Math.round(ms / DAY_MS)} d`
  return ms >= 2 * HOUR_MS ? `${Math.round(ms / HOUR_MS)} h` : `${Math.ceil(ms / MINUTE_MS)} min`
}

/** A point in time (Unix ms) to the second, e.g. `2026-11-25T10:32:07Z`. */
export function instant(at: number | Date): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}
