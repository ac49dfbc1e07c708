import type {
  HistoryKind,
  HistoryOutcome,
  HistoryRange,
  HistoryReach,
  HistorySink,
  HistorySource,
} from './history-source.ts'
import type { NodeLink, RangeOutcome, RequestFailure } from './link.ts'
import { unreachable } from './request-book.ts'

/** Most rows of one request; more are read on. */
const PAGE_ROWS = 2000

/** The past as the nodes themselves keep it, read over their links with flow control. */
export class NodeHistorySource implements HistorySource {
  readonly name = 'node'
  readonly #link: (key: string) => NodeLink | undefined

  constructor(link: (key: string) => NodeLink | undefined) {
    this.#link = link
  }

  async read(nodeKey: string, range: HistoryRange, sink: HistorySink, signal: AbortSignal): Promise<HistoryOutcome> {
    const link = this.#link(nodeKey)
    if (link === undefined) return unreachable('there is no link to the node')
    let truncated = false
    for (const kind of range.kinds) {
      const outcome = await readKind(link, kind, range, sink, signal)
      if (!outcome.ok) return outcome
      truncated ||= outcome.truncated
    }
    return { ok: true, truncated }
  }

  /** Only its status tells how far a node reaches, see `store.byClass`. */
  reach(): Promise<HistoryReach | null> {
    return Promise.resolve(null)
  }
}

/** Read a kind to the end of the range, request by request. */
async function readKind<K extends HistoryKind>(
  link: NodeLink,
  kind: K,
  range: HistoryRange,
  sink: HistorySink,
  signal: AbortSignal,
): Promise<RangeOutcome | RequestFailure> {
  const { fromMs, toMs, limitPerKind = Number.POSITIVE_INFINITY } = range
  let left = limitPerKind
  let afterSeq: number | undefined
  for (;;) {
    const limit = Math.min(PAGE_ROWS, left)
    const request = { topic: kind, fromMs, toMs, limit, ...(afterSeq === undefined ? {} : { afterSeq }) }
    let came = 0
    const outcome = await link.stream(
      request,
      {
        rows: (rows) => {
          came += rows.length
          // The kind and its rows belong together, which the union of all kinds cannot say.
          return sink.rows({ kind, epoch: null, rows } as unknown as Parameters<HistorySink['rows']>[0])
        },
        gap: ({ missed, reason, fromMs: gapFromMs, toMs: gapToMs }) =>
          sink.gap({ kind, missed, reason, fromMs: gapFromMs, toMs: gapToMs }),
      },
      signal,
    )
    if (!outcome.ok || !outcome.truncated) return outcome
    left -= came
    // A node that does not go on after a sequence would send the same rows for ever.
    if (left <= 0 || outcome.lastSeq === null || outcome.lastSeq <= (afterSeq ?? -1)) return outcome
    afterSeq = outcome.lastSeq
  }
}
