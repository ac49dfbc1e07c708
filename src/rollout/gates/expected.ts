import type { Counts, NodeKey } from '../contract.ts'
import type { GateInput, PeerEvidence } from './contract.ts'
import { isSound } from './counts.ts'
import { dispersionInTime, dispersionOf, type Residual } from './dispersion.ts'
import { fleetTimes, median, type Seen, siteTimes } from './past.ts'

/** A measure of a gate: which requests count against a node. */
export type Measure = (counts: Counts) => number

/** A changed node with what was to be expected of it. */
export interface Expectation {
  readonly key: NodeKey
  readonly requests: number
  readonly observed: number
  readonly expected: number
  /** Squared relative uncertainty of its own share: what its time before the change does not tell. */
  readonly ownSpread: number
}

/** Changed nodes with one set of peers. */
export interface Stratum {
  readonly changed: readonly Expectation[]
  /** Squared relative uncertainty of the share that is expected of all of them. */
  readonly spread: number
  /** No peer of the site is left: nodes of other sites stand in, and what befalls this site cannot be told from the change. */
  readonly isBorrowed: boolean
}

/** What unchanged nodes tell of the changed ones. */
export interface Expectations {
  readonly strata: readonly Stratum[]
  readonly dispersion: number
  /** Peers that anything was learnt from, summed up. */
  readonly peers: Counts
}

/** Failures by which a node's own share is held to that of its peers: nodes of one kind differ by half, unless they showed more. */
const OWN_SHAPE = 4
/** What is left of that however long it was watched: a node is not tomorrow what it was today. */
const DRIFT = 0.04
/** Between sites, where those of others stand in. */
const BORROWED = 0.25
/** A node counts at most so many times what is expected of it, and a few: one that fell ill does not speak for all. */
const CLIP = 5
const CLIP_FEW = 2

/**
 * What is to be expected of changed nodes if the change makes no difference (difference in differences): the share of the
 * unchanged nodes of the same site and class over the same time, times what the node's share was to theirs before. Where no
 * such node has traffic those of the site stand in, then those of the fleet. The fewer failures the peers had, the more it
 * rests on the time before (`past.ts`). `floor` is a share that is harmless: at least that much is always expected.
 */
export function expectations(
  input: Pick<GateInput, 'changed' | 'unchanged' | 'looks'>,
  measure: Measure,
  { floor, minRequests }: { readonly floor: number; readonly minRequests: number },
): Expectations {
  const changed = input.changed.filter(hasTraffic)
  const unchanged = input.unchanged.filter(hasTraffic)
  const strata = stratified(changed, unchanged, minRequests).map((one) => {
    const levels = ownLevels([...one.nodes, ...one.peers], measure)
    return {
      ...one,
      levels,
      rate: peerRate(one.peers, levels, measure),
      was: shareBefore([...one.nodes, ...one.peers], measure),
    }
  })
  const used = new Map<NodeKey, WithTraffic>()
  const residuals: Residual[] = []
  for (const { peers, levels, rate } of strata) {
    for (const peer of peers) {
      if (used.has(peer.key)) continue
      const expected = peer.since.requests * levelOf(levels, peer.key).level * rate.share
      residuals.push({ seen: clipped(measure(peer.since), expected), expected })
      used.set(peer.key, peer)
    }
  }
  const peers = sumOf([...used.values()])
  // What came since the last look is what the evidence may rest on.
  const inTime = dispersionInTime(
    [
      [...input.looks.changed, sumOf(changed)],
      [...input.looks.unchanged, peers],
    ],
    measure,
  )
  const dispersion = dispersionOf(residuals, residuals.length - strata.length, inTime)
  const sites = seenAtSites(unchanged, measure, { floor, dispersion })
  return {
    peers,
    dispersion,
    strata: strata.map(({ site, nodes, peers, isBorrowed, levels, rate, was }) => {
      const peerSpread = spreadOf(peers, levels) + (isBorrowed ? BORROWED : 0)
      const failures = Math.max(rate.failures, floor * rate.requests)
      const ofOthers = [...sites].flatMap(([name, seen]) => (name === site ? [] : [seen]))
      const times =
        was === null
          ? null
          : siteTimes(
              fleetTimes(ofOthers),
              // Those who stand in for a site have spoken as the fleet.
              isBorrowed
                ? NOTHING_SEEN
                : asIndependent(failures, rate.requests * Math.max(was, floor), dispersion, peerSpread),
            )
      const share = was === null || times === null ? rate.share : Math.max(was, floor) * times.factor
      return {
        isBorrowed,
        spread: times === null ? peerSpread + dispersion / failures : times.spread + (isBorrowed ? BORROWED : 0),
        changed: nodes.map(({ key, since }) => {
          const { level, spread } = levelOf(levels, key)
          const expected = since.requests * Math.max(share * level, floor)
          return { key, requests: since.requests, observed: measure(since), expected, ownSpread: spread }
        }),
      }
    }),
  }
}

const NO_COUNTS: Counts = { requests: 0, failed: 0, slow: 0 }
const NOTHING_SEEN: Seen = { seen: 0, expected: 0 }

/** What the unchanged nodes of each site counted and were to be expected to count. */
function seenAtSites(
  unchanged: readonly WithTraffic[],
  measure: Measure,
  { floor, dispersion }: { readonly floor: number; readonly dispersion: number },
): ReadonlyMap<string, Seen> {
  const sites = Map.groupBy(unchanged, ({ site }) => site)
  return new Map(
    [...sites].flatMap(([site, nodes]) => {
      const was = shareBefore(nodes, measure)
      if (was === null) return []
      const levels = ownLevels(nodes, measure)
      const { failures, requests } = peerRate(nodes, levels, measure)
      const expected = requests * Math.max(was, floor)
      const seen = asIndependent(Math.max(failures, floor * requests), expected, dispersion, spreadOf(nodes, levels))
      return [[site, seen] as const]
    }),
  )
}

/** Counts as if they varied by chance alone. */
function asIndependent(failures: number, expected: number, dispersion: number, spread: number): Seen {
  const inflation = dispersion + spread * expected
  return { seen: failures / inflation, expected: expected / inflation }
}

/** Share of all the nodes before the rollout; null when nobody knows. */
function shareBefore(nodes: readonly WithTraffic[], measure: Measure): number | null {
  const known = nodes.flatMap(({ before }) =>
    before !== null && isSound(before) && before.requests > 0 ? [before] : [],
  )
  const all = known.reduce(plus, NO_COUNTS)
  return all.requests === 0 ? null : measure(all) / all.requests
}

type WithTraffic = PeerEvidence & { readonly since: Counts }

/** What of a node's count is evidence, given what is expected of it. */
export function clipped(observed: number, expected: number): number {
  return Math.min(observed, CLIP * expected + CLIP_FEW)
}

/** Whether a node told anything that can be judged. */
export function hasTraffic<N extends PeerEvidence>(node: N): node is N & { readonly since: Counts } {
  return node.since !== null && isSound(node.since) && node.since.requests > 0
}

/** What nodes counted together in the stretch. */
export function sumOf(nodes: readonly { readonly since: Counts }[]): Counts {
  return nodes.reduce<Counts>((sum, { since }) => plus(sum, since), NO_COUNTS)
}

/** Sum of counts. */
export function plus(a: Counts, b: Counts): Counts {
  return { requests: a.requests + b.requests, failed: a.failed + b.failed, slow: a.slow + b.slow }
}

interface Stratified {
  readonly site: string
  readonly nodes: readonly WithTraffic[]
  readonly peers: readonly WithTraffic[]
  readonly isBorrowed: boolean
}

/** Changed nodes by the narrowest set of unchanged ones that had enough traffic; those that have none are left out. */
function stratified(
  changed: readonly WithTraffic[],
  unchanged: readonly WithTraffic[],
  minRequests: number,
): Stratified[] {
  const strata = new Map<string, Stratified & { readonly nodes: WithTraffic[] }>()
  for (const node of changed) {
    const ofSite = unchanged.filter(({ site }) => site === node.site)
    const sets: [string, readonly WithTraffic[], boolean][] = [
      [`class ${node.nodeClass}`, ofSite.filter(({ nodeClass }) => nodeClass === node.nodeClass), false],
      ['site', ofSite, false],
      ['fleet', unchanged, true],
    ]
    const enough = sets.find(([, peers]) => requestsOf(peers) >= Math.max(1, minRequests))
    if (enough === undefined) continue
    const [level, peers, isBorrowed] = enough
    const name = `${node.site}\n${level}`
    const stratum = strata.get(name) ?? { site: node.site, nodes: [], peers, isBorrowed }
    stratum.nodes.push(node)
    strata.set(name, stratum)
  }
  return [...strata.values()]
}

function requestsOf(nodes: readonly WithTraffic[]): number {
  return nodes.reduce((sum, { since }) => sum + since.requests, 0)
}

interface OwnLevel {
  /** Times the share of all of the stratum that this node's was before. */
  readonly level: number
  readonly spread: number
}

function ownLevels(nodes: readonly WithTraffic[], measure: Measure): ReadonlyMap<NodeKey, OwnLevel> {
  const known = nodes.filter(({ before }) => before !== null && isSound(before) && before.requests > 0)
  const all = known.reduce<Counts>((sum, { before }) => plus(sum, before ?? sum), { requests: 0, failed: 0, slow: 0 })
  const share = all.requests === 0 ? 0 : measure(all) / all.requests
  return new Map(
    known.map(({ key, before }) => {
      const counts = before ?? all
      const level = share === 0 ? 1 : (measure(counts) + OWN_SHAPE) / (counts.requests * share + OWN_SHAPE)
      return [key, { level, spread: DRIFT + 1 / (OWN_SHAPE + measure(counts)) }]
    }),
  )
}

function levelOf(levels: ReadonlyMap<NodeKey, OwnLevel>, key: NodeKey): OwnLevel {
  return levels.get(key) ?? { level: 1, spread: DRIFT + 1 / OWN_SHAPE }
}

/** Share of the peers as if each were at level 1; one that is far off its peers does not decide for all. */
function peerRate(
  peers: readonly WithTraffic[],
  levels: ReadonlyMap<NodeKey, OwnLevel>,
  measure: Measure,
): { share: number; failures: number; requests: number } {
  const parts = peers.map(({ key, since }) => ({
    seen: measure(since),
    weight: since.requests * levelOf(levels, key).level,
  }))
  const middle = parts.length < 3 ? Number.POSITIVE_INFINITY : median(parts.map(({ seen, weight }) => seen / weight))
  const failures = parts.reduce((sum, { seen, weight }) => sum + clipped(seen, middle * weight), 0)
  const requests = parts.reduce((sum, { weight }) => sum + weight, 0)
  return { failures, requests, share: failures / requests }
}

/** Spread of a mean over nodes, each weighing as much as its traffic. */
function spreadOf(nodes: readonly WithTraffic[], levels: ReadonlyMap<NodeKey, OwnLevel>): number {
  const all = requestsOf(nodes)
  return nodes.reduce((sum, { key, since }) => sum + (since.requests / all) ** 2 * levelOf(levels, key).spread, 0)
}
