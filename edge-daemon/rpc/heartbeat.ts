import { CAME_TO_NOTHING_TOLD_MS } from '../../protocol/change.ts'
import { quantileMs } from '../../protocol/histogram.ts'
import { HEARTBEAT_EVERY_MS, type Heartbeat } from '../../protocol/presence.ts'
import { latencyBetween } from '../health/stage-window.ts'
import type { StatusBody } from '../live/contract.ts'

/** What a node is at one moment, with the clocks of that moment. */
export interface Moment {
  readonly status: Pick<StatusBody, 'inference' | 'uplink' | 'alerts' | 'store' | 'host' | 'changes'>
  /** Unix ms. */
  readonly wallMs: number
  readonly monotonicMs: number
}

/** What is told beside the status: who is still let in, and how far the audit is. */
export interface Standing {
  readonly startedAtMs: number
  /** Versions in force. */
  readonly deny: number | null
  readonly trust: number | null
  /** Newest hash of the audit. */
  readonly audit: string | null
}

const AUDIT_CHARS = 16

/**
 * What the bus is told of a node; `before` is the moment of the last heartbeat, from which figures a second are made.
 * `inference.latency` of both is cumulative.
 */
export function heartbeatOf(now: Moment, before: Moment | null, standing: Standing): Heartbeat {
  const { status } = now
  const { inference, uplink, alerts, store, host } = status
  const sinceMs = before === null ? 0 : now.monotonicMs - before.monotonicMs
  const requests = inference.counters.requests - (before?.status.inference.counters.requests ?? 0)
  const latency = before === null ? null : latencyBetween(inference.latency, before.status.inference.latency)
  const critical = alerts.filter(({ severity }) => severity === 'critical').length
  const down = uplink.targets.filter(({ state }) => state !== 'up').length
  const { model } = inference
  return {
    v: 1,
    at: Math.round(now.wallMs),
    up: standing.startedAtMs,
    every: HEARTBEAT_EVERY_MS,
    ...(model === null ? {} : { model: `${model.name}@${model.version} ${model.variant}`.trimEnd().slice(0, 100) }),
    ...known('p99', tenth(latency === null ? null : quantileMs(latency.total, 0.99))),
    ...known('rate', sinceMs <= 0 || requests < 0 ? null : tenth((requests * 1000) / sinceMs)),
    ...known('cpu', host.cpuPct === null ? null : Math.round(host.cpuPct)),
    ...known('backlog', uplink.backlogRecords || null),
    ...(alerts.length === 0 ? {} : { alerts: [critical, alerts.length - critical] as [number, number] }),
    ...known('down', down || null),
    ...(store.state === 'failing' ? { failing: true as const } : {}),
    ...known('change', changeOf(now)),
    ...known('deny', standing.deny),
    ...known('trust', standing.trust),
    ...known('audit', standing.audit?.slice(0, AUDIT_CHARS) ?? null),
  }
}

/** What a row tells of its change: nothing of one that is through, and for an hour of one that came to nothing. */
function changeOf({ status, wallMs }: Moment): NonNullable<Heartbeat['change']> | null {
  const change = status.changes?.change ?? null
  if (change === null) return null
  const { phase, item, until, fault, isLocked, since } = change
  const cameToNothing = phase === 'reverted' || phase === 'failed'
  if (!isLocked && !(cameToNothing && wallMs - since < CAME_TO_NOTHING_TOLD_MS)) return null
  return {
    ...(item.kind === 'model' ? {} : { kind: item.kind }),
    version: item.version,
    ...known('origin', item.origin ?? null),
    phase,
    ...known('until', until === null ? null : Math.round(until)),
    ...known('fault', fault?.kind ?? null),
  }
}

function tenth(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10
}

/** What is not known is left out. */
function known<K extends string, V>(name: K, value: V | null): { [P in K]?: V } {
  return value === null ? {} : ({ [name]: value } as { [P in K]?: V })
}
