import type { SampleRecord } from '../protocol/status.ts'
import { latencyOver } from './health/stage-window.ts'

/** A kept sample before the store gives it its sequence, at the end of its window (Unix ms). */
export type Sample = Omit<SampleRecord, 'seq' | 'node_id'>

/** Length of a minute window. */
export const MINUTE_MS = 60_000

/** End of the minute of the wall clock that a window ending at `timestamp` belongs to. */
export function minuteEndOf(timestamp: number): number {
  return Math.ceil(timestamp / MINUTE_MS) * MINUTE_MS
}

/**
 * The samples of one minute being summed up. Counters are those of the last sample, histograms those of all, and
 * `window_ms` is the time that was seen of the minute.
 */
export class MinuteWindow {
  readonly #endMs: number
  readonly #samples: Sample[] = []

  constructor(first: Sample) {
    this.#endMs = minuteEndOf(first.timestamp)
    this.#samples.push(first)
  }

  /** Take a sample; false when it belongs to another minute. */
  add(sample: Sample): boolean {
    if (minuteEndOf(sample.timestamp) !== this.#endMs) return false
    this.#samples.push(sample)
    return true
  }

  /** Whether the minute has passed. */
  isOver(nowMs: number): boolean {
    return nowMs >= this.#endMs
  }

  /** The minute as one sample, dated to its end. */
  sum(): Sample {
    const last = this.#samples.at(-1) as Sample
    const windowMs = this.#samples.reduce((sum, { window_ms }) => sum + window_ms, 0)
    const latency = latencyOver(this.#samples.map(({ status }) => status.inference.latency))
    const inference = { ...last.status.inference, windowMs, latency }
    return { ...last, timestamp: this.#endMs, window_ms: windowMs, status: { ...last.status, inference } }
  }
}
