import type { ShadowReport } from '../../protocol/change.ts'
import { Histogram } from '../../protocol/histogram.ts'
import type { Outcome } from '../inference/outcome.ts'

/** Disagreements that are told, the most frequent. */
const MOST_TOLD = 64
/** Kinds of disagreements that are counted each; of more, only their sum is known. */
const MOST_COUNTED = 4096

/** What a model made of a picture. A failure is the picture's fault or the model's. */
export type Answer =
  | { readonly ok: true; readonly pred: number; readonly runMs: number }
  | { readonly ok: false; readonly by: 'picture' | 'model' }

/** An outcome as far as it is compared. */
export function answerOf(outcome: Outcome): Answer {
  if (outcome.ok) return { ok: true, pred: outcome.pred, runMs: outcome.runMs }
  return { ok: false, by: outcome.code === 'MODEL_FAILED' ? 'model' : 'picture' }
}

/** What both models made of one picture. */
export interface Pair {
  readonly candidate: Answer
  readonly current: Answer
  /** Name of the class that it truly is, where that is known. */
  readonly label?: string | undefined
  /** How long the current one ran under the conditions of the candidate, where that is not in its answer. */
  readonly currentMs?: number | undefined
}

/** Names of the classes of both models, in the order of their outputs. */
export interface ClassNames {
  readonly candidate: readonly string[]
  readonly current: readonly string[]
}

/** Adds up what two models say about the same pictures, in counts and histograms that can be merged (decision 10). */
export class Comparison {
  readonly #classes: ClassNames
  readonly #candidateMs = new Histogram()
  readonly #currentMs = new Histogram()
  readonly #confusion = new Map<string, [current: number, candidate: number, count: number]>()
  #seen = 0
  #compared = 0
  #agreed = 0
  #errors = 0
  #labelled = { total: 0, currentRight: 0, candidateRight: 0 }

  constructor(classes: ClassNames) {
    this.#classes = classes
  }

  /** Pictures that at least one of both had a fair chance with. */
  get seen(): number {
    return this.#seen
  }

  add({ candidate, current, label, currentMs }: Pair): void {
    // What no model can read says nothing of either.
    if (isUnreadable(candidate) || isUnreadable(current)) return
    this.#seen += 1
    if (label !== undefined) {
      this.#labelled.total += 1
      if (this.#nameOf('current', current) === label) this.#labelled.currentRight += 1
      if (this.#nameOf('candidate', candidate) === label) this.#labelled.candidateRight += 1
    }
    if (!current.ok) return
    if (!candidate.ok) {
      this.#errors += 1
      return
    }
    this.#compared += 1
    this.#candidateMs.record(candidate.runMs)
    this.#currentMs.record(currentMs ?? current.runMs)
    if (this.#nameOf('candidate', candidate) === this.#nameOf('current', current)) this.#agreed += 1
    else this.#countConfusion(current.pred, candidate.pred)
  }

  /** What was added so far. */
  report(): Omit<ShadowReport, 'source' | 'wanted' | 'isDone' | 'dropped' | 'fault'> {
    return {
      compared: this.#compared,
      agreed: this.#agreed,
      errors: this.#errors,
      candidateMs: mutable(this.#candidateMs),
      currentMs: mutable(this.#currentMs),
      confusion: [...this.#confusion.values()]
        .sort((a, b) => b[2] - a[2])
        .slice(0, MOST_TOLD)
        .map(([current, candidate, count]) => [current, candidate, count]),
      ...(this.#labelled.total === 0 ? {} : { labelled: { ...this.#labelled } }),
    }
  }

  /** Models may number the same classes differently; one that has no name stands for its number. */
  #nameOf(side: keyof ClassNames, answer: Answer): string | null {
    return answer.ok ? (this.#classes[side][answer.pred] ?? `#${answer.pred}`) : null
  }

  #countConfusion(current: number, candidate: number): void {
    const key = `${current} ${candidate}`
    const counted = this.#confusion.get(key)
    if (counted !== undefined) counted[2] += 1
    else if (this.#confusion.size < MOST_COUNTED) this.#confusion.set(key, [current, candidate, 1])
  }
}

function isUnreadable(answer: Answer): boolean {
  return !answer.ok && answer.by === 'picture'
}

function mutable(histogram: Histogram): ShadowReport['candidateMs'] {
  const { buckets, ...rest } = histogram.snapshot()
  return { ...rest, buckets: buckets.map(([index, count]) => [index, count]) }
}
