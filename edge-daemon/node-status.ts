import type { StatusChanges } from '../protocol/change.ts'
import type { AlertWatch } from './alert-watch.ts'
import type { HostMeter } from './health/host.ts'
import type { InferenceService } from './inference/inference-service.ts'
import type { InferenceMeters } from './inference/meters.ts'
import type { StatusBody } from './live/contract.ts'
import type { NodeConditions } from './node-conditions.ts'
import type { Store } from './store/store.ts'
import type { Outbound } from './uplinks.ts'

/** Whatever a status is read from. */
export interface StatusSources {
  readonly host: HostMeter
  readonly service: InferenceService
  readonly meters: InferenceMeters
  readonly store: Store
  readonly outbound: Outbound
  readonly alerts: AlertWatch
  readonly conditions: NodeConditions
  readonly changes: { status(): StatusChanges }
}

/** What the node is now: the body of a status frame, with cumulative histograms. */
export function nodeStatus(sources: StatusSources): StatusBody {
  const { host, service, meters, store, outbound, alerts, conditions, changes } = sources
  const { model, childPid, generation, queued, inFlight, slowMs } = service.status()
  const targets = outbound.targets()
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
      sentBytes: outbound.sentBytes(),
      backlogRecords: Math.max(0, ...targets.map((target) => target.backlogRecords)),
      capBytesPerSec: outbound.pacer.capBytesPerSec,
    },
    store: store.status(),
    alerts: [...alerts.active()],
    changes: changes.status(),
    faults: slowMs > 0 ? { slow: slowMs } : {},
  }
}
