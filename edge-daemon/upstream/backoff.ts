/** Bounds of the waits between tries. */
export interface BackoffBounds {
  readonly firstMs: number
  readonly maxMs: number
  /** A number from 0 to 1; tests give their own. */
  readonly random?: () => number
}

/** Waits that double from try to try up to a bound, each with up to half taken off, so that a fleet does not knock in step. */
export class Backoff {
  readonly #bounds: BackoffBounds
  #tries = 0

  constructor(bounds: BackoffBounds) {
    this.#bounds = bounds
  }

  /** Time until the next try, ms. */
  nextMs(): number {
    const { firstMs, maxMs, random = Math.random } = this.#bounds
    const fullMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.#tries, 30))
    this.#tries += 1
    return fullMs * (1 - random() / 2)
  }

  reset(): void {
    this.#tries = 0
  }
}
