import { labelOf, type Outcome } from '../inference/outcome.ts'
import type { ServedModel } from '../models/models.ts'
import type { AnswerTap } from './answer-tap.ts'
import { answerOf } from './comparison.ts'
import type { Sample, SampleSource } from './source.ts'

/** What waits at most; more are dropped and counted, so that a slow candidate costs no memory. */
const MOST_WAITING = 8
const MOST_WAITING_BYTES = 16e6

/** What a {@link LiveSource} is made of. */
export interface LiveSourceOptions {
  readonly tap: AnswerTap
  /** The model whose answers are compared; those of any other are passed over. */
  readonly serving: ServedModel
  /** Share of the answers that are looked at, percent. */
  readonly samplePct: number
  /** 0 ≤ n < 1. */
  readonly random?: () => number
}

/** Samples what devices are answered. */
export class LiveSource implements SampleSource {
  readonly #label: string
  readonly #share: number
  readonly #random: () => number
  readonly #deafen: () => void
  readonly #waiting: Sample[] = []
  #waitingBytes = 0
  #dropped = 0
  #wake: ((sample: Sample | null) => void) | null = null
  #isClosed = false

  constructor({ tap, serving, samplePct, random = Math.random }: LiveSourceOptions) {
    this.#label = labelOf(serving)
    this.#share = samplePct / 100
    this.#random = random
    this.#deafen = tap.listen((picture, outcome) => this.#hear(picture, outcome))
  }

  get dropped(): number {
    return this.#dropped
  }

  next(): Promise<Sample | null> {
    if (this.#isClosed) return Promise.resolve(null)
    const sample = this.#waiting.shift()
    if (sample !== undefined) {
      this.#waitingBytes -= sample.picture.length
      return Promise.resolve(sample)
    }
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  close(): void {
    this.#isClosed = true
    this.#deafen()
    this.#waiting.length = 0
    this.#wake?.(null)
    this.#wake = null
  }

  #hear(picture: Uint8Array, outcome: Outcome): void {
    if (outcome.model !== this.#label || this.#random() >= this.#share) return
    const wake = this.#wake
    const isFull = this.#waiting.length >= MOST_WAITING || this.#waitingBytes + picture.length > MOST_WAITING_BYTES
    if (wake === null && isFull) {
      this.#dropped += 1
      return
    }
    // A copy, since the rest of a body would be held with its picture.
    const sample = { picture: Uint8Array.from(picture), served: answerOf(outcome) }
    if (wake === null) {
      this.#waiting.push(sample)
      this.#waitingBytes += picture.length
    } else {
      this.#wake = null
      wake(sample)
    }
  }
}
