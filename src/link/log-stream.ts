import type { LogRecord } from '../../protocol/records.ts'
import type { RangeGap, RangeOutcome, RangeRequest, RequestFailure } from './link.ts'
import type { LogSearch, LogSearchSink, StreamedNode } from './log-search-contract.ts'

/** A line, or the news of some that are not there, with its place in time on our clock. */
export type StreamedLog =
  | { readonly atMs: number; readonly record: LogRecord }
  | { readonly atMs: number; readonly gap: RangeGap }

/** Most rows of one request; more are read on. */
const PAGE_ROWS = 2000
const TOO_OLD: RequestFailure = {
  ok: false,
  code: 'FRAME_INVALID',
  message: 'it knows no order but the oldest first',
  next: ['bring the node to the release of this console'],
}

/** What one node has of a search, pulled: it is asked for more when what it gave was taken. */
export class LogStream {
  readonly node: StreamedNode
  /** Settles when nothing of it runs any more. */
  readonly ended: Promise<void>
  readonly #search: LogSearch
  readonly #sink: LogSearchSink
  readonly #signal: AbortSignal
  #queue: StreamedLog[] = []
  #at = 0
  #isOver = false
  #failure: RequestFailure | null = null
  #lastMs: number | null = null
  /** Called when rows came or it is over. */
  #onFilled: (() => void) | null = null
  /** Called when the queue was used up. */
  #onUsedUp: (() => void)[] = []

  constructor(node: StreamedNode, search: LogSearch, sink: LogSearchSink, signal: AbortSignal) {
    this.node = node
    this.#search = search
    this.#sink = sink
    this.#signal = signal
    signal.addEventListener('abort', () => this.#usedUp(), { once: true })
    this.ended = this.#run()
  }

  /** Place in time of what comes next; null while that is not known, and at the end. */
  get headMs(): number | null {
    return this.#queue[this.#at]?.atMs ?? null
  }

  /** Whether something is left that was not taken. */
  get hasMore(): boolean {
    return this.headMs !== null || !this.#isOver
  }

  /** Whether it did not give all that the node has. */
  get hasFailed(): boolean {
    return this.#failure !== null
  }

  /** Wait until the head is known, or that there is none. */
  ready(): Promise<void> | undefined {
    if (this.headMs !== null || this.#isOver) return undefined
    return new Promise((resolve) => {
      this.#onFilled = resolve
    })
  }

  /** Take the head. */
  take(): StreamedLog | null {
    const head = this.#queue[this.#at] ?? null
    this.#at += 1
    if (this.#at < this.#queue.length) return head
    this.#queue = []
    this.#at = 0
    this.#usedUp()
    return head
  }

  #usedUp(): void {
    for (const go of this.#onUsedUp.splice(0)) go()
  }

  async #run(): Promise<void> {
    const outcome = await this.#readAll()
    this.#isOver = true
    if (!outcome.ok && !this.#signal.aborted) {
      this.#failure = outcome
      this.#sink.failed(this.node.key, outcome)
    }
    this.#onFilled?.()
  }

  async #readAll(): Promise<RangeOutcome> {
    const { key, link, offsetMs } = this.node
    const { filter, newestFirst, limit, fromMs, toMs } = this.#search
    let left = limit
    let isOld = false
    let from: { readonly afterSeq?: number; readonly beforeSeq?: number } = {}
    for (;;) {
      const request: RangeRequest<'logs'> = {
        topic: 'logs',
        fromMs: Math.max(0, Math.floor(fromMs + offsetMs)),
        toMs: Math.max(0, Math.ceil(toMs + offsetMs)),
        limit: Math.min(PAGE_ROWS, left),
        ...(newestFirst ? { newestFirst } : {}),
        ...(filter === undefined ? {} : { filter }),
        ...from,
      }
      const outcome = await link.stream(
        request,
        {
          rows: (records) => {
            left -= records.length
            if (newestFirst && isRising(records)) {
              isOld = true
              throw new Error(TOO_OLD.message)
            }
            return this.#fill(records.map((record) => ({ atMs: this.#place(record.timestamp), record })))
          },
          gap: (gap) => void this.#fill([{ atMs: this.#place(gap.toMs), gap }]),
          progress: ({ atMs, lookedAtBytes }) =>
            this.#sink.progress?.(key, { atMs: Math.round(atMs - offsetMs), lookedAtBytes }),
        },
        this.#signal,
      )
      if (isOld) return TOO_OLD
      if (!outcome.ok || !outcome.truncated || left <= 0) return outcome
      const { lastSeq } = outcome
      const before = newestFirst ? from.beforeSeq : from.afterSeq
      // A node that does not go on behind a sequence would send the same rows for ever.
      if (lastSeq === null || (before !== undefined && (newestFirst ? lastSeq >= before : lastSeq <= before))) {
        return outcome
      }
      from = newestFirst ? { beforeSeq: lastSeq } : { afterSeq: lastSeq }
    }
  }

  /** Resolves when all of it was taken. */
  #fill(rows: StreamedLog[]): Promise<void> {
    this.#queue.push(...rows)
    this.#onFilled?.()
    this.#onFilled = null
    if (this.#signal.aborted || this.#queue.length === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onUsedUp.push(resolve)
    })
  }

  /** Rows of one node keep its order, whatever its clock did. */
  #place(timestamp: number): number {
    const atMs = Math.round(timestamp - this.node.offsetMs)
    const last = this.#lastMs ?? atMs
    this.#lastMs = this.#search.newestFirst ? Math.min(last, atMs) : Math.max(last, atMs)
    return this.#lastMs
  }
}

function isRising(records: readonly LogRecord[]): boolean {
  const [first] = records
  const last = records.at(-1)
  return first !== undefined && last !== undefined && last.seq > first.seq
}
