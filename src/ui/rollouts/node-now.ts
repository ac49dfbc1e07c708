import type { FleetReader } from '../../fleet/fleet-reader.ts'
import type { FleetView } from '../../fleet/view.ts'
import { countsOf } from '../../rollout/gates/counts.ts'
import type { NodeNow } from './facts.ts'
import type { NodeCounters } from './figures.ts'

/** What the fleet knows now of nodes of a rollout. */
export function nodesNow(
  fleet: FleetReader,
  { view, nowMs }: { readonly view: FleetView; readonly nowMs: number },
  rollout: string,
): (key: string) => NodeNow | null {
  const views = new Map(view.nodes.map((node) => [node.key, node]))
  return (key) => {
    const node = views.get(key)
    if (node === undefined) return null
    const status = fleet.told(key, nowMs)?.status ?? null
    const change = status?.changes?.change ?? null
    return {
      reach: node.state,
      p99Ms: node.p99Ms,
      change:
        status === null || change === null || change.rollout !== rollout
          ? null
          : {
              until: change.until,
              at: status.at,
              progress: change.progress,
              served: change.served,
              compared: change.shadow,
            },
    }
  }
}

/** Counters of a node as it told them last; null where it told none. */
export function countersNow(fleet: FleetReader, nowMs: number): (key: string) => NodeCounters | null {
  return (key) => {
    const told = fleet.told(key, nowMs)
    if (told?.status == null || told.identity === null) return null
    return {
      instance: told.identity.instance,
      counts: countsOf(told.status.inference.counters),
      latency: fleet.latencyNow(key, nowMs),
    }
  }
}
