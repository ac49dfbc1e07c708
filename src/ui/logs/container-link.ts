import { EdgeError, messageOf } from '../../../protocol/errors.ts'
import type { FilteredLine } from '../../../protocol/log-filter.ts'
import type { LogRecord } from '../../../protocol/records.ts'
import { logMatch } from '../../fleet/log-match.ts'
import type { RangeOutcome, RangeRequest, RangeSink, RequestFailure } from '../../link/link.ts'
import type { LogLink } from '../../link/log-search-contract.ts'
import type { ContainerLog } from '../../remote/contract.ts'

/** How many of the newest lines are read for older ones: as few as hold them. Null for all. */
const TAILS = [2000, 16_000, null] as const
/** Lines that are handed over at once. */
const BATCH_LINES = 500

type Sink = RangeSink<'logs'>
type Request = RangeRequest<'logs'>

/** The kept log of a container as searches read that of a node. An API server knows no filter, so that lines are looked at here. */
export class ContainerLink implements Pick<LogLink, 'stream'> {
  readonly #log: ContainerLog
  /** The last line that was handed over, where more is asked for behind it. */
  #last: Pick<LogRecord, 'seq' | 'timestamp'> | null = null

  constructor(log: ContainerLog) {
    this.#log = log
  }

  async stream(request: Request, sink: Sink, signal: AbortSignal): Promise<RangeOutcome> {
    try {
      return await (request.newestFirst === true
        ? this.#back(request, sink, signal)
        : this.#forward(request, sink, signal))
    } catch (error) {
      return failureOf(error, signal)
    }
  }

  async #forward(request: Request, sink: Sink, signal: AbortSignal): Promise<RangeOutcome> {
    const { fromMs, toMs, limit, afterSeq = Number.NEGATIVE_INFINITY } = request
    const passes = passing(request)
    let batch: LogRecord[] = []
    let count = 0
    let last: LogRecord | null = null
    let isOver = true
    const goesOnMs = this.#last?.seq === afterSeq ? this.#last.timestamp : fromMs
    for await (const record of this.#log.read({ sinceMs: sinceOf(goesOnMs), tail: null }, signal)) {
      if (record.timestamp > toMs) break
      if (record.timestamp < fromMs || record.seq <= afterSeq || !passes(record)) continue
      if (count === limit) {
        isOver = false
        break
      }
      batch.push(record)
      count += 1
      last = record
      if (batch.length < BATCH_LINES) continue
      await sink.rows(batch)
      batch = []
    }
    if (batch.length > 0) await sink.rows(batch)
    this.#last = last
    return { ok: true, truncated: !isOver, lastSeq: last?.seq ?? null }
  }

  async #back(request: Request, sink: Sink, signal: AbortSignal): Promise<RangeOutcome> {
    const { fromMs, toMs, limit, beforeSeq = Number.POSITIVE_INFINITY } = request
    const passes = passing(request)
    for (let at = 0; at < TAILS.length; at += 1) {
      const tail = TAILS[at] ?? null
      const sinceMs = tail === null ? sinceOf(fromMs) : null
      let found: LogRecord[] = []
      let count = 0
      let firstMs: number | null = null
      let seen = 0
      for await (const record of this.#log.read({ sinceMs, tail }, signal)) {
        firstMs ??= record.timestamp
        seen += 1
        if (record.timestamp < fromMs || record.timestamp > toMs || record.seq >= beforeSeq || !passes(record)) continue
        found.push(record)
        count += 1
        if (found.length > 2 * limit) found = found.slice(-limit)
      }
      const isWhole = tail === null || (firstMs !== null && firstMs < fromMs)
      if (count <= limit && !isWhole) {
        // A log that is shorter than that is read whole at once.
        if (tail !== null && 2 * seen < tail) at = TAILS.length - 2
        continue
      }
      found = found.slice(-limit).reverse()
      if (found.length > 0) await sink.rows(found)
      return { ok: true, truncated: count > limit, lastSeq: found.at(-1)?.seq ?? null }
    }
    return { ok: true, truncated: false, lastSeq: null }
  }
}

function passing({ filter }: Request): (line: FilteredLine) => boolean {
  return filter === undefined ? () => true : logMatch(filter)
}

function sinceOf(fromMs: number): number | null {
  return fromMs <= 0 ? null : fromMs
}

function failureOf(error: unknown, signal: AbortSignal): RequestFailure {
  if (signal.aborted) return { ok: false, code: 'CANCELLED', message: 'nobody asks any more', next: [] }
  if (error instanceof EdgeError) return { ok: false, code: error.code, message: error.message, next: error.next }
  return { ok: false, code: 'KUBE_UNREACHABLE', message: messageOf(error), next: [] }
}
