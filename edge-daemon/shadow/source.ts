import type { Answer } from './comparison.ts'

/** A picture that both models are to see. */
export interface Sample {
  readonly picture: Uint8Array
  /** What the model that serves answered the device. */
  readonly served?: Answer
  /** Name of the class that it truly is. */
  readonly label?: string
}

/** Where a shadow's pictures come from, one at a time. */
export interface SampleSource {
  /** The next one; null when there are no more, or after {@link close}. */
  next(): Promise<Sample | null>
  /** Samples that were not taken, as too many waited. */
  readonly dropped: number
  /** Take no more; who waits in {@link next} gets null. */
  close(): void
}
