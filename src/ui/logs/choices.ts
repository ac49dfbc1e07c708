import type { LogLevel } from '../../../protocol/records.ts'

/** How times of log lines are shown. */
export type LogTime = 'local' | 'utc' | 'relative' | 'off'

/** A line that the cursor stands on or that was marked; its time finds what is nearest when the row itself is gone. */
export interface LogPlace {
  readonly id: number
  /** Unix ms on our clock. */
  readonly atMs: number
  readonly key: string
}

/** A range of time: the last so many ms, or from a time on (Unix ms on our clock), to another where there is one. */
export type LogRange =
  | { readonly kind: 'last'; readonly spanMs: number }
  | { readonly kind: 'between'; readonly fromMs: number; readonly toMs: number | null }

/** How logs are read. */
export interface LogChoices {
  readonly minLevel: LogLevel
  /** Hides what does not match, on the nodes; see `parseLogFilter`. Empty for none. */
  readonly filter: string
  /** Marked where it stands, hides nothing; see `readPattern`. Empty for none. */
  readonly search: string
  /** Which time is shown; null for all that is kept. */
  readonly range: LogRange | null
  readonly wrap: boolean
  readonly time: LogTime
  /** Rows whose fields are unfolded; with `allUnfolded` those that are folded. */
  readonly toggled: ReadonlySet<number>
  readonly allUnfolded: boolean
  /** The row that the cursor is on; null follows the end. */
  readonly cursor: LogPlace | null
  /** A line to come back to. */
  readonly mark: LogPlace | null
  readonly paused: boolean
}

/** Logs as they are read at first. */
export const START_LOGS: LogChoices = {
  minLevel: 'info',
  filter: '',
  search: '',
  range: null,
  wrap: false,
  time: 'local',
  toggled: new Set(),
  allUnfolded: false,
  cursor: null,
  mark: null,
  paused: false,
}

/** Ranges before now by the key that chooses them; null is all that is kept. */
export const LOG_SINCE_MS = {
  'logs.sinceAll': null,
  'logs.since1m': 60_000,
  'logs.since5m': 300_000,
  'logs.since15m': 900_000,
  'logs.since1h': 3_600_000,
  'logs.since1d': 86_400_000,
  'logs.since7d': 604_800_000,
} as const

/** Begin and end of a range; the end is null where new lines belong to it. */
export function boundsOf(
  range: LogRange | null,
  nowMs: number,
): { readonly fromMs: number; readonly toMs: number | null } {
  if (range === null) return { fromMs: 0, toMs: null }
  return range.kind === 'last' ? { fromMs: nowMs - range.spanMs, toMs: null } : range
}

/** Where a row stands. */
export function placeOf(row: { readonly id: number; readonly atMs: number; readonly key: string }): LogPlace {
  return { id: row.id, atMs: row.atMs, key: row.key }
}

/**
 * Index of the row at a place: the row itself, else one of the same node and time (a row that was read again has another
 * number), else what is nearest before it. The last row for no place; -1 when there are no rows. Rows rise in time.
 */
export function indexAt(rows: readonly LogPlace[], place: LogPlace | null): number {
  if (place === null || rows.length === 0) return rows.length - 1
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[middle]?.atMs ?? 0) < place.atMs) low = middle + 1
    else high = middle
  }
  let same = -1
  for (let at = low; at < rows.length && rows[at]?.atMs === place.atMs; at += 1) {
    if (rows[at]?.id === place.id) return at
    if (same < 0 && rows[at]?.key === place.key) same = at
  }
  return same >= 0 ? same : Math.max(0, low - 1)
}
