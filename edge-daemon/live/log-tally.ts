import { type ClientFrame, type DaemonFrame, type FrameOf, MAX_TALLY_STEPS } from '../../protocol/frames.ts'
import { LOG_LEVELS } from '../../protocol/records.ts'

/** Counts log lines by step of time and level. */
export class LogTally {
  readonly #fromMs: number
  readonly #stepMs: number
  readonly #lines = new Map<number, number[]>()

  constructor({ fromMs, stepMs }: Pick<FrameOf<ClientFrame, 'tally'>, 'fromMs' | 'stepMs'>) {
    this.#fromMs = fromMs
    this.#stepMs = stepMs
  }

  /** Count a line of a time in the range. */
  add(timestamp: number, level: unknown): void {
    const step = Math.floor((timestamp - this.#fromMs) / this.#stepMs)
    const rank = (LOG_LEVELS as readonly unknown[]).indexOf(level)
    if (rank < 0) return
    let lines = this.#lines.get(step)
    if (lines === undefined) {
      lines = LOG_LEVELS.map(() => 0)
      this.#lines.set(step, lines)
    }
    lines[rank] = (lines[rank] ?? 0) + 1
  }

  /** What was counted, oldest first. */
  steps(): FrameOf<DaemonFrame, 'tallied'>['steps'] {
    return [...this.#lines]
      .sort(([a], [b]) => a - b)
      .map(([step, lines]) => ({ startMs: this.#fromMs + step * this.#stepMs, lines }))
  }
}

/** Whether a range has more steps than an answer may. */
export function hasTooManySteps({
  fromMs,
  toMs,
  stepMs,
}: Pick<FrameOf<ClientFrame, 'tally'>, 'fromMs' | 'toMs' | 'stepMs'>): boolean {
  return (toMs - fromMs) / stepMs >= MAX_TALLY_STEPS
}
