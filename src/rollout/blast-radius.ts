import type { NodeKey, Plan } from './contract.ts'

/** Whom some nodes of a plan serve. */
export interface Reach {
  readonly nodes: number
  readonly sites: readonly string[]
  /** Of the requests of the whole fleet when it was planned, as far as nodes told; null when none of these did. */
  readonly trafficPct: number | null
}

/** What a plan touches at most, and how long it takes at least. */
export interface BlastRadius extends Reach {
  readonly waves: readonly (Reach & { readonly name: string })[]
  /** Nodes that are to be changed and whose rate nobody knows. */
  readonly unknownTraffic: number
  /** Every wave is watched for as long as the strategy says, one behind the other. */
  readonly leastSec: number
}

/** Count what a plan touches, before anything of it happens. */
export function blastRadius(plan: Plan): BlastRadius {
  const planned = new Map(plan.nodes.map((node) => [node.key, node]))
  const all = plan.fleetRequestsPerSec ?? 0
  const reachOf = (keys: readonly NodeKey[]): Reach => {
    const nodes = keys.flatMap((key) => planned.get(key) ?? [])
    const known = nodes.flatMap(({ requestsPerSec }) => requestsPerSec ?? [])
    return {
      nodes: keys.length,
      sites: [...new Set(nodes.map(({ site }) => site))].sort(),
      trafficPct: all === 0 || known.length === 0 ? null : (100 * known.reduce((sum, rate) => sum + rate, 0)) / all,
    }
  }
  const changed = [...plan.waves.flatMap(({ nodes }) => nodes), ...plan.deferred.map(({ key }) => key)]
  return {
    ...reachOf(changed),
    waves: plan.waves.map(({ name, nodes }) => ({ name, ...reachOf(nodes) })),
    unknownTraffic: changed.filter((key) => (planned.get(key)?.requestsPerSec ?? null) === null).length,
    leastSec: plan.waves.length * plan.strategy.soakSec,
  }
}
