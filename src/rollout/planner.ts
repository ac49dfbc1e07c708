import { canonicalJson } from '../../protocol/canonical-json.ts'
import { type ChangeStatus, type Item, isSameItem, itemWords } from '../../protocol/change.ts'
import { EdgeError } from '../../protocol/errors.ts'
import type { NodeKey, NodeObservation, Plan, PlanNode, Strategy, Wave } from './contract.ts'
import type { RolloutWish } from './service.ts'
import type { RolloutState } from './state.ts'
import { portionOf } from './strategy.ts'

/** What is known of a node when a rollout is planned. */
export interface NodeFact {
  readonly key: NodeKey
  /** As its certificate or welcome names it. */
  readonly name: string
  readonly site: string
  readonly nodeClass: PlanNode['nodeClass']
  readonly requestsPerSec: number | null
  readonly reach: NodeObservation['reach']
  readonly criticalAlerts: number
  /** Null when it told nothing; of a kind that is not in it the node has what it was set up with. */
  readonly confirmed: readonly Item[] | null
  readonly change: ChangeStatus | null
}

/** Most nodes that one rollout changes. */
export const MOST_NODES = 5000
/** Of each site, nodes that are not changed and compared with. */
const MOST_PEERS_OF_SITE = 20
const MOST_PEERS = 500

/**
 * Plan a rollout over the fleet as it is now; ids are pinned, a node that comes later is not part of it. `undo` says what each
 * node gets where that is not the wish's item, and who gets nothing.
 * @throws EdgeError `PLAN_INVALID` that says why nothing can be planned.
 */
export function planRollout(
  rollout: string,
  wish: RolloutWish,
  facts: readonly NodeFact[],
  undo: Pick<Undo, 'own' | 'without'> = { own: new Map(), without: [] },
): Plan {
  const { item, strategy } = wish
  const { own, without } = undo
  if (item.origin !== undefined && wish.undoes === null) {
    throw invalid(
      'what nodes were set up with can only be gone back to',
      'undo the rollout that took its place, or roll out a package',
    )
  }
  const known = new Map(facts.map((fact) => [fact.key, fact]))
  const asked = [...new Set(wish.nodes)]
  if (asked.length > MOST_NODES) {
    throw invalid(
      `${asked.length} nodes are more than the ${MOST_NODES} that one rollout changes`,
      'choose fewer nodes',
    )
  }
  const leftOut = without.map((key) => ({ key, why: 'nobody knows what it had before' }))
  const deferred: { key: NodeKey; why: string }[] = []
  const unchanged: NodeKey[] = []
  const ready: NodeFact[] = []
  for (const key of asked) {
    const fact = known.get(key)
    const target = own.get(key) ?? item
    const why = fact === undefined ? null : notNow(fact)
    if (fact === undefined) leftOut.push({ key, why: 'nobody knows this node' })
    else if (hasIt(fact, target)) unchanged.push(key)
    else if (why !== null) deferred.push({ key, why })
    else ready.push(fact)
  }
  if (ready.length === 0) throw nobody({ leftOut, deferred, unchanged }, item)
  const waves = wavesOf(ready, strategy)
  const named = new Set(asked.filter((key) => known.has(key)))
  const peers = peersOf(facts, named)
  const nodes = [...named, ...peers].map((key) => {
    const target = own.get(key)
    return planNode(
      known.get(key) as NodeFact,
      item.kind,
      target === undefined || isSameItem(target, item) ? null : target,
    )
  })
  return {
    v: 1,
    rollout,
    target: wish.target,
    item,
    sources: wish.sources,
    strategy: item.kind === 'model' ? strategy : { ...strategy, shadow: null },
    nodes,
    waves,
    deferred,
    unchanged,
    leftOut,
    peers,
    undoes: wish.undoes,
    ...trafficOf(facts),
  }
}

function trafficOf(facts: readonly NodeFact[]): Pick<Plan, 'fleetRequestsPerSec'> {
  const rates = facts.flatMap(({ requestsPerSec }) => finite(requestsPerSec) ?? [])
  return rates.length === 0 ? {} : { fleetRequestsPerSec: rates.reduce((sum, rate) => sum + rate, 0) }
}

/** What an undo brings. */
export interface Undo {
  /** What most of the nodes get. */
  readonly item: Item
  /** What each gets. */
  readonly own: ReadonlyMap<NodeKey, Item>
  /** Nodes of which nobody knows what they had: no node told it, and none had a package confirmed. */
  readonly without: readonly NodeKey[]
}

/**
 * What an undo of a rollout brings: each node that it changed gets back what it had by its own word, a package or what it was
 * set up with.
 * @throws EdgeError `PLAN_INVALID` when there is nothing to take back.
 */
export function undoOf(state: RolloutState): Undo {
  const own = new Map<NodeKey, Item>()
  const without: NodeKey[] = []
  for (const { key, before, isConfirmed, mayServe } of state.nodes.values()) {
    if (!isConfirmed && !mayServe) continue
    if (before === null) without.push(key)
    else own.set(key, before)
  }
  const counts = new Map<string, { item: Item; count: number }>()
  for (const item of own.values()) {
    const key = canonicalJson(item)
    counts.set(key, { item, count: (counts.get(key)?.count ?? 0) + 1 })
  }
  const most = [...counts.values()].toSorted((a, b) => b.count - a.count)[0]
  if (most === undefined) {
    throw invalid(
      without.length === 0
        ? `rollout ${state.id} changed no node`
        : `nobody knows what the nodes had before rollout ${state.id}`,
      'roll out the version that you want as a package',
    )
  }
  return { item: most.item, own, without }
}

/** Why a node cannot be changed now, though it may later. */
function notNow({ reach, change }: NodeFact): string | null {
  if (reach !== 'up') return reach === 'unknown' ? 'it was never heard' : `it is ${reach}`
  return change?.isLocked === true ? `rollout ${change.rollout} is changing it` : null
}

function hasIt({ confirmed, change }: NodeFact, item: Item): boolean {
  const isOnTrial = change?.isLocked === true && change.item.kind === item.kind && change.phase !== 'confirmed'
  if (isOnTrial || confirmed === null) return false
  if (item.origin !== undefined) return !confirmed.some(({ kind }) => kind === item.kind)
  return confirmed.some((one) => isSameItem(one, item))
}

function wavesOf(ready: readonly NodeFact[], strategy: Strategy): Wave[] {
  const canary = canaryOf(ready, strategy)
  const isCanary = new Set(canary)
  const rest = spread(ready.filter(({ key }) => !isCanary.has(key))).map(({ key }) => key)
  const sizes = [...strategy.waves]
  const groups = [canary]
  for (let from = 0; from < rest.length; ) {
    const portion = (sizes.length > 1 ? sizes.shift() : sizes[0]) ?? { percent: 100 }
    const to = from + portionOf(portion, ready.length)
    groups.push(rest.slice(from, to))
    from = to
  }
  return groups.map((nodes, index) => {
    const name = index === 0 ? 'canary' : `wave-${index}`
    const needsApproval = strategy.pauseAfter.some((one) => one === 'all' || one === name)
    // Behind the last one nothing comes that could be approved.
    return { name, nodes, needsApproval: needsApproval && index < groups.length - 1 }
  })
}

function canaryOf(ready: readonly NodeFact[], { canary }: Strategy): NodeKey[] {
  switch (canary.kind) {
    case 'nodes': {
      const keys = new Set(ready.map(({ key }) => key))
      const missing = canary.nodes.filter((key) => !keys.has(key))
      if (missing.length === 0) return [...new Set(canary.nodes)]
      throw invalid(
        `${missing.slice(0, 5).join(', ')} cannot be the canary: not among the nodes that can be changed now`,
        'choose the canary among the nodes of the rollout that are up and not locked',
      )
    }
    case 'count':
      return spread(ready.toSorted(byFitness))
        .slice(0, canary.count)
        .map(({ key }) => key)
    case 'representative': {
      const first = new Map<string, NodeFact>()
      for (const fact of ready.toSorted(byFitness)) {
        const stratum = JSON.stringify([fact.site, fact.nodeClass])
        if (!first.has(stratum)) first.set(stratum, fact)
      }
      return [...first.values()].map(({ key }) => key)
    }
  }
}

/** Healthy ones first, then those with more traffic: they tell sooner. */
function byFitness(a: NodeFact, b: NodeFact): number {
  return (
    a.criticalAlerts - b.criticalAlerts || (b.requestsPerSec ?? 0) - (a.requestsPerSec ?? 0) || (a.key < b.key ? -1 : 1)
  )
}

/** Sites in turn, so that no wave takes one site at once. */
function spread(facts: readonly NodeFact[]): NodeFact[] {
  const bySite = Map.groupBy(facts, ({ site }) => site)
  const lists = [...bySite.values()]
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, index) => lists.flatMap((list) => list[index] ?? [])).flat()
}

function peersOf(facts: readonly NodeFact[], named: ReadonlySet<NodeKey>): NodeKey[] {
  const sites = new Set(facts.filter(({ key }) => named.has(key)).map(({ site }) => site))
  const taken = new Map<string, number>()
  const peers: NodeKey[] = []
  for (const { key, site, reach } of facts) {
    const count = taken.get(site) ?? 0
    if (named.has(key) || !sites.has(site) || reach !== 'up' || count >= MOST_PEERS_OF_SITE) continue
    if (peers.length >= MOST_PEERS) break
    taken.set(site, count + 1)
    peers.push(key)
  }
  return peers
}

function planNode(fact: NodeFact, kind: Item['kind'], item: Item | null): PlanNode {
  const { key, name, site, nodeClass, requestsPerSec, confirmed } = fact
  const before = confirmed?.find((one) => one.kind === kind) ?? null
  return { key, name, site, nodeClass, requestsPerSec: finite(requestsPerSec), before, item }
}

function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) && value >= 0 ? value : null
}

function nobody(
  { leftOut, deferred, unchanged }: Pick<Plan, 'leftOut' | 'deferred' | 'unchanged'>,
  item: Item,
): EdgeError {
  const words: string[] = []
  if (unchanged.length > 0) words.push(`${unchanged.length} have ${itemWords(item, '@')} already`)
  if (deferred.length > 0)
    words.push(`${deferred.length} cannot be reached or are locked (${deferred[0]?.key}: ${deferred[0]?.why})`)
  if (leftOut.length > 0) words.push(`${leftOut.length} are not known`)
  return invalid(
    words.length === 0 ? 'no node was chosen' : `there is no node to change: ${words.join(', ')}`,
    'choose other nodes, or wait until they are up',
  )
}

function invalid(message: string, next: string): EdgeError {
  return new EdgeError('PLAN_INVALID', { message, next: [next] })
}
