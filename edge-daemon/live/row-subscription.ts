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
  readonly pace: Pick<TelemetryPace, 'rowsFrameBytes' | 'heldBytes' | 'mayTell'>
}

/** Room that the envelope of a rows frame needs besides its rows. */
const ENVELOPE_BYTES = 512

/**
 * Rows of one topic for one session. Each frame costs a credit. Rows are gathered up to one frame, and held a little
 * while the link or the cap is short; what comes beyond, or while there is no credit, is only counted, and the count goes
 * out as a `gap` before any newer row. So rows sent plus rows told missing is always what was published, and memory is
 * bounded by `heldBytes` and the backlog.
 */
export class RowSubscription {
  readonly id: string
  readonly topic: RowTopic
  readonly wish: RowWish
  readonly #outlet: RowOutlet
  #credits: number
  #pending: LiveRow[] = []
  #pendingBytes = 0
  /** Rows of the backlog that have not gone yet: all of them go before what came since. */
  #backlog: LiveRow[] = []
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
    return this.#backlog.length > 0 || this.#pending.length > 0 || this.#gaps.size > 0
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
    const { rowsFrameBytes, heldBytes } = this.#outlet.pace
    const isMoreThan = (bytes: number): boolean => this.#pending.length > 0 && this.#pendingBytes + sizeBytes > bytes
    if (isMoreThan(rowsFrameBytes)) this.flush()
    if (this.#credits === 0) {
      this.#miss('no_credit', 1, row.timestamp, row.timestamp)
    } else if (this.#gaps.size > 0 || isMoreThan(heldBytes)) {
      this.#miss('slow_reader', 1, row.timestamp, row.timestamp)
    } else {
      this.#pending.push(row)
      this.#pendingBytes += sizeBytes
    }
  }

  /** Grant credits, at most `LIVE_LIMITS.credits` in all, and send what waited for them. */
  credit(n: number): void {
    this.#credits = Math.min(LIVE_LIMITS.credits, this.#credits + n)
    this.flush()
  }

  /** Send what may be sent now: the backlog, gathered rows, then the gaps behind them. */
  flush(): void {
    if (this.#backfilling || !this.#hasSomething) return
    if (this.#outlet.slow()) {
      this.#missPending('slow_reader')
      return
    }
    if (!this.#sendBacklog()) return
    while (this.#pending.length > 0) {
      // The link or the cap is short: they go on gathering, and what is not held any more is told as missed.
      if (!this.#outlet.pace.mayTell('rows')) return
      if (this.#credits === 0) {
        this.#missPending('no_credit')
        return
      }
      this.#sendPending()
    }
    if (this.#outlet.pace.mayTell('rows')) this.#sendGaps()
  }

  /**
   * It is over: what was gathered was published while it stood, and goes without waiting; where that would block the link
   * it is told as missed.
   */
  end(): void {
    if (this.#backfilling) return
    const left = [...this.#backlog, ...this.#pending]
    this.#backlog = []
    this.#setPending(left)
    if (this.#outlet.slow() || this.#pendingBytes > this.#outlet.pace.heldBytes) this.#missPending('slow_reader')
    while (this.#pending.length > 0 && this.#credits > 0) this.#sendPending()
    this.#missPending('no_credit')
    if (!this.#outlet.slow()) this.#sendGaps()
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
    const slow = this.#outlet.slow()
    const frames = [...framesOf(backlog, () => LIVE_LIMITS.rowsFrameBytes)]
    const fits = frames.length <= this.#credits ? frames.length : Math.max(0, this.#credits - 1)
    const left = slow ? frames.length : frames.length - fits
    for (const row of frames.slice(0, left).flat()) {
      this.#miss(slow ? 'slow_reader' : 'no_credit', 1, row.timestamp, row.timestamp)
    }
    if (this.#gaps.size > 0 && !slow) this.#sendGaps()
    this.#backlog = frames.slice(left).flat()
    this.flush()
  }

  get #hasSomething(): boolean {
    return this.#backlog.length > 0 || this.#pending.length > 0 || this.#gaps.size > 0
  }

  /** Returns whether all of it is sent. */
  #sendBacklog(): boolean {
    while (this.#backlog.length > 0) {
      if (this.#credits === 0 || !this.#outlet.pace.mayTell('rows')) return false
      this.#sendRows(this.#takeFrame(this.#backlog, sizeOf(this.#backlog)))
    }
    return true
  }

  /** Send a frame of what was gathered. */
  #sendPending(): void {
    const rows = this.#takeFrame(this.#pending, this.#pendingBytes)
    this.#pendingBytes -= sizeOf(rows)
    this.#sendRows(rows)
  }

  /** Take what goes next off some rows: no less than the credits that are left need to carry all of them. */
  #takeFrame(rows: LiveRow[], sizeBytes: number): readonly LiveRow[] {
    const firstBytes = Buffer.byteLength(rows[0]?.line ?? '')
    const shareBytes = Math.ceil(sizeBytes / Math.max(1, this.#credits)) + firstBytes
    const frameBytes = Math.min(LIVE_LIMITS.rowsFrameBytes, Math.max(this.#outlet.pace.rowsFrameBytes, shareBytes))
    const [frame = []] = framesOf(rows, () => frameBytes)
    rows.splice(0, frame.length)
    return frame
  }

  #setPending(rows: LiveRow[]): void {
    this.#pending = rows
    this.#pendingBytes = sizeOf(rows)
  }

  #dropPublishedTwice(backlog: readonly LiveRow[]): void {
    const known = new Set(backlog.map((row) => row.line))
    this.#setPending(this.#pending.filter(({ line }) => !known.has(line)))
  }

  #sendRows(rows: readonly LiveRow[]): void {
    this.#credits -= 1
    this.#outlet.send(
      rowsFrame(
        this.id,
        this.topic,
        rows.map(({ line }) => line),
      ),
    )
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
    const [first] = this.#pending
    if (first === undefined) return
    this.#miss(reason, this.#pending.length, first.timestamp, this.#pending.at(-1)?.timestamp ?? first.timestamp)
    this.#setPending([])
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

function sizeOf(rows: readonly LiveRow[]): number {
  return rows.reduce((sum, { line }) => sum + Buffer.byteLength(line) + 1, 0)
}

/** A rows frame put together from records that are JSON already. */
export function rowsFrame(id: string, topic: ReadTopic, lines: readonly string[]): string {
  return `{"t":"rows","id":${JSON.stringify(id)},"topic":"${topic}","rows":[${lines.join(',')}]}`
}

/** Whether no frame can hold this row. */
export function isTooLarge(row: LiveRow): boolean {
  return Buffer.byteLength(row.line) + 1 > MAX_FRAME_BYTES - ENVELOPE_BYTES
}

/**
 * Cut rows into frames of at most so many bytes, as each frame begins, and of `LIVE_LIMITS.rowsPerFrame`; a row too large
 * for any frame is left out.
 */
export function* framesOf(rows: readonly LiveRow[], frameBytes: () => number): Generator<LiveRow[]> {
  let frame: LiveRow[] = []
  let sizeBytes = 0
  let mostBytes = frameBytes()
  for (const row of rows) {
    if (isTooLarge(row)) continue
    const rowBytes = Buffer.byteLength(row.line) + 1
    if (frame.length > 0 && (sizeBytes + rowBytes > mostBytes || frame.length >= LIVE_LIMITS.rowsPerFrame)) {
      yield frame
      frame = []
      sizeBytes = 0
      mostBytes = frameBytes()
    }
    frame.push(row)
    sizeBytes += rowBytes
  }
  if (frame.length > 0) yield frame
}
