import type { ResultRecord } from '../../protocol/records.ts'
import type { Variables } from './expression.ts'
import { compileRules, type Rule, type RuleSpec } from './rule.ts'

/** What a rule over results may look at: the fields of the record, and `filter.minConfidence`. */
export const RESULT_VARIABLES: Variables = {
  result: {
    code: 'int',
    pred: 'int',
    confidence: 'double',
    model: 'string',
    total_ms: 'double',
    bytes: 'int',
    msg: 'string',
  },
  minConfidence: 'double',
}

/** Reason of a result that some rule could not be asked about and no other one found. */
export const RULE_ERROR = 'rule_error'

/** What is abnormal when nobody says otherwise: what failed, what was no picture, and what the model is not sure of. */
export const ABNORMAL_RESULTS: readonly RuleSpec[] = [
  { name: 'failed', when: 'result.code >= 500', forMs: 0 },
  { name: 'undecodable', when: 'result.code != 200', forMs: 0 },
  // A model that gives no confidence cannot be told unsure.
  { name: 'low_confidence', when: 'has(result.confidence) && result.confidence < minConfidence', forMs: 0 },
]

/** What rules look at of a result. */
export type JudgedResult = Pick<ResultRecord, 'code'> &
  Partial<Pick<ResultRecord, 'pred' | 'confidence' | 'model' | 'total_ms' | 'bytes' | 'msg'>>

/** How often a rule could not be asked, and why the last time. */
export interface RuleFault {
  readonly rule: string
  readonly count: number
  readonly msg: string
}

/** The rules over results, compiled once: says by which one a result is abnormal. */
export class ResultRules {
  readonly #rules: readonly Rule[]
  readonly #minConfidence: number
  readonly #faults = new Map<string, RuleFault>()

  constructor(specs: readonly RuleSpec[], minConfidence: number) {
    this.#rules = compileRules(specs, RESULT_VARIABLES)
    this.#minConfidence = minConfidence
  }

  /**
   * Name of the first rule that holds, null when none does. A rule that cannot be asked of this result never hides it: the
   * others are asked, and when none holds it is abnormal as {@link RULE_ERROR}.
   */
  judge(result: JudgedResult): string | null {
    const values = this.#valuesOf(result)
    let isDoubtful = false
    for (const { name, expression } of this.#rules) {
      const verdict = expression.evaluate(values)
      if (!verdict.known) {
        isDoubtful = true
        this.#faults.set(name, { rule: name, count: (this.#faults.get(name)?.count ?? 0) + 1, msg: verdict.msg })
      } else if (verdict.holds) {
        return name
      }
    }
    return isDoubtful ? RULE_ERROR : null
  }

  /** Names of all rules that hold, for trying them out. */
  matches(result: JudgedResult): string[] {
    const values = this.#valuesOf(result)
    const verdicts = this.#rules.map(({ name, expression }) => ({ name, verdict: expression.evaluate(values) }))
    const found = verdicts.flatMap(({ name, verdict }) => (verdict.known && verdict.holds ? [name] : []))
    return found.length === 0 && verdicts.some(({ verdict }) => !verdict.known) ? [RULE_ERROR] : found
  }

  /** Rules that could not be asked, since the start. */
  faults(): readonly RuleFault[] {
    return [...this.#faults.values()]
  }

  #valuesOf(result: JudgedResult): { readonly result: object; readonly minConfidence: number } {
    return { result: fieldsOf(result), minConfidence: this.#minConfidence }
  }
}

/** A field without a value is left out. */
function fieldsOf({ code, pred, confidence, model, total_ms, bytes, msg }: JudgedResult): object {
  const fields: Record<string, unknown> = { code: BigInt(code) }
  if (pred != null) fields.pred = BigInt(pred)
  if (confidence != null) fields.confidence = confidence
  if (model != null) fields.model = model
  if (total_ms !== undefined) fields.total_ms = total_ms
  if (bytes !== undefined) fields.bytes = BigInt(bytes)
  if (msg !== undefined) fields.msg = msg
  return fields
}
