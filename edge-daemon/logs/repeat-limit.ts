/** Lines of one event and level that are let through in one second; more are folded into a count. */
const PER_SEC = 10
const WINDOW_MS = 1000
/** Events that are watched at the same time; more than that share one allowance. */
const WATCHED = 256
const OVERFLOW_KEY = '…'

/** What was held back of one event. */
export interface Folded {
  readonly key: string
  readonly count: number
}

/** Lets at most ten lines a second of each event through and counts the rest. Times are monotonic ms. */
export class RepeatLimit {
  readonly #windows = new Map<string, { startMs: number; passed: number; held: number }>()

  /** Whether a line of this event may pass now. */
  admit(event: string, nowMs: number): boolean {
    const key = this.#windows.has(event) || this.#windows.size < WATCHED ? event : OVERFLOW_KEY
    const window = this.#windows.get(key)
    if (window === undefined) {
      this.#windows.set(key, { startMs: nowMs, passed: 1, held: 0 })
      return true
    }
    if (window.passed < PER_SEC) {
      window.passed += 1
      return true
    }
    window.held += 1
    return false
  }

  /** End the windows that are over and say what they held back. Call it now and then, and before a line is admitted. */
  expire(nowMs: number): Folded[] {
    const folded: Folded[] = []
    for (const [key, window] of this.#windows) {
      if (nowMs - window.startMs < WINDOW_MS) continue
      this.#windows.delete(key)
      if (window.held > 0) folded.push({ key, count: window.held })
    }
    return folded
  }
}
