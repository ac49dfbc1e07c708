import { type HistogramData, quantileMs } from '../../protocol/histogram.ts'
import type { AlertRecord, Severity } from '../../protocol/records.ts'
import type { ActiveAlert } from '../../protocol/status.ts'

/** The rules there are, in the order they are shown. */
export const ALERT_RULES = [
  'store_failing',
  'certificate_ending',
  'disk_full',
  'uplink_down',
  'latency_high',
  'cpu_high',
] as const
/** @see ALERT_RULES */
export type AlertRule = (typeof ALERT_RULES)[number]

/** Where the rules draw their lines; from `config.alerts`. */
export interface AlertThresholds {
  readonly cpuPct: number
  readonly latencyMs: number
  readonly diskPct: number
  /** How long a fault must last before it is an alert. */
  readonly afterMs: number
  /** How long it must be gone before the alert is resolved. */
  readonly clearAfterMs: number
}

/** What the rules look at. Null and empty mean unknown, which neither fires nor resolves anything. */
export interface AlertInputs {
  /** Unix ms, for the records; durations are taken from the monotonic clock. */
  readonly at: number
  readonly cpuPct: number | null
  /** Total latency of the last window (some seconds), not since the start. */
  readonly latency: HistogramData
  readonly diskUsedBytes: number | null
  readonly diskTotalBytes: number | null
  readonly uplinks: readonly { readonly name: string; readonly state: 'connecting' | 'up' | 'down' }[]
  readonly store: { readonly state: 'ok' | 'failing'; readonly error: string | null }
  /** Why the node's certificate will end, or has, e.g. `the certificate ends in 6 d, …`; null when it will not or there is none. */
  readonly certificate: string | null
}

/** An alert record before the store gave it a sequence and the node its name. */
export type AlertBody = Omit<AlertRecord, 'seq' | 'node_id'>

/** What an evaluation changed, and what fires now. */
export interface AlertVerdict {
  readonly fired: readonly AlertBody[]
  readonly resolved: readonly AlertBody[]
  readonly active: readonly ActiveAlert[]
}

/** Fewer samples than this in the window say nothing about a 99th percentile. */
export const MIN_LATENCY_SAMPLES = 20
/** A firing alert begins to clear only this far below its threshold, so that a value on the line does not flap. */
const BAND = 0.05

/** What one rule sees now: `bad` null is unknown. `describe` words it. */
interface Observation {
  readonly bad: boolean | null
  readonly value: number | null
  readonly threshold: number | null
  readonly unit: string
  readonly severity: Severity
  /** E.g. `CPU 91.5 % is over 80 %`. */
  readonly fault: string
  /** E.g. `CPU 41 % is under 80 %`. */
  readonly cure: string
}

interface RuleState {
  /** The last verdict that was known. */
  verdict: boolean | null
  /** Time that the verdict has been seen to hold. */
  heldMs: number
  /** Unix ms when the fault began. */
  badSince: number
  alert: ActiveAlert | null
}

/**
 * The local alerts of requirement M3 as a state machine without I/O. A fault fires once after it was seen to last `afterMs`,
 * and resolves once after it was seen to be gone for `clearAfterMs`; looks that know nothing count for neither. A
 * failing store fires at once.
 */
export class AlertRules {
  readonly #askThresholds: () => AlertThresholds
  readonly #states = new Map<AlertRule, RuleState>()
  #lastMs: number | null = null

  /** @param thresholds of now; they may change while an alert lasts */
  constructor(thresholds: AlertThresholds | (() => AlertThresholds)) {
    this.#askThresholds = typeof thresholds === 'function' ? thresholds : () => thresholds
  }

  get #thresholds(): AlertThresholds {
    return this.#askThresholds()
  }

  /** Go on from alerts that fired before a restart: they resolve when their fault is gone, and do not fire again. */
  resume(alerts: readonly ActiveAlert[]): void {
    for (const rule of ALERT_RULES) {
      const alert = alerts.find((candidate) => candidate.rule === rule)
      if (alert === undefined) continue
      this.#states.set(rule, { verdict: true, heldMs: 0, badSince: alert.since, alert })
    }
  }

  /** Look once. `nowMs` is monotonic and must not go back. */
  evaluate(inputs: AlertInputs, nowMs: number): AlertVerdict {
    const elapsedMs = this.#lastMs === null ? 0 : Math.max(0, nowMs - this.#lastMs)
    this.#lastMs = nowMs
    const fired: AlertBody[] = []
    const resolved: AlertBody[] = []
    const active: ActiveAlert[] = []
    for (const rule of ALERT_RULES) {
      const state = this.#stateOf(rule)
      const seen = this.#observe(rule, inputs, state.alert !== null)
      this.#hold(state, seen.bad, elapsedMs, inputs.at)
      const afterMs = rule === 'store_failing' ? 0 : this.#thresholds.afterMs
      if (state.alert === null && seen.bad === true && state.heldMs >= afterMs) {
        state.alert = alertOf(rule, seen, state.badSince, lasting(seen.fault, afterMs))
        fired.push({ timestamp: inputs.at, state: 'firing', ...state.alert })
      } else if (state.alert !== null && seen.bad === false && state.heldMs >= this.#thresholds.clearAfterMs) {
        const msg = lasting(seen.cure, this.#thresholds.clearAfterMs)
        resolved.push({ timestamp: inputs.at, state: 'resolved', ...alertOf(rule, seen, state.alert.since, msg) })
        state.alert = null
      } else if (state.alert !== null && seen.bad === true) {
        state.alert = alertOf(rule, seen, state.alert.since, seen.fault)
      }
      if (state.alert !== null) active.push(state.alert)
    }
    return { fired, resolved, active }
  }

  #stateOf(rule: AlertRule): RuleState {
    let state = this.#states.get(rule)
    if (state === undefined) {
      state = { verdict: null, heldMs: 0, badSince: 0, alert: null }
      this.#states.set(rule, state)
    }
    return state
  }

  /** A look without a verdict adds no time, and does not undo what was seen before. */
  #hold(state: RuleState, bad: boolean | null, elapsedMs: number, at: number): void {
    if (bad === null) return
    if (bad === state.verdict) {
      state.heldMs += elapsedMs
      return
    }
    state.verdict = bad
    state.heldMs = 0
    if (bad) state.badSince = at
  }

  #observe(rule: AlertRule, inputs: AlertInputs, firing: boolean): Observation {
    const { cpuPct, latencyMs, diskPct } = this.#thresholds
    switch (rule) {
      case 'cpu_high':
        return over({ what: 'CPU', value: inputs.cpuPct, threshold: cpuPct, unit: '%', severity: 'warning', firing })
      case 'latency_high': {
        const enough = inputs.latency.count >= MIN_LATENCY_SAMPLES
        const value = enough ? quantileMs(inputs.latency, 0.99) : null
        return over({ what: 'p99 latency', value, threshold: latencyMs, unit: 'ms', severity: 'warning', firing })
      }
      case 'disk_full': {
        const { diskUsedBytes, diskTotalBytes } = inputs
        const known = diskUsedBytes !== null && diskTotalBytes !== null && diskTotalBytes > 0
        const value = known ? (diskUsedBytes / diskTotalBytes) * 100 : null
        return over({ what: 'disk', value, threshold: diskPct, unit: '%', severity: 'critical', firing })
      }
      case 'uplink_down':
        return uplinkDown(inputs)
      case 'certificate_ending':
        return {
          bad: inputs.certificate !== null,
          value: null,
          threshold: null,
          unit: '',
          severity: 'critical',
          fault: inputs.certificate ?? '',
          cure: 'the certificate is good and renews itself',
        }
      case 'store_failing':
        return {
          bad: inputs.store.state === 'failing',
          value: null,
          threshold: null,
          unit: '',
          severity: 'critical',
          fault: `the store refuses writes${inputs.store.error === null ? '' : `: ${inputs.store.error}`}; results are not kept`,
          cure: 'the store takes writes',
        }
    }
  }
}

function over(seen: {
  what: string
  value: number | null
  threshold: number
  unit: string
  severity: Severity
  firing: boolean
}): Observation {
  const { what, threshold, unit, severity } = seen
  const value = seen.value === null ? null : Math.round(seen.value * 10) / 10
  const line = seen.firing ? threshold * (1 - BAND) : threshold
  return {
    bad: value === null ? null : value > line,
    value,
    threshold,
    unit,
    severity,
    fault: `${what} ${value} ${unit} is ${value !== null && value > threshold ? 'over' : 'only just under'} ${threshold} ${unit}`,
    cure: `${what} ${value} ${unit} is under ${threshold} ${unit}`,
  }
}

function uplinkDown({ uplinks }: AlertInputs): Observation {
  const missing = uplinks.filter(({ state }) => state !== 'up').map(({ name }) => name)
  return {
    bad: uplinks.length === 0 ? null : missing.length > 0,
    value: missing.length,
    threshold: 0,
    unit: 'targets',
    severity: 'warning',
    fault: `no uplink to ${missing.join(', ')}; records wait in the outbox`,
    cure: `uplink to ${uplinks.map(({ name }) => name).join(', ')} is up`,
  }
}

function lasting(text: string, forMs: number): string {
  return forMs === 0 ? text : `${text} for ${durationText(forMs)}`
}

function durationText(ms: number): string {
  if (ms < 1000 || ms % 1000 !== 0) return `${ms} ms`
  return ms % 60_000 === 0 && ms >= 120_000 ? `${ms / 60_000} min` : `${ms / 1000} s`
}

function alertOf(rule: AlertRule, seen: Observation, since: number, msg: string): ActiveAlert {
  const { severity, value, threshold, unit } = seen
  return { rule, severity, value, threshold, unit, since, msg }
}
