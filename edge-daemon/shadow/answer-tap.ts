import type { Outcome } from '../inference/outcome.ts'

/** Hears of an answer that is on its way; must be quick. The picture's bytes are only valid during the call. */
export type AnswerListener = (picture: Uint8Array, outcome: Outcome) => void

/** Where the answers that devices get can be seen, after they were sent. Costs nothing while nobody listens. */
export class AnswerTap {
  #listeners: readonly AnswerListener[] = []

  /** An answer is on its way. */
  tap(picture: Uint8Array, outcome: Outcome): void {
    for (const listener of this.#listeners) listener(picture, outcome)
  }

  /** Hear of the answers from now on; returns the end of it. */
  listen(listener: AnswerListener): () => void {
    this.#listeners = [...this.#listeners, listener]
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener)
    }
  }
}
