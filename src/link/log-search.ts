import { logGap, logLine } from '../fleet/log-row.ts'
import type { LogRow } from '../fleet/view.ts'
import type { LogSearch, LogSearchOutcome, LogSearchSink, StreamedNode } from './log-search-contract.ts'
import { LogStream } from './log-stream.ts'

/** Rows that are handed on at once. */
const BATCH_ROWS = 500

/**
 * Look through what nodes keep of their logs, in one order of time over all of them. Each node is read with flow control
 * and at most a few frames of each are held, so days of logs take no more memory than minutes. Rows of one node keep the
 * node's order. Never rejects; a signal ends it early.
 */
export async function searchLogs(
  nodes: readonly StreamedNode[],
  search: LogSearch,
  sink: LogSearchSink,
  signal: AbortSignal,
): Promise<LogSearchOutcome> {
  const enough = new AbortController()
  const ending = AbortSignal.any([signal, enough.signal])
  const streams = nodes.map((node) => new LogStream(node, search, sink, ending))
  let id = search.firstId ?? 1
  let left = search.limit
  let batch: LogRow[] = []
  const isBefore = search.newestFirst ? (a: number, b: number) => a > b : (a: number, b: number) => a < b
  const handOn = async (): Promise<void> => {
    const rows = batch
    batch = []
    if (rows.length > 0 && !signal.aborted) await sink.rows(rows)
  }
  while (left > 0 && !signal.aborted) {
    let next: LogStream | null = null
    for (const stream of streams) {
      const filled = stream.ready()
      if (filled !== undefined) {
        // One that is slow does not keep back what is in order already.
        await handOn()
        await filled
      }
      const { headMs } = stream
      if (headMs !== null && (next?.headMs == null || isBefore(headMs, next.headMs))) next = stream
    }
    const taken = next?.take()
    if (next == null || taken == null) break
    const place = { id, key: next.node.key, atMs: taken.atMs }
    id += 1
    if ('gap' in taken) batch.push(logGap(taken.gap, place))
    else {
      batch.push(logLine(taken.record, { ...place, late: false, offsetMs: next.node.offsetMs }))
      left -= 1
    }
    if (batch.length >= BATCH_ROWS) await handOn()
  }
  await handOn()
  const truncated = left <= 0 && streams.some((stream) => stream.hasMore)
  enough.abort()
  await Promise.all(streams.map((stream) => stream.ended))
  return { truncated, failed: streams.filter((stream) => stream.hasFailed).length }
}
