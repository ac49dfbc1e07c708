import type { ChangeStatus, Item } from '../../protocol/change.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { NodeFact } from './planner.ts'

/** What a plan is made from: every node of the fleet as it is known now. Of one that never said who it is there is none. */
export function fleetFacts(fleet: Fleet, nowMs: number): readonly NodeFact[] {
  return fleet.keys().flatMap((key): NodeFact[] => {
    const told = fleet.told(key, nowMs)
    if (told === null) return []
    const { identity, status, state, site, inferencesPerSec } = told
    const where = identity?.site ?? site
    if (where === null) return []
    return [
      {
        key,
        name: identity?.name ?? nameOnBus(key, where),
        site: where,
        nodeClass: status?.changes?.nodeClass ?? null,
        requestsPerSec: inferencesPerSec,
        reach: state === 'up' || state === 'stale' || state === 'offline' ? state : 'unknown',
        criticalAlerts: (status?.alerts ?? []).filter(({ severity }) => severity === 'critical').length,
        confirmed: (status?.changes?.confirmed ?? null) as readonly Item[] | null,
        change: (status?.changes?.change ?? null) as ChangeStatus | null,
      },
    ]
  })
}

/** The name of a node that was only heard: that of its key, without the site where that was needed to tell it apart. */
function nameOnBus(key: string, site: string): string {
  return key.startsWith(`${site}/`) ? key.slice(site.length + 1) : key
}
