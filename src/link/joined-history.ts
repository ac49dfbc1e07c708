import type { HistoryGap, HistoryKind, HistoryRange, HistoryRows, HistorySource } from './history-source.ts'
import type { RequestFailure } from './link.ts'

/** Takes a past that comes from two sources, and is told which. */
export interface JoinedSink {
  rows(rows: HistoryRows, from: HistorySource['name']): void | Promise<void>
  gap(gap: HistoryGap, from: HistorySource['name']): void
  /** A source could not be read, or not to the end. */
  failed(failure: RequestFailure, from: HistorySource['name']): void
}

/** The ends of what the node gave. */
type Row = HistoryRows['rows'][number]

/**
 * The past of a node from the node itself and, for what it does not have any more or cannot tell, from the cloud. Rows
 * come oldest first within a kind and none twice: sequences rise on a disk and are never used again.
 */
export class JoinedHistory {
  readonly #node: HistorySource | null
  readonly #cloud: HistorySource | null

  constructor(sources: { readonly node: HistorySource | null; readonly cloud: HistorySource | null }) {
    this.#node = sources.node
    this.#cloud = sources.cloud
  }

  /** Read one kind to the end of the range. Resolves with whether every source that was needed gave all it has. */
  async read(
    nodeKey: string,
    { kind, fromMs, toMs }: { readonly kind: HistoryKind } & Pick<HistoryRange, 'fromMs' | 'toMs'>,
    sink: JoinedSink,
    signal: AbortSignal,
  ): Promise<boolean> {
    const fill = async (fillFromMs: number, fillToMs: number, wanted: (row: Row) => boolean): Promise<boolean> => {
      if (this.#cloud === null || signal.aborted) return !signal.aborted
      const outcome = await this.#cloud.read(
        nodeKey,
        { kinds: [kind], fromMs: fillFromMs, toMs: fillToMs },
        {
          rows: (page) => {
            const rows = (page.rows as Row[]).filter(wanted)
            // Fewer rows of the same kind.
            return rows.length === 0 ? undefined : sink.rows({ ...page, rows } as HistoryRows, 'cloud')
          },
          gap: (gap) => sink.gap(gap, 'cloud'),
        },
        signal,
      )
      if (!outcome.ok) sink.failed(outcome, 'cloud')
      return outcome.ok
    }
    if (this.#node === null) return fill(fromMs, toMs, () => true)
    let whole = true
    let first: Row | null = null
    let last: Row | null = null
    const outcome = await this.#node.read(
      nodeKey,
      { kinds: [kind], fromMs, toMs },
      {
        rows: async (page) => {
          const oldest = page.rows[0]
          if (oldest === undefined) return
          if (first === null) {
            first = oldest
            whole = await fill(fromMs, oldest.timestamp, (row) => isBefore(row, oldest))
          }
          last = page.rows.at(-1) ?? null
          await sink.rows(page, 'node')
        },
        gap: (gap) => sink.gap(gap, 'node'),
      },
      signal,
    )
    if (outcome.ok) return first === null ? fill(fromMs, toMs, () => true) : whole
    sink.failed(outcome, 'node')
    const end = last as Row | null
    await fill(end?.timestamp ?? fromMs, toMs, (row) => end === null || row.seq > end.seq)
    return false
  }
}

/** Records of one millisecond are told apart by their sequence. */
function isBefore(row: Row, other: Row): boolean {
  return row.timestamp < other.timestamp || (row.timestamp === other.timestamp && row.seq < other.seq)
}
