/** Runs `fn` once after `delayMs`; returns how to cancel. Injected, so that tests own time. */
export type Schedule = (fn: () => void, delayMs: number) => () => void

/** How often listeners are told. */
export interface Cadence {
  /** Least time between two calls, ms. */
  readonly minGapMs: number
  /** Longest time without a call while somebody listens, ms: ages count up without any frame. */
  readonly maxGapMs: number
}

/**
 * Tells listeners that something changed, at most every `minGapMs` however many frames come, and at least every
 * `maxGapMs`. Nothing runs while nobody listens.
 */
export class Coalescer {
  readonly #schedule: Schedule
  readonly #cadence: Cadence
  readonly #listeners = new Set<() => void>()
  #cancel: (() => void) | null = null
  #changed = false
  #waitsForChange = false

  constructor(schedule: Schedule, cadence: Cadence) {
    this.#schedule = schedule
    this.#cadence = cadence
  }

  /** Call `listener` on changes; returns how to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    if (this.#cancel === null) this.#rest()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      this.#cancel?.()
      this.#cancel = null
    }
  }

  /** Something changed. */
  touch(): void {
    this.#changed = true
    if (!this.#waitsForChange || this.#listeners.size === 0) return
    this.#cancel?.()
    this.#tell()
  }

  #tell(): void {
    this.#changed = false
    this.#rest()
    for (const listener of [...this.#listeners]) listener()
  }

  /** The pause after a call: changes gather; without any, the next call comes after `maxGapMs`. */
  #rest(): void {
    this.#waitsForChange = false
    this.#cancel = this.#schedule(() => {
      if (this.#changed) return this.#tell()
      this.#waitsForChange = true
      this.#cancel = this.#schedule(() => this.#tell(), this.#cadence.maxGapMs - this.#cadence.minGapMs)
    }, this.#cadence.minGapMs)
  }
}
