import { LIVE_LIMITS } from './contract.ts'

/**
 * How many frames an answer may still send. One that was asked for without credits has no bound but the reader's own
 * speed; one with credits waits when they are spent, and holds no more than what it has read already.
 */
export class SendCredit {
  #left: number
  #ended = false
  #wake: (() => void) | null = null
  #onEnd: (() => void) | null = null

  /** @param credits frames that may be sent at once; undefined for no bound */
  constructor(credits: number | undefined) {
    this.#left = credits ?? Number.POSITIVE_INFINITY
  }

  /** Allow `n` more frames. */
  grant(n: number): void {
    this.#left = this.#left === Number.POSITIVE_INFINITY ? this.#left : Math.min(LIVE_LIMITS.credits, this.#left + n)
    this.#wake?.()
  }

  /** Nobody wants more: whoever waits is told so. */
  end(): void {
    this.#ended = true
    this.#wake?.()
    this.#onEnd?.()
  }

  /** Whether nobody wants more. */
  get isEnded(): boolean {
    return this.#ended
  }

  /** Call back when nobody wants more; one listener at a time. */
  onEnd(listener: () => void): void {
    this.#onEnd = listener
    if (this.#ended) listener()
  }

  /** Take the right to send one frame, waiting for it; false when nobody wants more. One caller at a time. */
  async take(): Promise<boolean> {
    while (!this.#ended && this.#left < 1) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#wake = null
    if (this.#ended) return false
    this.#left -= 1
    return true
  }
}
