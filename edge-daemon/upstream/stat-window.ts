import { Histogram, meanMs, quantileMs } from '../../protocol/histogram.ts'
import type { StatRecord } from '../../protocol/records.ts'

/** A statistic before the store gives it its sequence. */
export type StatBody = Omit<StatRecord, 'seq' | 'node_id' | 'timestamp'>

/** What a statistic needs of a result that stayed on the node. */
export interface FoldedResult {
  readonly seq: number
  readonly epoch: string
  readonly timestamp: number
  readonly code: number
  readonly totalMs: number
  /** Set when the result is abnormal and was over the rate. */
  readonly overRateReason: string | null
}

/** Results of one epoch being summed up, in order of sequence. */
export class StatWindow {
  readonly epoch: string
  readonly #firstSeq: number
  readonly #latency = new Histogram()
  readonly #overRate = new Map<string, number>()
  #lastSeq: number
  #from: number
  #to: number
  #ok = 0

  /** A window that begins with `first` and covers sequences from `firstSeq` (≤ that of `first`) on. */
  constructor(first: FoldedResult, firstSeq: number) {
    this.epoch = first.epoch
    this.#firstSeq = firstSeq
    this.#lastSeq = first.seq
    this.#from = first.timestamp
    this.#to = first.timestamp
    this.fold(first)
  }

  get count(): number {
    return this.#latency.count
  }

  get lastSeq(): number {
    return this.#lastSeq
  }

  fold(result: FoldedResult): void {
    // A negative or absent time is a bug elsewhere; the count must stay exact all the same.
    if (!this.#latency.record(result.totalMs)) this.#latency.record(0)
    this.#lastSeq = result.seq
    this.#from = Math.min(this.#from, result.timestamp)
    this.#to = Math.max(this.#to, result.timestamp)
    if (result.code === 200) this.#ok += 1
    const reason = result.overRateReason
    if (reason !== null) this.#overRate.set(reason, (this.#overRate.get(reason) ?? 0) + 1)
  }

  /** The statistic; `storeEpoch` is the epoch it will be written in, and is named when the results are of another. */
  body(storeEpoch: string): StatBody {
    const latency = this.#latency.snapshot()
    return {
      ...(this.epoch === storeEpoch ? {} : { epoch: this.epoch }),
      first_seq: this.#firstSeq,
      last_seq: this.#lastSeq,
      from: this.#from,
      to: this.#to,
      count: latency.count,
      ok: this.#ok,
      success_rate: this.#ok / latency.count,
      over_rate: Object.fromEntries(this.#overRate),
      mean_ms: meanMs(latency) ?? 0,
      p50_ms: quantileMs(latency, 0.5) ?? 0,
      p99_ms: quantileMs(latency, 0.99) ?? 0,
      latency: { ...latency, buckets: latency.buckets.map(([bucket, count]) => [bucket, count]) },
    }
  }
}
