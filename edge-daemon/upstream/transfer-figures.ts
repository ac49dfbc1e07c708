import { Histogram, type HistogramData, mergeHistograms } from '../../protocol/histogram.ts'

const WINDOW_MS = 60_000
const SLICE_MS = 5000

interface Slice {
  readonly startedAtMs: number
  readonly transfer: Histogram
}

/** How long records took to their target, since the start and over the last minute, and how soon what waits is through. */
export class TransferFigures {
  readonly #total = new Histogram()
  readonly #slices: Slice[] = []
  readonly #monotonicMs: () => number
  #upSinceMs: number | null = null

  constructor(monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs
  }

  /** The target takes records from now on, or no longer. */
  reachable(isUp: boolean): void {
    if (isUp) this.#upSinceMs ??= this.#monotonicMs()
    else this.#upSinceMs = null
  }

  /** The target holds records of these timestamps now; all in Unix ms. */
  held(timestamps: ArrayLike<number>, atMs: number): void {
    const { transfer } = this.#slice()
    for (let position = 0; position < timestamps.length; position += 1) {
      // A clock set back between the event and now must not take the record out of the count.
      const tookMs = Math.max(0, atMs - (timestamps[position] ?? atMs))
      transfer.record(tookMs)
      this.#total.record(tookMs)
    }
  }

  /** Over everything held since the start. */
  sinceStart(): HistogramData {
    return this.#total.snapshot()
  }

  /** Over the last minute, give or take five seconds. */
  lastMinute(): HistogramData {
    this.#forget()
    return mergeHistograms(this.#slices.map(({ transfer }) => transfer.snapshot()))
  }

  /** Seconds until so many waiting records are held at the rate of the last minute; null when nothing waits or moves. */
  drainSec(backlogRecords: number): number | null {
    if (backlogRecords === 0 || this.#upSinceMs === null) return null
    this.#forget()
    const now = this.#monotonicMs()
    const sinceMs = Math.max(this.#upSinceMs, now - WINDOW_MS)
    const moved = this.#slices.reduce((sum, { startedAtMs, transfer }) => {
      return startedAtMs + SLICE_MS > sinceMs ? sum + transfer.count : sum
    }, 0)
    return moved === 0 ? null : (backlogRecords * Math.max(1, now - sinceMs)) / 1000 / moved
  }

  #slice(): Slice {
    this.#forget()
    const startedAtMs = Math.floor(this.#monotonicMs() / SLICE_MS) * SLICE_MS
    const newest = this.#slices.at(-1)
    if (newest?.startedAtMs === startedAtMs) return newest
    const slice = { startedAtMs, transfer: new Histogram() }
    this.#slices.push(slice)
    return slice
  }

  #forget(): void {
    const oldestMs = this.#monotonicMs() - WINDOW_MS - SLICE_MS
    while ((this.#slices[0]?.startedAtMs ?? Number.POSITIVE_INFINITY) < oldestMs) this.#slices.shift()
  }
}
