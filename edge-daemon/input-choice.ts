import type { Verdict } from './upstream/filter.ts'

/** Which pictures are kept, as configured under `inputs`; sizes in bytes. */
export interface InputRules {
  readonly keepAbnormal: boolean
  /** Every how many normal results one picture is kept; 0 for none. */
  readonly sampleEvery: number
  /** Largest picture that is kept. */
  readonly maxBytes: number
  /** What may be kept each second over a longer time. */
  readonly bytesPerSec: number
}

/** Seconds of the rate that may come at once. */
const BURST_SEC = 60

/**
 * Chooses the pictures that are kept (requirement L4a): those of abnormal results, and every so many of the others. A
 * camera that sees nothing but what is abnormal must not wear out the disk, so there is a rate, with room for a burst.
 */
export class InputChoice {
  readonly #rules: InputRules
  readonly #nowMs: () => number
  #left: number
  #atMs: number
  #normal = 0

  /** @param nowMs a monotonic clock in milliseconds */
  constructor(rules: InputRules, nowMs: () => number = () => performance.now()) {
    this.#rules = rules
    this.#nowMs = nowMs
    this.#left = rules.bytesPerSec * BURST_SEC
    this.#atMs = nowMs()
  }

  /** Whether to keep the picture of this result. A picture that is chosen uses up rate, so ask once a result. */
  take(verdict: Verdict, sizeBytes: number): boolean {
    return this.#isWanted(verdict) && sizeBytes > 0 && sizeBytes <= this.#rules.maxBytes && this.#spend(sizeBytes)
  }

  #isWanted(verdict: Verdict): boolean {
    // What is over the rate of abnormal results is a flood of the same.
    if ('reason' in verdict) return verdict.class === 'abnormal' && this.#rules.keepAbnormal
    if (this.#rules.sampleEvery === 0) return false
    this.#normal = (this.#normal + 1) % this.#rules.sampleEvery
    return this.#normal === 0
  }

  #spend(sizeBytes: number): boolean {
    const { bytesPerSec } = this.#rules
    const nowMs = this.#nowMs()
    this.#left = Math.min(bytesPerSec * BURST_SEC, this.#left + ((nowMs - this.#atMs) / 1000) * bytesPerSec)
    this.#atMs = nowMs
    if (this.#left < sizeBytes) return false
    this.#left -= sizeBytes
    return true
  }
}
