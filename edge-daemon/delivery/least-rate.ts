/** Below which rate a source counts as one that gives nothing. */
export interface LeastRateBounds {
  /** Time of waiting for it that is judged as one, ms. */
  readonly windowMs: number
  /** That must come in it. */
  readonly leastBytes: number
}

/** 100 bytes a second over a minute, a twelfth of what a 9600 baud modem carries: less is no slow link but a server that drips. */
export const LEAST_RATE: LeastRateBounds = { windowMs: 60_000, leastBytes: 6_000 }

/**
 * Judges how much a source gives for the time that it is waited for. What whoever reads takes for itself, to keep below a
 * cap or to write, is not held against the source.
 */
export class LeastRate {
  readonly #bounds: LeastRateBounds
  #waitedMs = 0
  #bytes = 0

  constructor(bounds: LeastRateBounds = LEAST_RATE) {
    this.#bounds = bounds
  }

  /** So much came after such a wait. @returns what is wrong, with the figures, at the end of a window; null for nothing */
  came(bytes: number, waitedMs: number): string | null {
    this.#waitedMs += waitedMs
    this.#bytes += bytes
    const { windowMs, leastBytes } = this.#bounds
    if (this.#waitedMs < windowMs) return null
    const [cameBytes, sec] = [this.#bytes, this.#waitedMs / 1000]
    this.#waitedMs = 0
    this.#bytes = 0
    if (cameBytes >= leastBytes) return null
    const leastPerSec = leastBytes / (windowMs / 1000)
    return `only ${cameBytes} bytes came in ${sec.toFixed(1)} s, and at least ${leastPerSec.toFixed(0)} a second must`
  }
}
