import type { Counts, GateLimits } from '../../src/rollout/contract.ts'
import { partsOf } from '../../src/rollout/gate-input.ts'
import type { GateInput, PeerEvidence } from '../../src/rollout/gates/contract.ts'
import { plus } from '../../src/rollout/gates/expected.ts'
import { judge } from '../../src/rollout/gates/judge.ts'
import { withLook } from '../../src/rollout/gates/looks.ts'
import { DEFAULT_STRATEGY } from '../../src/rollout/strategy.ts'

const NO_COUNTS = { requests: 0, failed: 0, slow: 0 }

/** What a simulated fleet is like and what the new item does to it. */
export interface Scenario {
  readonly sites: number
  readonly nodesASite: number
  readonly requestsPerSec: number
  /** Share of requests that fail, and that are slow, at the median node. */
  readonly failedShare: number
  readonly slowShare: number
  /** Standard deviations of the logarithms of shares between sites and between nodes of a site. */
  readonly siteSpread: number
  readonly nodeSpread: number
  /** Bursts an hour at a node, and failures in one on average (exponential). */
  readonly burstsAnHour: number
  readonly burstSize: number
  /** Shares rise and fall by so much within the day, whose phase is random. */
  readonly diurnal: number
  /** Faults of a whole site an hour, fleet-wide, that let so many of its requests fail for two minutes. */
  readonly siteFaultsAnHour: number
  readonly siteFaultShare: number
  /** A changed node that begins to fail by itself in the first soak, at this share. */
  readonly sickShare: number
  /** A node that was so before and stays so. */
  readonly sickBefore: number
  /** How long nodes have counted before the rollout, s. */
  readonly beforeSec: number
  /** Times that all shares of the fleet rise, whatever a node serves, at the moment that the first wave begins. */
  readonly shift: number
  /** Times more failures on changed nodes: 1 is an A/A rollout. */
  readonly effect: number
}

/** An ordinary fleet: 48 nodes at 6 sites, two requests a second each. */
export const ORDINARY: Scenario = {
  sites: 6,
  nodesASite: 8,
  requestsPerSec: 2,
  failedShare: 0.005,
  slowShare: 0.01,
  siteSpread: 0.3,
  nodeSpread: 0.2,
  burstsAnHour: 0,
  burstSize: 0,
  diurnal: 0,
  siteFaultsAnHour: 0,
  siteFaultShare: 0,
  sickShare: 0,
  sickBefore: 0,
  beforeSec: 3600,
  shift: 1,
  effect: 1,
}

/** How a simulated rollout went. */
export interface Outcome {
  readonly end: 'stopped' | 'done'
  /** Wave and seconds of its soak at which it stopped. */
  readonly wave: number
  readonly atSec: number
  /** Waves that stayed inconclusive until the longest soak. */
  readonly pauses: number
  readonly why: string
}

/** How waves are watched; as the strategy has it. */
export interface Watch {
  readonly limits: GateLimits
  readonly soakSec: number
  readonly maxSoakSec: number
  readonly tickSec: number
}

/** The limits that hold when nobody says otherwise, and soaks of five minutes to half an hour. */
export const WATCH: Watch = { limits: DEFAULT_STRATEGY.gates, soakSec: 300, maxSoakSec: 1800, tickSec: 10 }

/** Shares of the fleet that have changed after the canary wave and each that follows. */
const WAVES = [0, 0.1, 0.3, 1]

interface SimulatedNode {
  readonly key: string
  readonly site: number
  readonly nodeClass: 'light' | 'heavy'
  readonly rate: number
  failedShare: number
  readonly slowShare: number
  isSick: boolean
  isChanged: boolean
  before: Counts
  since: Counts
}

/** One rollout over a fleet made up for it, every tick judged by the gates, each inconclusive wave let on by a person. */
export function simulateRollout(scenario: Scenario, random: () => number, watch: Watch = WATCH): Outcome {
  const fleet = makeFleet(scenario, random)
  const phase = random() * 2 * Math.PI
  let nowSec = 0
  let faulty = { site: -1, untilSec: 0 }
  const step = (sec: number, to: 'before' | 'since') => {
    nowSec += sec
    if (nowSec >= faulty.untilSec) faulty = { site: -1, untilSec: 0 }
    if (scenario.siteFaultsAnHour > 0 && faulty.site < 0 && random() < (scenario.siteFaultsAnHour * sec) / 3600) {
      faulty = { site: Math.floor(random() * scenario.sites), untilSec: nowSec + 120 }
    }
    const day =
      (to === 'before' ? 1 : scenario.shift) *
      Math.exp(scenario.diurnal * Math.sin(phase + (2 * Math.PI * nowSec) / 86_400))
    for (const node of fleet) {
      node[to] = plus(node[to], count(node, { scenario, sec, day, isFaulty: faulty.site === node.site, random }))
    }
  }
  const partSec = scenario.beforeSec / 60
  for (let part = 0; part < 60; part++) step(partSec, 'before')
  let pauses = 0
  for (const [wave, share] of WAVES.entries()) {
    change(
      fleet,
      wave === 0 ? 'representative' : fleet.filter((one) => one.isChanged).length + Math.ceil(share * fleet.length),
    )
    if (wave === 0 && scenario.sickShare > 0)
      for (const node of fleet.filter((one) => one.isChanged).slice(0, 1)) node.isSick = true
    for (const node of fleet) node.since = NO_COUNTS
    let looks: GateInput['looks'] = { changed: [], unchanged: [] }
    for (let sec = watch.tickSec; ; sec += watch.tickSec) {
      step(watch.tickSec, 'since')
      const judged = judge({ ...evidence(fleet, watch.limits), looks })
      looks = withLook(looks, judged)
      const { verdict, findings } = judged
      if (verdict === 'fail') {
        const why = findings.find((one) => one.verdict === 'fail')
        return { end: 'stopped', wave, atSec: sec, pauses, why: `${why?.gate} ${why?.against}: ${why?.msg}` }
      }
      if (sec >= watch.soakSec && verdict === 'pass') break
      if (sec < watch.maxSoakSec) continue
      pauses += 1
      break
    }
  }
  return { end: 'done', wave: WAVES.length, atSec: 0, pauses, why: '' }
}

function makeFleet(scenario: Scenario, random: () => number): SimulatedNode[] {
  const fleet: SimulatedNode[] = []
  for (let site = 0; site < scenario.sites; site++) {
    const level = Math.exp(scenario.siteSpread * normal(random))
    for (let i = 0; i < scenario.nodesASite; i++) {
      const own = level * Math.exp(scenario.nodeSpread * normal(random))
      fleet.push({
        key: `s${site}n${i}`,
        site,
        nodeClass: i % 2 === 0 ? 'light' : 'heavy',
        rate: scenario.requestsPerSec * Math.exp(0.5 * normal(random)),
        failedShare: scenario.failedShare * own,
        slowShare: scenario.slowShare * own,
        isSick: false,
        isChanged: false,
        before: NO_COUNTS,
        since: NO_COUNTS,
      })
    }
  }
  const sick = fleet[Math.floor(random() * fleet.length)]
  if (scenario.sickBefore > 0 && sick !== undefined) sick.failedShare = scenario.sickBefore
  return fleet
}

function count(
  node: SimulatedNode,
  {
    scenario,
    sec,
    day,
    isFaulty,
    random,
  }: { scenario: Scenario; sec: number; day: number; isFaulty: boolean; random: () => number },
): Counts {
  const requests = poisson(node.rate * sec, random)
  const factor = node.isChanged ? scenario.effect : 1
  const extra = (isFaulty ? scenario.siteFaultShare : 0) + (node.isSick ? scenario.sickShare : 0)
  const failedShare = Math.min(1, node.failedShare * day * factor + extra)
  let failed = poisson(requests * failedShare, random)
  for (let i = poisson((scenario.burstsAnHour * sec * factor) / 3600, random); i > 0; i--) {
    failed += Math.ceil(-scenario.burstSize * Math.log(1 - random()))
  }
  return {
    requests,
    failed: Math.min(requests, failed),
    slow: Math.min(requests, poisson(requests * Math.min(1, node.slowShare * day), random)),
  }
}

function change(fleet: readonly SimulatedNode[], upTo: 'representative' | number): void {
  const seen = new Set<string>()
  let changed = fleet.filter((node) => node.isChanged).length
  for (const node of fleet) {
    const kind = `${node.site} ${node.nodeClass}`
    const isNext = upTo === 'representative' ? !seen.has(kind) : changed < upTo
    seen.add(kind)
    if (!isNext || node.isChanged) continue
    node.isChanged = true
    changed += 1
  }
}

function evidence(fleet: readonly SimulatedNode[], limits: GateLimits): Omit<GateInput, 'looks'> {
  const of = (node: SimulatedNode): PeerEvidence => ({
    key: node.key,
    site: `site-${node.site}`,
    nodeClass: node.nodeClass,
    before: node.before,
    since: node.since,
    newCriticalAlerts: 0,
  })
  return {
    limits,
    waves: partsOf({ waves: WAVES }, 1),
    changed: fleet.filter(({ isChanged }) => isChanged).map((node) => ({ ...of(node), compared: null })),
    unchanged: fleet.filter(({ isChanged }) => !isChanged).map(of),
  }
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Knuth's for small means, rounded normal for large ones. */
function poisson(mean: number, random: () => number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)))
  const limit = Math.exp(-mean)
  let count = -1
  for (let product = 1; product > limit; product *= random()) count += 1
  return Math.max(0, count)
}
