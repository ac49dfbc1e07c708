/**
 * Ends a wait for the other side that has been silent too long. Time in which the operator thinks does not count:
 * {@link Silence.whileAsking}.
 */
export class Silence {
  readonly #limitMs: number
  readonly #onTooLong: () => void
  #timer: NodeJS.Timeout | null = null
  #asking = 0
  #isOver = false

  constructor(limitMs: number, onTooLong: () => void) {
    this.#limitMs = limitMs
    this.#onTooLong = onTooLong
    this.heard()
  }

  /** The other side said something: count anew. */
  heard(): void {
    this.#hold()
    if (this.#asking === 0 && !this.#isOver) this.#timer = setTimeout(this.#onTooLong, this.#limitMs)
  }

  /** Do something that waits for us and not for the other side. */
  async whileAsking<T>(work: () => Promise<T>): Promise<T> {
    this.#asking++
    this.#hold()
    try {
      return await work()
    } finally {
      this.#asking--
      this.heard()
    }
  }

  /** No longer wait, whatever is still heard or asked. */
  end(): void {
    this.#isOver = true
    this.#hold()
  }

  #hold(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
