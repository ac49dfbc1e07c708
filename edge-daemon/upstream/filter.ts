import type { ResultRecord } from '../../protocol/records.ts'

/** Thresholds of the filter, as configured under `filter`. */
export interface FilterRules {
  /** A result less confident than this (0..1) is abnormal. */
  readonly minConfidence: number
  /** Abnormal results that go up in any second; more are counted in a statistic. */
  readonly abnormalPerSec: number
}

/** What the filter looks at. */
export type FilteredResult = Pick<ResultRecord, 'code' | 'confidence'>

/** Where a result goes, and what its record says about why. */
export type Verdict =
  | { readonly class: 'normal' }
  | { readonly class: 'abnormal'; readonly reason: AbnormalReason }
  | { readonly class: 'normal'; readonly reason: AbnormalReason; readonly over_rate: true }

/** Why a result is abnormal. */
export type AbnormalReason = NonNullable<ResultRecord['reason']>

const WINDOW_MS = 1000

/**
 * Decides which results go up at once (requirement F1). Abnormal is what failed (5xx), what could not be decoded (any
 * other code but 200) and what the model is not sure of. Past the rate an abnormal result stays on the node, marked
 * `over_rate`, and goes up as a count.
 */
export class ResultFilter {
  readonly #rules: FilterRules
  readonly #nowMs: () => number
  /** When the last `abnormalPerSec` were let through, a ring: the oldest is the one that must be a second ago. */
  readonly #admittedAt: Float64Array
  #next = 0

  /** @param nowMs a monotonic clock in milliseconds */
  constructor(rules: FilterRules, nowMs: () => number = () => performance.now()) {
    this.#rules = rules
    this.#nowMs = nowMs
    this.#admittedAt = new Float64Array(Math.floor(rules.abnormalPerSec)).fill(Number.NEGATIVE_INFINITY)
  }

  /** Say where one result goes. An abnormal verdict uses up rate, so ask once a result. */
  classify(result: FilteredResult): Verdict {
    const reason = this.#reasonOf(result)
    if (reason === null) return { class: 'normal' }
    return this.#admit() ? { class: 'abnormal', reason } : { class: 'normal', reason, over_rate: true }
  }

  #reasonOf(result: FilteredResult): AbnormalReason | null {
    if (result.code >= 500) return 'failed'
    if (result.code !== 200) return 'undecodable'
    // A model that gives no confidence cannot be told unsure.
    if (result.confidence !== null && result.confidence < this.#rules.minConfidence) return 'low_confidence'
    return null
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
