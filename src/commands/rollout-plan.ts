import { itemWords } from '../../protocol/change.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { blastRadius } from '../rollout/blast-radius.ts'
import type { GateLimits, Plan, Portion, Strategy, Wave } from '../rollout/contract.ts'
import { formatAge, formatPct } from '../ui/format.ts'
import { brief } from './exec-selection.ts'
import { type PrintedColumn, printTable } from './output.ts'

interface WaveRow {
  readonly wave: Wave
  readonly sites: readonly string[]
  readonly trafficPct: number | null
  readonly after: string
}

const COLUMNS: readonly PrintedColumn<WaveRow>[] = [
  { title: 'WAVE', text: ({ wave }) => wave.name },
  { title: 'NODES', align: 'right', text: ({ wave }) => String(wave.nodes.length) },
  { title: 'TRAFFIC', align: 'right', text: ({ trafficPct }) => formatPct(trafficPct) },
  { title: 'SITES', text: ({ sites }) => untrusted(brief(sites)) },
  { title: 'WHO', text: ({ wave }) => untrusted(brief(wave.nodes)) },
  { title: 'THEN', text: ({ after }) => after },
]

/**
 * What will happen, for people: who, when, what, and how much of the fleet that is.
 * @param isBrought whether starting it brings the package to its bucket first
 */
export function planText(plan: Plan, isBrought = false): string {
  const { item, strategy } = plan
  const radius = blastRadius(plan)
  const rows = plan.waves.map((wave, index) => ({
    wave,
    sites: radius.waves[index]?.sites ?? [],
    trafficPct: radius.waves[index]?.trafficPct ?? null,
    after: afterWave(wave, index === plan.waves.length - 1, strategy),
  }))
  const what = plan.undoes === null ? itemText(plan) : `what nodes had before ${plan.undoes} (${itemText(plan)})`
  const traffic =
    radius.trafficPct === null ? 'traffic unknown' : `${formatPct(radius.trafficPct)} of the fleet's traffic`
  const unknown = radius.unknownTraffic === 0 ? '' : `, that of ${radius.unknownTraffic} nodes unknown`
  const sites = radius.sites.length === 1 ? '1 site' : `${radius.sites.length} sites`
  return [
    `${untrusted(what)}, ${item.kind}, sha256 ${item.digest.slice(0, 12)}…\n`,
    `${nodesText(radius.nodes)} at ${sites}, ${traffic}${unknown}; ${formatAge(1000 * radius.leastSec)} at least\n\n`,
    printTable(COLUMNS, rows),
    '\n',
    ...lines(plan, isBrought),
  ].join('')
}

function lines(plan: Plan, isBrought: boolean): string[] {
  const { strategy, deferred, unchanged, leftOut, peers } = plan
  const { gates, localGates, shadow } = strategy
  const tried =
    shadow === null
      ? ''
      : `tried on shadow (${shadow.samples} ${shadow.source} pictures, ${shadow.nodes === 'all' ? 'every node' : 'the canary'}), `
  const each = [
    `each node   ${tried}serves it on probation, confirmed within ${formatAge(1000 * strategy.confirmWithinSec)} or back by itself\n`,
    `            back at once over ${localGates.maxFailedPct} % failed, ${localGates.maxSlowPct} % over 50 ms, ${localGates.maxDisagreePct} % differing\n`,
    `at once     ${strategy.parallel} steps, and ${portionText(strategy.siteBudget)} of a site unavailable, whatever the cause\n`,
    `stops       ${gates.worseFactor} times as bad as unchanged nodes, or over ${gates.maxFailedPct} % failed, ${gates.maxSlowPct} % over 50 ms, ${gates.maxDisagreePct} % differing; more than ${strategy.maxFailedNodes} nodes of a wave failed\n`,
    '            then what was changed goes back\n',
    `waits       for ${gates.minRequests} requests of each side${untilShown(gates)}\n`,
    `            each wave is watched longer for it; still unclear after ${formatAge(1000 * strategy.maxSoakSec)} it pauses\n`,
  ]
  return [
    `fetched     ${sourcesText(plan)}\n`,
    ...(isBrought ? ['            it is brought there from here before anything begins\n'] : []),
    ...each,
    ...(peers.length === 0 ? [] : [`compared    with ${untrusted(brief(peers))} of the same sites too\n`]),
    ...(unchanged.length === 0 ? [] : [`have it     ${untrusted(brief(unchanged))}\n`]),
    ...deferred.map(({ key, why }) => `later       ${untrusted(`${key}: ${why}`)}\n`),
    ...leftOut.map(({ key, why }) => `left out    ${untrusted(`${key}: ${why}`)}\n`),
  ]
}

/** Where nodes have the package from, and what that means for who is not there any more. */
export function sourcesText({ sources }: Pick<Plan, 'sources'>): string {
  const places = sources.flatMap((source) => {
    if (source.kind === 'nats') return [`the bucket ${untrusted(source.bucket)} of the bus`]
    return source.kind === 'https' ? [untrusted(source.url)] : []
  })
  const isBrought = sources.some(({ kind }) => kind === 'link')
  if (isOnlyBrought({ sources })) {
    return 'only from who brings it to the nodes (edgedeck model push --to nodes): until somebody does, staging waits'
  }
  return `from ${places.join(', then ')}${isBrought ? ', or as somebody brought it to the node' : ''}`
}

/** Whether a rollout waits for people who bring its package, where it is not on the nodes yet. */
export function isOnlyBrought({ sources }: Pick<Plan, 'sources'>): boolean {
  return sources.every(({ kind }) => kind === 'link')
}

function untilShown({ severeFactor = 1 }: GateLimits): string {
  return severeFactor > 1 ? `, and until ${severeFactor} times as many failures or slow answers would have shown` : ''
}

function afterWave({ needsApproval }: Wave, isLast: boolean, { soakSec, maxSoakSec }: Strategy): string {
  const soak = `watched ${formatAge(1000 * soakSec)} to ${formatAge(1000 * maxSoakSec)}`
  if (needsApproval) return `${soak}, then somebody approves`
  return isLast ? `${soak}, then done` : soak
}

/** `digits 2.0.0` */
export function itemText({ item }: Pick<Plan, 'item'>): string {
  return itemWords(item)
}

function portionText(portion: Portion): string {
  return 'count' in portion ? nodesText(portion.count) : `${portion.percent} %`
}

/** `1 node`, `7 nodes` */
export function nodesText(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`
}
