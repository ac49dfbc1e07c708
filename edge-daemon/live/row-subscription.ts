import { type GapFrame, MAX_FRAME_BYTES } from '../../protocol/frames.ts'
import { LIVE_LIMITS, type LiveRow, type ReadTopic, type RowTopic, type TelemetryPace } from './contract.ts'
import type { Backlog } from './history.ts'
import type { MatchQuota } from './match-quota.ts'
import { type RowWish, type SharedRow, wantsAll, wantsWithin } from './row-filter.ts'

type GapReason = GapFrame['reason']

/** What a subscription may do with its session. */
export interface RowOutlet {
  /** True while the session's socket holds too much unsent data. */
  slow(): boolean
  send(frame: string): void
  /** What filters may cost. */
  readonly quota: MatchQuota
  /** The cap that the session's frames count under. */
  readonly pace: Pick<TelemetryPace, 'rowsFrameBytes' | 'mayTell'>
}

/** Room that the envelope of a rows frame needs besides its rows. */
const ENVELOPE_BYTES = 512

/**
 * Rows of one topic for one session. Each frame costs a credit. Rows are gathered up to one frame; what comes while
 * there is no credit, or while the reader is slow, is only counted, and the count goes out as a `gap` before any newer
 * row. So rows sent plus rows told missing is always what was published, and memory is one frame at most.
 */
export class RowSubscription {
  readonly id: string
  readonly topic: RowTopic
  readonly wish: RowWish
  readonly #outlet: RowOutlet
  #credits: number
  #pending: string[] = []
  #pendingBytes = 0
  #pendingFirst: LiveRow | null = null
  #pendingLast: LiveRow | null = null
  readonly #gaps = new Map<GapReason, { missed: number; fromMs: number; toMs: number }>()
  /** While the backlog is read, published rows wait behind it. */
  #backfilling: boolean

  constructor(
    options: { id: string; topic: RowTopic; wish: RowWish; credits: number; backfilling: boolean },
    outlet: RowOutlet,
  ) {
    this.id = options.id
    this.topic = options.topic
    this.wish = options.wish
    this.#credits = options.credits
    this.#backfilling = options.backfilling
    this.#outlet = outlet
  }

  /** Whether there is something to send that only waits for time or for the reader. */
  get waiting(): boolean {
    if (this.#backfilling || this.#credits === 0) return false
    return this.#pending.length > 0 || this.#gaps.size > 0
  }

  /** Take a published row. */
  push(shared: SharedRow): void {
    const isWanted = wantsAll(this.wish) || wantsWithin(this.wish, shared, this.#outlet.quota)
    if (isWanted === false) return
    const { row } = shared
    if (isWanted === null) {
      this.#miss('over_quota', 1, row.timestamp, row.timestamp)
      return
    }
    const sizeBytes = Buffer.byteLength(row.line) + 1
    if (isTooLarge(row)) {
      this.#miss('too_large', 1, row.timestamp, row.timestamp)
      return
    }
    if (this.#gaps.size > 0) this.flush()
    const full =
      this.#pending.length >= LIVE_LIMITS.rowsPerFrame ||
      (this.#pending.length > 0 && this.#pendingBytes + sizeBytes > this.#outlet.pace.rowsFrameBytes)
    if (full) this.flush()
    if (this.#credits === 0) {
      this.#miss('no_credit', 1, row.timestamp, row.timestamp)
    } else if (this.#gaps.size > 0 || (full && this.#pending.length > 0)) {
      this.#miss('slow_reader', 1, row.timestamp, row.timestamp)
    } else {
      this.#pending.push(row.line)
      this.#pendingBytes += sizeBytes
      this.#pendingFirst ??= row
      this.#pendingLast = row
    }
  }

  /** Grant credits, at most `LIVE_LIMITS.credits` in all, and send what waited for them. */
  credit(n: number): void {
    this.#credits = Math.min(LIVE_LIMITS.credits, this.#credits + n)
    this.flush()
  }

  /** Send what may be sent now: gathered rows, then the gaps behind them. */
  flush(): void {
    if (this.#backfilling || (this.#pending.length === 0 && this.#gaps.size === 0)) return
    if (this.#outlet.slow()) {
      this.#missPending('slow_reader')
      return
    }
    // The cap is short: they go on gathering, and what does not fit a frame any more is told as missed.
    if (!this.#outlet.pace.mayTell('rows')) return
    if (this.#pending.length > 0) {
      if (this.#credits === 0) {
        this.#missPending('no_credit')
        return
      }
      this.#sendRows(this.#pending)
      this.#forgetPending()
    }
    this.#sendGaps()
  }

  /**
   * Send the backlog, oldest first, and then whatever came meanwhile. Without credit for all of it the oldest rows are
   * counted as missed. Rows that were both read and published are sent once.
   */
  backfill({ rows: backlog, missed, unseen = [] }: Backlog): void {
    this.#backfilling = false
    if (missed !== null) this.#miss('away', missed.count, missed.fromMs, missed.toMs)
    for (const { reason, missed: count, fromMs, toMs } of unseen) {
      // Who gives no filter may be a console from before there were filters, and knows no other reason.
      this.#miss(this.wish.matcher === undefined ? 'evicted' : reason, count, fromMs, toMs)
    }
    this.#dropPublishedTwice(backlog)
    const { pace } = this.#outlet
    const slow = this.#outlet.slow()
    const frames = framesOf(backlog, pace.rowsFrameBytes)
    const affordable = pace.rowsFrameBytes < LIVE_LIMITS.rowsFrameBytes ? 1 : frames.length
    const fits = Math.min(affordable, frames.length <= this.#credits ? frames.length : Math.max(0, this.#credits - 1))
    const left = slow ? frames.length : frames.length - fits
    for (const row of frames.slice(0, left).flat()) {
      this.#miss(slow || fits === affordable ? 'slow_reader' : 'no_credit', 1, row.timestamp, row.timestamp)
    }
    if ((left > 0 || missed !== null || unseen.length > 0) && !slow) this.#sendGaps()
    for (const frame of frames.slice(left)) this.#sendRows(frame.map((row) => row.line))
    this.flush()
  }

  #dropPublishedTwice(backlog: readonly LiveRow[]): void {
    const known = new Set(backlog.map((row) => row.line))
    this.#pending = this.#pending.filter((line) => !known.has(line))
    this.#pendingBytes = this.#pending.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)
  }

  #sendRows(lines: readonly string[]): void {
    this.#credits -= 1
    this.#outlet.send(rowsFrame(this.id, this.topic, lines))
  }

  #sendGaps(): void {
    for (const [reason, gap] of this.#gaps) {
      if (this.#credits === 0) return
      this.#credits -= 1
      this.#gaps.delete(reason)
      this.#outlet.send(JSON.stringify({ t: 'gap', id: this.id, topic: this.topic, ...gap, reason }))
    }
  }

  #missPending(reason: GapReason): void {
    if (this.#pending.length === 0) return
    const fromMs = this.#pendingFirst?.timestamp ?? 0
    this.#miss(reason, this.#pending.length, fromMs, this.#pendingLast?.timestamp ?? fromMs)
    this.#forgetPending()
  }

  #forgetPending(): void {
    this.#pending = []
    this.#pendingBytes = 0
    this.#pendingFirst = null
    this.#pendingLast = null
  }

  #miss(reason: GapReason, missed: number, fromMs: number, toMs: number): void {
    const gap = this.#gaps.get(reason)
    if (gap === undefined) {
      this.#gaps.set(reason, { missed, fromMs: Math.min(fromMs, toMs), toMs: Math.max(fromMs, toMs) })
      return
    }
    gap.missed += missed
    gap.fromMs = Math.min(gap.fromMs, fromMs)
    gap.toMs = Math.max(gap.toMs, toMs)
  }
}

/** A rows frame put together from records that are JSON already. */
export function rowsFrame(id: string, topic: ReadTopic, lines: readonly string[]): string {
  return `{"t":"rows","id":${JSON.stringify(id)},"topic":"${topic}","rows":[${lines.join(',')}]}`
}

/** Whether no frame can hold this row. */
export function isTooLarge(row: LiveRow): boolean {
  return Buffer.byteLength(row.line) + 1 > MAX_FRAME_BYTES - ENVELOPE_BYTES
}

/** Cut rows into frames of at most `frameBytes` and `LIVE_LIMITS.rowsPerFrame`; a row too large for any frame is left out. */
export function framesOf(rows: readonly LiveRow[], frameBytes: number): LiveRow[][] {
  const frames: LiveRow[][] = []
  let sizeBytes = Number.POSITIVE_INFINITY
  for (const row of rows) {
    if (isTooLarge(row)) continue
    const rowBytes = Buffer.byteLength(row.line) + 1
    const last = frames.at(-1)
    if (last === undefined || sizeBytes + rowBytes > frameBytes || last.length >= LIVE_LIMITS.rowsPerFrame) {
      frames.push([row])
      sizeBytes = rowBytes
    } else {
      last.push(row)
      sizeBytes += rowBytes
    }
  }
  return frames
}
