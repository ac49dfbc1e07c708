import type { Condition } from '../protocol/frames.ts'
import type { AlertWatch } from './alert-watch.ts'
import type { HostMeter } from './health/host.ts'
import type { InferenceService } from './inference/inference-service.ts'
import type { InferenceMeters } from './inference/meters.ts'
import type { StatusBody } from './live/contract.ts'
import type { Store } from './store/store.ts'
import type { Uplink } from './upstream/uplink.ts'

/** Whatever a status is read from. */
export interface StatusSources {
  readonly host: HostMeter
  readonly service: InferenceService
  readonly meters: InferenceMeters
  readonly store: Store
  readonly uplinks: readonly Uplink[]
  readonly alerts: AlertWatch
  /** Bytes that left for consoles. */
  readonly telemetryBytes: () => number
}

/** What the node is now: the body of a status frame, with cumulative histograms. */
export function nodeStatus(sources: StatusSources): StatusBody {
  const { host, service, meters, store, uplinks, alerts } = sources
  const { model, childPid, generation, queued, inFlight, slowMs } = service.status()
  const targets = uplinks.map((uplink) => uplink.status())
  const kept = store.status()
  return {
    conditions: [...host.conditions(), ...conditionsOf(kept, service)],
    host: host.sample(),
    inference: {
      model: model === null ? null : { name: model.name, version: model.version, variant: model.variant },
      childPid,
      generation,
      queued,
      inFlight,
      counters: meters.counters(),
      windowMs: 0,
      latency: meters.latency(),
    },
    uplink: {
      targets,
      sentBytes: sentBytes(sources),
      backlogRecords: Math.max(0, ...targets.map((target) => target.backlogRecords)),
    },
    store: kept,
    alerts: [...alerts.active()],
    faults: slowMs > 0 ? { slow: slowMs } : {},
  }
}

function conditionsOf(kept: StatusBody['store'], service: InferenceService): Condition[] {
  const conditions: Condition[] = []
  const since = Date.now()
  if (kept.state === 'failing') {
    const msg = `the disk refuses results, they are served and not kept: ${kept.error ?? 'no reason given'}`
    conditions.push({ code: 'store_failing', severity: 'critical', msg, since })
  }
  if (!service.isReady()) {
    conditions.push({ code: 'model_not_ready', severity: 'critical', msg: 'no process of the model is ready', since })
  }
  return conditions
}

function sentBytes({ uplinks, telemetryBytes }: StatusSources): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const uplink of uplinks) {
    for (const [name, bytes] of Object.entries(uplink.sentBytes())) sum[name] = (sum[name] ?? 0) + bytes
  }
  return { ...sum, telemetry: telemetryBytes() }
}
