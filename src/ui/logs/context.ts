import type { LogFilter } from '../../../protocol/log-filter.ts'
import type { LogLine, LogRow } from '../../fleet/view.ts'
import { searchLogs } from '../../link/log-search.ts'
import type { StreamedNode } from '../../link/log-search-contract.ts'

/** Lines around one, as its node wrote them. */
export interface AroundLine {
  /** Oldest first. */
  readonly before: readonly LogRow[]
  readonly after: readonly LogRow[]
}

/** How many lines on either side are shown, one after the other; then none again. */
const SIDES = [3, 10] as const
/** Lines of the same instant, which a range of time cannot tell apart. */
const SAME_INSTANT = 50

/** What stood around lines that a filter left over: read from the node of the line when it is asked for, and kept while it is open. */
export class LogContext {
  readonly #changed: () => void
  readonly #open = new Map<number, AroundLine>()
  readonly #sides = new Map<number, number>()

  constructor(changed: () => void) {
    this.#changed = changed
  }

  /** What is open around a row; null for nothing. */
  around(id: number): AroundLine | null {
    return this.#open.get(id) ?? null
  }

  get isEmpty(): boolean {
    return this.#open.size === 0
  }

  /** Show more around a line, or nothing again; answers how many lines on either side. `level` is the least of them. */
  async widen(row: LogLine, node: StreamedNode, filter: LogFilter): Promise<number> {
    const side = SIDES.find((lines) => lines > (this.#sides.get(row.id) ?? 0)) ?? 0
    this.#sides.set(row.id, side)
    if (side === 0) {
      this.#open.delete(row.id)
      this.#changed()
      return 0
    }
    const [before, after] = await Promise.all([
      this.#read(row, node, filter, side, true),
      this.#read(row, node, filter, side, false),
    ])
    if (this.#sides.get(row.id) !== side) return side
    this.#open.set(row.id, { before: before.reverse(), after })
    this.#changed()
    return side
  }

  /** Nobody looks any more. */
  clear(): void {
    this.#open.clear()
    this.#sides.clear()
  }

  async #read(
    row: LogLine,
    node: StreamedNode,
    filter: LogFilter,
    side: number,
    newestFirst: boolean,
  ): Promise<LogRow[]> {
    const range = newestFirst ? { fromMs: 0, toMs: row.atMs } : { fromMs: row.atMs, toMs: Number.MAX_SAFE_INTEGER / 2 }
    const found: LogRow[] = []
    await searchLogs(
      [node],
      { ...range, filter, newestFirst, limit: side + SAME_INSTANT },
      {
        rows: (rows) => {
          for (const other of rows) {
            if (other.kind === 'line' && (newestFirst ? other.seq < row.seq : other.seq > row.seq)) found.push(other)
          }
        },
        failed: () => undefined,
      },
      new AbortController().signal,
    )
    return found.slice(0, side)
  }
}
