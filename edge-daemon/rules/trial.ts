import type { ResultRecord } from '../../protocol/records.ts'
import { type ResultRules, RULE_ERROR } from './result-rules.ts'

/** A result that a rule held for. */
export type Example = Pick<ResultRecord, 'seq' | 'timestamp' | 'code' | 'pred' | 'confidence' | 'model' | 'total_ms'>

/** What a rule would have done. */
export interface RuleTrial {
  readonly rule: string
  /** Results that it holds for. */
  readonly matched: number
  /** Of those, the ones that no rule before it holds for: it is their reason. */
  readonly reason: number
  /** 0..1 of all results; 0 when there are none. */
  readonly share: number
  /** The newest ones, oldest first. */
  readonly examples: readonly Example[]
}

/** What rules would have done with stored results. */
export interface TrialReport {
  readonly results: number
  /** Timestamps of the first and last result, Unix ms; null when there are none. */
  readonly from: number | null
  readonly to: number | null
  /** Results that some rule holds for, and those that were abnormal when they were kept. */
  readonly abnormal: number
  readonly wasAbnormal: number
  readonly rules: readonly RuleTrial[]
}

const EXAMPLES = 3

/** Tries rules on results one by one, and counts. */
export class RuleTrials {
  readonly #rules: ResultRules
  readonly #counts: Map<string, { matched: number; reason: number; examples: Example[] }>
  #results = 0
  #abnormal = 0
  #wasAbnormal = 0
  #from: number | null = null
  #to: number | null = null

  constructor(rules: ResultRules, names: readonly string[]) {
    this.#rules = rules
    this.#counts = new Map([...names, RULE_ERROR].map((name) => [name, { matched: 0, reason: 0, examples: [] }]))
  }

  /** Try one result. */
  take(result: ResultRecord): void {
    const matched = this.#rules.matches(result)
    this.#results += 1
    if (matched.length > 0) this.#abnormal += 1
    if (result.reason !== undefined) this.#wasAbnormal += 1
    this.#from = Math.min(this.#from ?? result.timestamp, result.timestamp)
    this.#to = Math.max(this.#to ?? result.timestamp, result.timestamp)
    for (const [position, name] of matched.entries()) {
      const counts = this.#counts.get(name)
      if (counts === undefined) continue
      counts.matched += 1
      if (position === 0) counts.reason += 1
      counts.examples.push(exampleOf(result))
      if (counts.examples.length > EXAMPLES) counts.examples.shift()
    }
  }

  /** What was found so far. A rule that could not be asked is told under `rule_error`, when there was one. */
  report(): TrialReport {
    const share = (part: number): number => (this.#results === 0 ? 0 : part / this.#results)
    const rules = [...this.#counts]
      .filter(([rule, { matched }]) => rule !== RULE_ERROR || matched > 0)
      .map(([rule, counts]) => ({ rule, ...counts, share: share(counts.matched) }))
    return {
      results: this.#results,
      from: this.#from,
      to: this.#to,
      abnormal: this.#abnormal,
      wasAbnormal: this.#wasAbnormal,
      rules,
    }
  }
}

function exampleOf({ seq, timestamp, code, pred, confidence, model, total_ms }: ResultRecord): Example {
  return { seq, timestamp, code, pred, confidence, model, total_ms }
}
