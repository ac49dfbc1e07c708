/** Bounds of a {@link Backoff}, milliseconds. */
export interface BackoffOptions {
  readonly firstMs: number
  readonly maxMs: number
  /** After so long without a failure the next delay is the first one again. */
  readonly resetAfterMs: number
}

/** Delays that double from failure to failure, and start over after a healthy while. Holds no timer. */
export class Backoff {
  readonly #options: BackoffOptions
  #nextMs: number
  #failedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: BackoffOptions) {
    this.#options = options
    this.#nextMs = options.firstMs
  }

  /** How long to wait after a failure at `nowMs` (any clock that never goes back). */
  delayMs(nowMs: number): number {
    if (nowMs - this.#failedAtMs > this.#options.resetAfterMs) this.#nextMs = this.#options.firstMs
    this.#failedAtMs = nowMs
    const delayMs = this.#nextMs
    this.#nextMs = Math.min(this.#options.maxMs, delayMs * 2)
    return delayMs
  }
}
