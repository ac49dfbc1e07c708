import type { CastEvent } from './asciicast.ts'

/** How a recording is played. */
export interface PlayOptions {
  /** So many times as fast as it was. */
  readonly speed: number
  /** Longest time without output that is waited, ms of the recording; null for all of it. */
  readonly idleLimitMs: number | null
  /** Take what the program wrote; may ask to wait. */
  readonly draw: (data: string) => void | Promise<void>
  /** Hear of sizes, remarks and the end. */
  readonly told: (event: CastEvent) => void
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

/** A timer takes no more than some weeks, and fires at once for more. */
const MOST_SLEEP_MS = 3_600_000

/** Plays the events of a recording in their times; it can be held, stepped through, and stopped. */
export class Player {
  readonly #options: PlayOptions
  readonly #ending = new AbortController()
  #waking = new AbortController()
  #isHeld = false
  #steps = 0

  constructor(options: PlayOptions) {
    this.#options = options
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  /** Hold, or go on. */
  toggle(): void {
    this.#isHeld = !this.#isHeld
    this.#wake()
  }

  /** Hold, and show the next output. */
  step(): void {
    this.#isHeld = true
    this.#steps += 1
    this.#wake()
  }

  stop(): void {
    this.#ending.abort()
    this.#wake()
  }

  /** Play to the end, or until it is stopped; resolves with whether it came to its end. */
  async play(events: AsyncIterable<CastEvent>): Promise<boolean> {
    const { speed, idleLimitMs, draw, told, sleep } = this.#options
    const ending = this.#ending.signal
    let lastMs = 0
    for await (const event of events) {
      const idleMs = event.atMs - lastMs
      lastMs = event.atMs
      let leftMs = Math.min(idleMs, idleLimitMs ?? idleMs) / speed
      while (!ending.aborted && (this.#isHeld ? !this.#takeStep(event) : leftMs > 0)) {
        const begin = performance.now()
        const waking = this.#waking.signal
        const sleptMs = this.#isHeld ? MOST_SLEEP_MS : Math.min(leftMs, MOST_SLEEP_MS)
        await sleep(sleptMs, waking)
        if (!this.#isHeld) leftMs -= waking.aborted ? performance.now() - begin : sleptMs
      }
      if (ending.aborted) return false
      if (event.code === 'o') await draw(event.data)
      else told(event)
    }
    return true
  }

  /** While it is held only a step goes on, to the next output. */
  #takeStep(event: CastEvent): boolean {
    if (this.#steps === 0) return false
    if (event.code === 'o') this.#steps -= 1
    return true
  }

  #wake(): void {
    this.#waking.abort()
    this.#waking = new AbortController()
  }
}
