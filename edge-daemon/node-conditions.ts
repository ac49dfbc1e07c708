import type { Condition, StoreStatus } from '../protocol/status.ts'
import type { RuleFault } from './rules/result-rules.ts'

/** Whatever the conditions of a node are read from. */
export interface ConditionSources {
  readonly host: { conditions(): readonly Condition[] }
  readonly store: { status(): Pick<StoreStatus, 'state' | 'error' | 'encryption'> }
  readonly service: { isReady(): boolean }
  readonly rules: { faults(): readonly RuleFault[] }
  readonly disk: { findings(): readonly Finding[] }
  /** Certificate, clock and controllers. */
  readonly standing: { findings(): readonly Finding[] }
  /** The logs that are followed. */
  readonly logs: { findings(): readonly Finding[] }
  /** Changes of models and configuration. */
  readonly changes: { findings(): readonly Finding[] }
}

type Finding = Omit<Condition, 'since'>

/** What is wrong with a node now, and since when: a condition keeps the time at which it was first found until it is gone. */
export class NodeConditions {
  readonly #sources: ConditionSources
  readonly #nowMs: () => number
  /** Unix ms by code. */
  #since: ReadonlyMap<string, number> = new Map()

  /** @param nowMs wall clock, Unix ms */
  constructor(sources: ConditionSources, nowMs: () => number = Date.now) {
    this.#sources = sources
    this.#nowMs = nowMs
  }

  /** Look now. Look also while nobody asks, so that a beginning is not dated to the first question. */
  look(): readonly Condition[] {
    const { host, store, service, rules, disk, standing, logs, changes } = this.#sources
    const now = this.#nowMs()
    const own = [
      ...findings(store.status(), service.isReady(), rules.faults()),
      ...disk.findings(),
      ...standing.findings(),
      ...logs.findings(),
      ...changes.findings(),
    ]
    const conditions = own.map((finding) => ({ ...finding, since: this.#since.get(finding.code) ?? now }))
    this.#since = new Map(conditions.map(({ code, since }) => [code, since]))
    return [...host.conditions(), ...conditions]
  }
}

function findings(
  store: Pick<StoreStatus, 'state' | 'error' | 'encryption'>,
  isReady: boolean,
  faults: readonly RuleFault[],
): Finding[] {
  const found: Finding[] = []
  if (store.state === 'failing') {
    const msg = `the disk refuses results, they are served and not kept: ${store.error ?? 'no reason given'}`
    found.push({ code: 'store_failing', severity: 'critical', msg })
  }
  const { missingKeys = 0 } = store.encryption ?? {}
  if (missingKeys > 0) {
    const msg = `no key for ${missingKeys} sealed blocks, which wait; put it back into the key file`
    found.push({ code: 'store_keys_missing', severity: 'warning', msg })
  }
  if (!isReady) found.push({ code: 'model_not_ready', severity: 'critical', msg: 'no process of the model is ready' })
  const [fault, ...others] = faults
  if (fault !== undefined) {
    const { rule, count, msg } = fault
    const also = others.length === 0 ? '' : `, and ${others.length} more rules`
    const what = `rule ${rule} could not be asked of ${count} results since the start (${msg})${also}`
    found.push({ code: 'rule_failing', severity: 'warning', msg: `${what}; correct filter.abnormal` })
  }
  return found
}
