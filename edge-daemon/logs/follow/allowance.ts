/** So many bytes a second, of which a second's worth may be taken at once. Times are monotonic ms. */
export class Allowance {
  readonly #bytesPerSec: number
  #bytes: number
  #atMs: number

  constructor(bytesPerSec: number, nowMs: number) {
    this.#bytesPerSec = bytesPerSec
    this.#bytes = bytesPerSec
    this.#atMs = nowMs
  }

  /** Bytes that may be taken now. */
  left(nowMs: number): number {
    const passedMs = Math.max(0, nowMs - this.#atMs)
    this.#atMs = nowMs
    this.#bytes = Math.min(this.#bytesPerSec, this.#bytes + (this.#bytesPerSec * passedMs) / 1000)
    return this.#bytes
  }

  take(bytes: number): void {
    this.#bytes -= bytes
  }
}
