import type { MetricRecord } from '../../protocol/records.ts'
import type { Variables } from './expression.ts'
import { compileRules, type Rule, type RuleSpec } from './rule.ts'

/**
 * What a rule over metrics may look at. All are numbers with a point, over the last seconds; what is not known now is
 * missing, and a rule that needs it says nothing for that time.
 */
export const METRIC_VARIABLES = {
  host: {
    cpuPct: 'double',
    cores: 'double',
    load1: 'double',
    memPct: 'double',
    memUsedBytes: 'double',
    diskPct: 'double',
    diskFreeBytes: 'double',
    netRxBytesPerSec: 'double',
    netTxBytesPerSec: 'double',
    tempC: 'double',
  },
  inference: {
    ratePerSec: 'double',
    failedPct: 'double',
    abnormalPct: 'double',
    queued: 'double',
    inFlight: 'double',
    p50Ms: 'double',
    p99Ms: 'double',
    childRestarts: 'double',
    notStored: 'double',
  },
  store: { failing: 'bool', usedPct: 'double', bytes: 'double', evictedRecords: 'double', corruptBlocks: 'double' },
  uplink: {
    targetsDown: 'double',
    backlogRecords: 'double',
    backlogBytes: 'double',
    oldestSec: 'double',
    rttMs: 'double',
  },
} as const satisfies Variables

/** Values of the variables at one moment; what is not known is left out. */
export type Metrics = {
  readonly [V in keyof typeof METRIC_VARIABLES]: {
    readonly [F in keyof (typeof METRIC_VARIABLES)[V]]?: (typeof METRIC_VARIABLES)[V][F] extends 'bool'
      ? boolean
      : number
  }
}

/** What goes up when nobody says otherwise. */
export const ABNORMAL_METRICS: readonly RuleSpec[] = [
  { name: 'cpu_hot', when: 'host.cpuPct > 90.0', forMs: 30_000 },
  { name: 'memory_short', when: 'host.memPct > 90.0', forMs: 30_000 },
  { name: 'disk_filling', when: 'host.diskPct > 85.0', forMs: 60_000 },
  { name: 'too_hot', when: 'host.tempC > 85.0', forMs: 30_000 },
  { name: 'slow_answers', when: 'inference.p99Ms > 100.0', forMs: 15_000 },
  { name: 'failing_answers', when: 'inference.failedPct > 5.0', forMs: 15_000 },
  { name: 'backlog_old', when: 'uplink.oldestSec > 600.0', forMs: 30_000 },
]

/** A metric record before the store gives it its sequence and the node its name. */
export type MetricBody = Omit<MetricRecord, 'seq' | 'node_id'>

/** A metric that was told as abnormal and not yet as normal again. */
export type OpenMetric = Pick<MetricRecord, 'rule' | 'expr' | 'from'>

interface RuleState {
  /** What it last said, null before it said anything. */
  holds: boolean | null
  /** For how long it has said so, in looks that knew. */
  heldMs: number
  /** Unix ms at which it began to hold. */
  since: number
  /** Told as abnormal, and when last. */
  told: { readonly from: number; atMs: number } | null
}

/**
 * The rules over a node's metrics as a state machine without I/O: an abnormal metric is told when it has lasted its `for`,
 * again every `repeatMs` while it goes on, and once more when it has been gone as long. Looks that know nothing count for
 * neither.
 */
export class MetricRules {
  readonly #rules: readonly Rule[]
  readonly #repeatMs: number
  readonly #states = new Map<string, RuleState>()
  /** Told as abnormal by rules that are no more: the next look tells their end. */
  #orphans: OpenMetric[] = []
  #lastMs: number | null = null

  constructor(specs: readonly RuleSpec[], repeatMs: number) {
    this.#rules = compileRules(specs, METRIC_VARIABLES)
    this.#repeatMs = repeatMs
  }

  /** Go on from what was told as abnormal before a restart: it is not told as begun again, and its end is told. */
  resume(open: readonly OpenMetric[]): void {
    this.#orphans = open.filter(({ rule }) => !this.#rules.some(({ name }) => name === rule))
    for (const { rule, from } of open) {
      this.#states.set(rule, { holds: true, heldMs: 0, since: from, told: { from, atMs: Number.NEGATIVE_INFINITY } })
    }
  }

  /** What was told as abnormal and not yet as normal again, for rules that go on from here. */
  open(): OpenMetric[] {
    const found = this.#rules.flatMap(({ name, when }) => {
      const told = this.#states.get(name)?.told ?? null
      return told === null ? [] : [{ rule: name, expr: when, from: told.from }]
    })
    return [...this.#orphans, ...found]
  }

  /** Look once, at `timestamp` (Unix ms). `nowMs` is monotonic. What is returned is to be told, in this order. */
  look(metrics: Metrics, timestamp: number, nowMs: number): MetricBody[] {
    const elapsedMs = this.#lastMs === null ? 0 : Math.max(0, nowMs - this.#lastMs)
    this.#lastMs = nowMs
    const told: MetricBody[] = this.#orphans.map(({ rule, expr, from }) => {
      return { timestamp, rule, state: 'normal', expr, values: {}, from: Math.min(from, timestamp), to: timestamp }
    })
    this.#orphans = []
    for (const rule of this.#rules) {
      const verdict = rule.expression.evaluate(metrics)
      if (!verdict.known) continue
      const state = this.#stateOf(rule.name)
      if (state.holds === verdict.holds) state.heldMs += elapsedMs
      else {
        state.heldMs = 0
        if (verdict.holds && state.told === null) state.since = timestamp
      }
      state.holds = verdict.holds
      if (state.heldMs < rule.forMs) continue
      if (verdict.holds && (state.told === null || nowMs - state.told.atMs >= this.#repeatMs)) {
        state.told = { from: state.told?.from ?? state.since, atMs: nowMs }
        told.push(bodyOf(rule, metrics, { state: 'abnormal', from: state.told.from, to: timestamp }))
      } else if (!verdict.holds && state.told !== null) {
        told.push(bodyOf(rule, metrics, { state: 'normal', from: state.told.from, to: timestamp }))
        state.told = null
      }
    }
    return told
  }

  #stateOf(name: string): RuleState {
    let state = this.#states.get(name)
    if (state === undefined) {
      state = { holds: null, heldMs: 0, since: 0, told: null }
      this.#states.set(name, state)
    }
    return state
  }
}

function bodyOf(rule: Rule, metrics: Metrics, what: Pick<MetricBody, 'state' | 'from' | 'to'>): MetricBody {
  const { name, when, expression } = rule
  const values = Object.fromEntries(expression.paths.map((path) => [path, valueAt(metrics, path)]))
  return { timestamp: what.to, rule: name, expr: when, values, ...what, from: Math.min(what.from, what.to) }
}

function valueAt(metrics: Metrics, path: string): number | boolean | null {
  const [variable = '', field = ''] = path.split('.')
  const fields: Readonly<Record<string, number | boolean>> = metrics[variable as keyof Metrics] ?? {}
  return fields[field] ?? null
}
