import type { AlertWatch } from './alert-watch.ts'
import type { HostMeter } from './health/host.ts'
import type { InferenceService } from './inference/inference-service.ts'
import type { InferenceMeters } from './inference/meters.ts'
import type { StatusBody } from './live/contract.ts'
import type { NodeConditions } from './node-conditions.ts'
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
  readonly conditions: NodeConditions
  /** Bytes that left for consoles. */
  readonly telemetryBytes: () => number
}

/** What the node is now: the body of a status frame, with cumulative histograms. */
export function nodeStatus(sources: StatusSources): StatusBody {
  const { host, service, meters, store, uplinks, alerts, conditions } = sources
  const { model, childPid, generation, queued, inFlight, slowMs } = service.status()
  const targets = uplinks.map((uplink) => uplink.status())
  return {
    conditions: [...conditions.look()],
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
    store: store.status(),
    alerts: [...alerts.active()],
    faults: slowMs > 0 ? { slow: slowMs } : {},
  }
}

function sentBytes({ uplinks, telemetryBytes }: StatusSources): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const uplink of uplinks) {
    for (const [name, bytes] of Object.entries(uplink.sentBytes())) sum[name] = (sum[name] ?? 0) + bytes
  }
  return { ...sum, telemetry: telemetryBytes() }
}
