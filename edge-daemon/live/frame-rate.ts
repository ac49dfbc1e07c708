/**
 * How often a peer may send, as a bucket that holds one second's worth and refills steadily. The time comes from a
 * monotonic clock in ms.
 */
export class FrameRate {
  readonly #perSec: number
  #left: number
  #atMs: number

  constructor(perSec: number, nowMs: number) {
    this.#perSec = perSec
    this.#left = perSec
    this.#atMs = nowMs
  }

  /** Take one frame's worth; false when the peer is over its rate. */
  take(nowMs: number): boolean {
    this.#left = Math.min(this.#perSec, this.#left + ((nowMs - this.#atMs) / 1000) * this.#perSec)
    this.#atMs = nowMs
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
