import type { LogFilter } from '../../../protocol/log-filter.ts'
import { isAtLeast } from '../../../protocol/log-filter.ts'
import type { LogRow } from '../../fleet/view.ts'
import { searchLogs } from '../../link/log-search.ts'
import type { PagesWish } from './pages.ts'

/** What is looked for on the nodes, beyond the rows that are held. */
export interface Seek {
  readonly wish: PagesWish
  /** Which lines are meant, on top of what is shown. */
  readonly filter: LogFilter
  /** From here on, or back; Unix ms on our clock. */
  readonly fromMs: number
  readonly direction: 1 | -1
}

/** The nearest line of all nodes that is meant; null when none is kept there, or the signal came. */
export async function seekLine(
  { wish, filter, fromMs, direction }: Seek,
  now: () => number,
  signal: AbortSignal,
): Promise<LogRow | null> {
  const range =
    direction === -1
      ? { fromMs: wish.fromMs, toMs: fromMs, newestFirst: true }
      : { fromMs, toMs: wish.toMs ?? now(), newestFirst: false }
  if (wish.nodes.length === 0 || range.fromMs > range.toMs) return null
  let found: LogRow | null = null
  await searchLogs(
    wish.nodes,
    { ...range, filter, limit: 1 },
    {
      rows: (rows) => {
        found ??= rows.find(({ kind }) => kind === 'line') ?? null
      },
      failed: () => undefined,
    },
    signal,
  )
  return signal.aborted ? null : found
}

/** The filter of what is shown, for errors alone. */
export function errorsOf(filter: LogFilter): LogFilter {
  const { level = 'debug' } = filter
  return { ...filter, level: isAtLeast(level, 'error') ? level : 'error' }
}

/** Whether a row is an error or worse. */
export function isError(row: LogRow): boolean {
  return row.kind === 'line' && isAtLeast(row.level, 'error')
}
