/** What the filter is made of; the rate is as configured under `filter`. */
export interface FilterOptions<R> {
  /** Why a result is abnormal; null when it is not. Asked once a result. */
  readonly judge: (result: R) => string | null
  /** Abnormal results that go up in any second; more are counted in a statistic. */
  readonly abnormalPerSec: number
}

/** Where a result goes, and what its record says about why. */
export type Verdict =
  | { readonly class: 'normal' }
  | { readonly class: 'abnormal'; readonly reason: string }
  | { readonly class: 'normal'; readonly reason: string; readonly over_rate: true }

const WINDOW_MS = 1000

/**
 * Decides which results go up at once (requirement F1): those that the rules call abnormal. Past the rate an abnormal
 * result stays on the node, marked `over_rate`, and goes up as a count.
 */
export class ResultFilter<R> {
  readonly #judge: FilterOptions<R>['judge']
  readonly #nowMs: () => number
  /** When the last `abnormalPerSec` were let through, a ring: the oldest is the one that must be a second ago. */
  readonly #admittedAt: Float64Array
  #next = 0

  /** @param nowMs a monotonic clock in milliseconds */
  constructor({ judge, abnormalPerSec }: FilterOptions<R>, nowMs: () => number = () => performance.now()) {
    this.#judge = judge
    this.#nowMs = nowMs
    this.#admittedAt = new Float64Array(Math.floor(abnormalPerSec)).fill(Number.NEGATIVE_INFINITY)
  }

  /** Say where one result goes. An abnormal verdict uses up rate, so ask once a result. */
  classify(result: R): Verdict {
    const reason = this.#judge(result)
    if (reason === null) return { class: 'normal' }
    return this.#admit() ? { class: 'abnormal', reason } : { class: 'normal', reason, over_rate: true }
  }

  #admit(): boolean {
    const oldest = this.#admittedAt[this.#next]
    if (oldest === undefined) return false
    const now = this.#nowMs()
    if (now - oldest < WINDOW_MS) return false
    this.#admittedAt[this.#next] = now
    this.#next = (this.#next + 1) % this.#admittedAt.length
    return true
  }
}
