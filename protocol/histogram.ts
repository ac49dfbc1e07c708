/**
 * Mergeable latency histograms with logarithmic buckets (after OpenTelemetry's exponential histogram, scale 4).
 *
 * Bucket `i` holds values in `(GROWTH^(i-1), GROWTH^i]` milliseconds with `GROWTH = 2^(1/16)`, so that a percentile is
 * off by at most 2.2 % of its value, and two histograms of any nodes and times can be added exactly.
 */
const BUCKETS_PER_DOUBLING = 16
const MIN_VALUE_MS = 0.001
/** Lowest and highest bucket there are: what is quicker or slower is counted in them. */
export const MIN_BUCKET = indexOf(MIN_VALUE_MS)
/** @see MIN_BUCKET */
export const MAX_BUCKET = indexOf(3_600_000)

/** A histogram on the wire: sparse `[bucket, count]` pairs in rising bucket order; times in milliseconds. */
export interface HistogramData {
  readonly count: number
  readonly sumMs: number
  readonly maxMs: number
  readonly buckets: readonly (readonly [number, number])[]
}

/** The empty histogram. */
export const EMPTY_HISTOGRAM: HistogramData = { count: 0, sumMs: 0, maxMs: 0, buckets: [] }

function indexOf(valueMs: number): number {
  return Math.ceil(Math.log2(valueMs) * BUCKETS_PER_DOUBLING)
}

/** Upper bound of a bucket in milliseconds. */
export function bucketUpperMs(index: number): number {
  return 2 ** (index / BUCKETS_PER_DOUBLING)
}

/** A histogram that grows. Values are milliseconds; negative and non-finite ones are refused by returning false. */
export class Histogram {
  readonly #counts = new Map<number, number>()
  #count = 0
  #sumMs = 0
  #maxMs = 0

  get count(): number {
    return this.#count
  }

  /** Count one value in milliseconds. Returns false, counting nothing, when it is not a number ≥ 0. */
  record(valueMs: number): boolean {
    if (!(valueMs >= 0) || !Number.isFinite(valueMs)) return false
    const index = valueMs <= MIN_VALUE_MS ? MIN_BUCKET : Math.min(MAX_BUCKET, indexOf(valueMs))
    this.#counts.set(index, (this.#counts.get(index) ?? 0) + 1)
    this.#count += 1
    this.#sumMs += valueMs
    if (valueMs > this.#maxMs) this.#maxMs = valueMs
    return true
  }

  /** Add all of another histogram. */
  merge(other: HistogramData): void {
    for (const [index, count] of other.buckets) this.#counts.set(index, (this.#counts.get(index) ?? 0) + count)
    this.#count += other.count
    this.#sumMs += other.sumMs
    this.#maxMs = Math.max(this.#maxMs, other.maxMs)
  }

  /** A frozen copy for the wire, the store or a percentile. */
  snapshot(): HistogramData {
    const buckets = [...this.#counts].sort((a, b) => a[0] - b[0])
    return { count: this.#count, sumMs: round(this.#sumMs), maxMs: round(this.#maxMs), buckets }
  }
}

/** Sum of histograms; the order does not matter. */
export function mergeHistograms(parts: Iterable<HistogramData>): HistogramData {
  const sum = new Histogram()
  for (const part of parts) sum.merge(part)
  return sum.snapshot()
}

/**
 * What `later` holds beyond `earlier`, both snapshots of one growing histogram. The maximum of the difference is not
 * known exactly: it is the upper bound of its highest bucket, capped by `later.maxMs`.
 */
export function subtractHistogram(later: HistogramData, earlier: HistogramData): HistogramData {
  if (earlier.count === 0) return later
  const before = new Map(earlier.buckets)
  const buckets: (readonly [number, number])[] = []
  for (const [index, count] of later.buckets) {
    const rest = count - (before.get(index) ?? 0)
    if (rest > 0) buckets.push([index, rest])
  }
  const top = buckets.at(-1)
  return {
    count: later.count - earlier.count,
    sumMs: round(later.sumMs - earlier.sumMs),
    maxMs: top === undefined ? 0 : round(Math.min(later.maxMs, bucketUpperMs(top[0]))),
    buckets,
  }
}

/**
 * The `q`-quantile (0 < q ≤ 1) in milliseconds by nearest rank: the geometric middle of its bucket, so within 2.2 % of
 * the exact value; the highest rank is the maximum itself. Null when nothing was counted.
 */
export function quantileMs(data: HistogramData, q: number): number | null {
  if (data.count === 0) return null
  const rank = Math.max(1, Math.ceil(q * data.count))
  if (rank >= data.count) return data.maxMs
  let seen = 0
  for (const [index, count] of data.buckets) {
    seen += count
    if (seen >= rank) return Math.min(bucketUpperMs(index - 0.5), data.maxMs)
  }
  return data.maxMs
}

/** Mean in milliseconds, null when nothing was counted. */
export function meanMs(data: HistogramData): number | null {
  return data.count === 0 ? null : data.sumMs / data.count
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
