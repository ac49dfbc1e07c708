import type { Schedule } from '../../src/fleet/coalescer.ts'

/** A clock that a test turns. */
export class ManualSchedule {
  nowMs = 0
  #due: { readonly atMs: number; readonly fn: () => void }[] = []

  readonly schedule: Schedule = (fn, delayMs) => {
    const entry = { atMs: this.nowMs + delayMs, fn }
    this.#due.push(entry)
    return () => {
      this.#due = this.#due.filter((other) => other !== entry)
    }
  }

  /** How many calls wait. */
  get waiting(): number {
    return this.#due.length
  }

  /** Let time pass and run what falls due, in order. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const next = this.#due.filter((entry) => entry.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#due = this.#due.filter((entry) => entry !== next)
      this.nowMs = next.atMs
      next.fn()
    }
    this.nowMs = untilMs
  }
}
