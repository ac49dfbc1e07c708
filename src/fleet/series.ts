import { Histogram, type HistogramData, mergeHistograms, quantileMs } from '../../protocol/histogram.ts'

/** One step of a chart; a value is null where nothing is known. */
export interface SeriesPoint {
  /** Begin of the step, Unix ms. */
  readonly atMs: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly inferencesPerSec: number | null
  readonly rawBytesPerSec: number | null
  readonly upBytesPerSec: number | null
}

/** Amounts over a span of time. */
export interface SeriesAmounts {
  readonly inferences: number
  readonly rawBytes: number
  readonly upBytes: number
}

/** Which part of a series to read: `fromMs` inclusive, `toMs` exclusive, in steps of whole seconds. */
export interface SeriesRange {
  readonly fromMs: number
  readonly toMs: number
  readonly stepMs: number
}

const BUCKET_MS = 1000
/** What was counted over a longer gap than this cannot be placed in time: the chart keeps its hole. */
const MAX_SPREAD_MS = 15_000

/**
 * A ring of one-second buckets on our clock: amounts and a mergeable latency histogram each, so that any step of a
 * chart and any sum of nodes gives true percentiles (decision 16).
 */
export class Series {
  readonly #length: number
  readonly #bucket: Float64Array
  readonly #inferences: Float64Array
  readonly #rawBytes: Float64Array
  readonly #upBytes: Float64Array
  /** How much of the bucket's second is known; 0 = no amount. */
  readonly #known: Float64Array
  readonly #latency: (PackedHistogram | null)[]
  #settleMs: number
  #newestMs = 0

  /**
   * @param historySec how many seconds the ring holds
   * @param settleMs how long after a second ends its amounts may still grow: 0 for one node, a status interval for a
   *   sum of nodes. A second that is not complete has no rate, else every chart would end in a dip.
   */
  constructor(historySec: number, settleMs = 0) {
    this.#settleMs = settleMs
    this.#length = historySec
    this.#bucket = new Float64Array(historySec).fill(-1)
    this.#inferences = new Float64Array(historySec)
    this.#rawBytes = new Float64Array(historySec)
    this.#upBytes = new Float64Array(historySec)
    this.#known = new Float64Array(historySec)
    this.#latency = new Array<PackedHistogram | null>(historySec).fill(null)
  }

  /** From now on amounts of a second may come so long after it. */
  settleAfter(settleMs: number): void {
    this.#settleMs = settleMs
  }

  /**
   * Spread amounts counted in `(fromMs, toMs]` evenly over its buckets. `windowMs` is how long a window the node itself
   * counted them in; a mean over that is all there is of it.
   */
  addAmounts(fromMs: number, toMs: number, amounts: SeriesAmounts, windowMs = 0): void {
    const spanMs = toMs - fromMs
    if (spanMs > Math.max(MAX_SPREAD_MS, 1.5 * windowMs) || spanMs < 0) return
    this.#newestMs = Math.max(this.#newestMs, toMs)
    if (spanMs === 0) this.#addPart(toMs, 1, amounts, 0)
    for (let at = fromMs; at < toMs; ) {
      const end = Math.min(toMs, (Math.floor(at / BUCKET_MS) + 1) * BUCKET_MS)
      this.#addPart(at, (end - at) / spanMs, amounts, end - at)
      at = end
    }
  }

  /**
   * Merge a latency histogram into the bucket of `atMs`, and into those of the `windowMs` before it that it tells of:
   * the percentiles of a window are those of every second in it.
   */
  addLatency(atMs: number, latency: HistogramData, windowMs = 0): void {
    if (latency.count === 0) return
    // What is further back than the ring is long has no place in it, whatever window a node claims.
    const reachMs = Math.min(Math.max(1, windowMs), this.#length * BUCKET_MS)
    for (let backMs = 0; backMs < reachMs; backMs += BUCKET_MS) this.#mergeLatency(atMs - backMs, latency)
  }

  #mergeLatency(atMs: number, latency: HistogramData): void {
    const slot = this.#slot(atMs)
    if (slot === null) return
    const before = this.#latency[slot]
    this.#latency[slot] = pack(before ? mergeHistograms([unpack(before), latency]) : latency)
  }

  /** Latency of the buckets that begin in `[fromMs, toMs]`, merged. */
  latency(fromMs: number, toMs: number): HistogramData {
    const sum = new Histogram()
    for (let bucket = Math.ceil(fromMs / BUCKET_MS); bucket * BUCKET_MS <= toMs; bucket += 1) {
      const slot = this.#held(bucket)
      const packed = slot === null ? null : this.#latency[slot]
      if (packed) sum.merge(unpack(packed))
    }
    return sum.snapshot()
  }

  /** Read a chart, oldest step first. */
  read(range: SeriesRange): SeriesPoint[] {
    const stepBuckets = Math.max(1, Math.round(range.stepMs / BUCKET_MS))
    const first = Math.floor(range.fromMs / BUCKET_MS)
    const points: SeriesPoint[] = []
    for (let bucket = first; bucket * BUCKET_MS < range.toMs; bucket += stepBuckets) {
      points.push(this.#step(bucket, stepBuckets))
    }
    return points
  }

  #step(firstBucket: number, buckets: number): SeriesPoint {
    let known = 0
    const sum = { inferences: 0, rawBytes: 0, upBytes: 0 }
    const histograms: HistogramData[] = []
    for (let bucket = firstBucket; bucket < firstBucket + buckets; bucket += 1) {
      const slot = this.#held(bucket)
      if (slot === null) continue
      const complete = (bucket + 1) * BUCKET_MS <= this.#newestMs - this.#settleMs
      if (complete && (this.#known[slot] ?? 0) > 0) {
        known += 1
        sum.inferences += this.#inferences[slot] ?? 0
        sum.rawBytes += this.#rawBytes[slot] ?? 0
        sum.upBytes += this.#upBytes[slot] ?? 0
      }
      const packed = this.#latency[slot]
      if (packed) histograms.push(unpack(packed))
    }
    const single = histograms.length === 1 ? histograms[0] : undefined
    const latency = single ?? mergeHistograms(histograms)
    const perSec = (amount: number): number | null => (known === 0 ? null : amount / known)
    return {
      atMs: firstBucket * BUCKET_MS,
      p50Ms: quantileMs(latency, 0.5),
      p99Ms: quantileMs(latency, 0.99),
      inferencesPerSec: perSec(sum.inferences),
      rawBytesPerSec: perSec(sum.rawBytes),
      upBytesPerSec: perSec(sum.upBytes),
    }
  }

  #addPart(atMs: number, share: number, amounts: SeriesAmounts, knownMs: number): void {
    const slot = this.#slot(atMs)
    if (slot === null) return
    this.#inferences[slot] = (this.#inferences[slot] ?? 0) + amounts.inferences * share
    this.#rawBytes[slot] = (this.#rawBytes[slot] ?? 0) + amounts.rawBytes * share
    this.#upBytes[slot] = (this.#upBytes[slot] ?? 0) + amounts.upBytes * share
    this.#known[slot] = (this.#known[slot] ?? 0) + Math.max(1, knownMs)
  }

  /** The slot for writing a time, emptied when it held an older round; null when the time is older than the ring. */
  #slot(atMs: number): number | null {
    const bucket = Math.floor(atMs / BUCKET_MS)
    const slot = bucket % this.#length
    const held = this.#bucket[slot] ?? -1
    if (held > bucket) return null
    if (held < bucket) {
      this.#bucket[slot] = bucket
      this.#inferences[slot] = 0
      this.#rawBytes[slot] = 0
      this.#upBytes[slot] = 0
      this.#known[slot] = 0
      this.#latency[slot] = null
    }
    return slot
  }

  #held(bucket: number): number | null {
    const slot = bucket % this.#length
    return this.#bucket[slot] === bucket ? slot : null
  }
}

/** `[index, count, index, count, …]`: a tenth of the memory of pairs. */
interface PackedHistogram {
  readonly count: number
  readonly sumMs: number
  readonly maxMs: number
  readonly flat: readonly number[]
}

function pack(data: HistogramData): PackedHistogram {
  return { count: data.count, sumMs: data.sumMs, maxMs: data.maxMs, flat: data.buckets.flat() }
}

function unpack(packed: PackedHistogram): HistogramData {
  const buckets: (readonly [number, number])[] = []
  for (let i = 0; i + 1 < packed.flat.length; i += 2) {
    buckets.push([packed.flat[i] as number, packed.flat[i + 1] as number])
  }
  return { count: packed.count, sumMs: packed.sumMs, maxMs: packed.maxMs, buckets }
}
