import { LOG_LEVELS, type LogLevel } from '../../protocol/records.ts'
import type { CountedStep } from './contract.ts'

/** Counts log lines by step of time and level. Times are Unix ms. */
export class LogTally {
  readonly #fromMs: number
  readonly #stepMs: number
  readonly #lines = new Map<number, number[]>()

  constructor({ fromMs, stepMs }: { readonly fromMs: number; readonly stepMs: number }) {
    this.#fromMs = fromMs
    this.#stepMs = stepMs
  }

  /** Count a line of a time at or behind the begin. */
  add({ timestamp, level }: { readonly timestamp: number; readonly level: LogLevel }): void {
    const step = Math.floor((timestamp - this.#fromMs) / this.#stepMs)
    const rank = LOG_LEVELS.indexOf(level)
    if (rank < 0) return
    let lines = this.#lines.get(step)
    if (lines === undefined) {
      lines = LOG_LEVELS.map(() => 0)
      this.#lines.set(step, lines)
    }
    lines[rank] = (lines[rank] ?? 0) + 1
  }

  /** What was counted, oldest first. */
  steps(): CountedStep[] {
    return [...this.#lines]
      .sort(([a], [b]) => a - b)
      .map(([step, lines]) => ({ startMs: this.#fromMs + step * this.#stepMs, lines }))
  }
}
