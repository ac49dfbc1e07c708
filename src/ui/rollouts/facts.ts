import type { UntrustedText } from '../../../protocol/untrusted-text.ts'
import { safe } from '../../fleet/clean.ts'
import type { NodeState as Reach } from '../../fleet/node-state.ts'
import type { Counts, GateFinding, GateVerdict, NodeKey, NodeStanding, RolloutPhase } from '../../rollout/contract.ts'
import { hasEnded, type NodeState, type RolloutState, type WaveState } from '../../rollout/state.ts'
import { type ActsPossible, actsPossible } from './acts.ts'
import { waitsFor } from './waits-for.ts'

/** What the fleet knows of a node of a rollout now, beyond the journal. */
export interface NodeNow {
  readonly reach: Reach
  /** What its status says of this rollout's change; null when it carries none of it. */
  readonly change: {
    readonly until: number | null
    readonly at: number
    readonly progress: { readonly doneBytes: number; readonly totalBytes: number } | null
    readonly served: Counts | null
    readonly compared: { readonly compared: number; readonly agreed: number; readonly wanted: number } | null
  } | null
  readonly p99Ms: number | null
}

/** A node of a rollout as a row shows it. */
export interface RolloutNode {
  readonly key: NodeKey
  readonly name: UntrustedText
  readonly site: UntrustedText
  readonly wave: UntrustedText | null
  /** `untouched`: the rollout ended before it served anything of it. */
  readonly standing: NodeStanding | 'untouched'
  readonly sinceMs: number
  readonly reach: Reach | null
  /** What it does just now, or why it stands so. */
  readonly says: UntrustedText
  readonly served: Counts | null
  readonly p99Ms: number | null
}

/** A wave of a rollout as a row shows it. */
export interface RolloutWave {
  readonly name: UntrustedText
  /** `brokenOff`: the rollout was taken back while it ran. */
  readonly phase: WaveState['phase'] | 'brokenOff'
  readonly nodes: number
  readonly done: number
  readonly serving: number
  readonly beganMs: number | null
  readonly endedMs: number | null
  readonly needsApproval: boolean
  /** Why it ended, who approved or promoted it. */
  readonly why: UntrustedText | null
}

/** Groups of standings that are counted together. */
export const GROUPS = [
  'done',
  'serving',
  'working',
  'waiting',
  'untouched',
  'back',
  'deferred',
  'suspect',
  'exception',
] as const
/** @see GROUPS */
export type Group = (typeof GROUPS)[number]

/** A rollout as screens show it: everything is safe, and as of `nowMs`. */
export interface RolloutFacts {
  readonly id: UntrustedText
  /** `digits 2.0.0`, or what is undone. */
  readonly what: UntrustedText
  readonly by: UntrustedText
  readonly why: UntrustedText | null
  readonly phase: RolloutPhase
  readonly startedMs: number
  readonly endedMs: number | null
  readonly nowMs: number
  readonly driver: { readonly name: UntrustedText; readonly isHere: boolean } | null
  readonly term: number
  readonly total: number
  readonly counts: Readonly<Record<Group, number>>
  /** What it does or waits for, in a line. */
  readonly waits: UntrustedText
  readonly waves: readonly RolloutWave[]
  /** Worst first. */
  readonly nodes: readonly RolloutNode[]
  /** Deferred, suspect and left over, with the reason. */
  readonly aside: readonly RolloutNode[]
  /** The newest verdict of the gates, of which wave, and when. */
  readonly verdict: {
    readonly wave: UntrustedText
    readonly atMs: number
    readonly verdict: GateVerdict['verdict']
    readonly findings: readonly (Omit<GateFinding, 'msg'> & { readonly msg: UntrustedText })[]
  } | null
  readonly possible: ActsPossible
  readonly limits: { readonly failedPct: number; readonly slowPct: number }
}

/** Who a view of a rollout is told of. */
export interface FactsContext {
  readonly nowMs: number
  readonly driver: { readonly name: string; readonly isHere: boolean } | null
  readonly nodeNow: (key: NodeKey) => NodeNow | null
}

const RANKS: Readonly<Record<RolloutNode['standing'], number>> = {
  exception: 0,
  suspect: 1,
  reverting: 2,
  reverted: 3,
  probation: 4,
  confirming: 5,
  activating: 6,
  shadowing: 7,
  shadowed: 8,
  staging: 9,
  staged: 10,
  deferred: 11,
  waiting: 12,
  untouched: 13,
  done: 14,
}

const GROUP_OF: Readonly<Record<RolloutNode['standing'], Group>> = {
  waiting: 'waiting',
  staging: 'working',
  staged: 'working',
  shadowing: 'working',
  shadowed: 'working',
  activating: 'working',
  probation: 'serving',
  confirming: 'serving',
  done: 'done',
  untouched: 'untouched',
  deferred: 'deferred',
  suspect: 'suspect',
  reverting: 'back',
  reverted: 'back',
  exception: 'exception',
}

/** A node that stands so when the rollout ends was let go before it served anything. */
const UNDER_WAY: ReadonlySet<NodeStanding> = new Set(['waiting', 'staging', 'staged', 'shadowing', 'shadowed'])

const ASIDE: ReadonlySet<RolloutNode['standing']> = new Set(['deferred', 'suspect', 'exception'])

/** What of a rollout is shown, from its state and what the fleet knows now. */
export function rolloutFacts(state: RolloutState, context: FactsContext): RolloutFacts {
  const { plan } = state
  const nodes = [...state.nodes.values()]
    .map((node) => nodeRow(node, state, context))
    .sort((a, b) => RANKS[a.standing] - RANKS[b.standing])
  const counts = Object.fromEntries(GROUPS.map((group) => [group, 0])) as Record<Group, number>
  for (const node of nodes) counts[GROUP_OF[node.standing]] += 1
  const newest = newestVerdict(state)
  return {
    id: safe(state.id),
    what: safe(plan.undoes === null ? `${plan.item.name} ${plan.item.version}` : `undo of ${plan.undoes}`),
    by: safe(state.by.name),
    why: state.why === null ? null : safe(state.why),
    phase: state.phase,
    startedMs: state.startedAt,
    endedMs: state.endedAt,
    // What is over grows no older.
    nowMs: state.endedAt ?? context.nowMs,
    driver: context.driver === null ? null : { name: safe(context.driver.name), isHere: context.driver.isHere },
    term: state.term,
    total: nodes.length,
    counts,
    waits: safe(waitsFor(state, context)),
    waves: state.waves.map((wave, index) => waveRow(wave, index, state)),
    nodes,
    aside: nodes.filter(({ standing }) => ASIDE.has(standing)),
    verdict: newest,
    possible: actsPossible(state, context.driver !== null),
    limits: { failedPct: plan.strategy.gates.maxFailedPct, slowPct: plan.strategy.gates.maxSlowPct },
  }
}

function nodeRow(node: NodeState, state: RolloutState, { nodeNow, nowMs }: FactsContext): RolloutNode {
  const now = nodeNow(node.key)
  const isRunning = !hasEnded(state)
  const isUntouched = !isRunning && UNDER_WAY.has(node.standing)
  return {
    key: node.key,
    name: safe(node.key),
    site: safe(node.plan.site),
    wave: node.wave === null ? null : safe(state.waves[node.wave]?.name ?? ''),
    standing: isUntouched ? 'untouched' : node.standing,
    sinceMs: node.since,
    reach: now?.reach ?? null,
    says: safe(isUntouched ? '' : saysOf(node, now, isRunning, nowMs)),
    served: now?.change?.served ?? node.change?.served ?? null,
    p99Ms: now?.p99Ms ?? null,
  }
}

function saysOf(node: NodeState, now: NodeNow | null, isRunning: boolean, nowMs: number): string {
  const parts: string[] = []
  const change = now?.change ?? null
  if (isRunning && now !== null && now.reach !== 'up') parts.push(now.reach)
  if (node.standing === 'probation' && change?.until != null) {
    parts.push(`goes back in ${Math.max(0, Math.round((change.until - change.at) / 1000))}s unless confirmed`)
  }
  if (node.standing === 'staging' && change?.progress != null && change.progress.totalBytes > 0) {
    parts.push(`fetched ${Math.floor((100 * change.progress.doneBytes) / change.progress.totalBytes)} %`)
  }
  if (node.standing === 'shadowing' && change?.compared != null) {
    const { compared, agreed, wanted } = change.compared
    const share = compared === 0 ? '' : `, agrees on ${((100 * agreed) / compared).toFixed(1)} %`
    parts.push(`${compared} of ${wanted} pictures${share}`)
  }
  if (node.open !== null) {
    const age = Math.max(0, Math.round((nowMs - node.open.at) / 1000))
    parts.push(`${node.open.step}${node.open.attempt > 1 ? `, attempt ${node.open.attempt}` : ''}, asked ${age}s ago`)
  }
  if (node.why !== null) parts.push(node.why)
  if (node.failure !== null && node.failure.msg !== node.why && node.standing !== 'done') {
    parts.push(`${node.failure.step}: ${node.failure.msg} (${node.failure.code})`)
  }
  return parts.join('; ')
}

function waveRow(wave: WaveState, index: number, state: RolloutState): RolloutWave {
  const own = [...state.nodes.values()].filter((node) => node.wave === index)
  const people = [
    wave.approvedBy === null ? null : `${wave.approvedBy} approved`,
    wave.promotedBy === null ? null : `${wave.promotedBy} promoted`,
  ].filter((part) => part !== null)
  const why = [...people, ...(wave.why === null ? [] : [wave.why])].join('; ')
  const isBrokenOff = wave.phase === 'running' && (state.phase === 'reverting' || state.phase === 'reverted')
  return {
    name: safe(wave.name),
    phase: isBrokenOff ? 'brokenOff' : wave.phase,
    nodes: own.length,
    done: own.filter(({ standing }) => standing === 'done').length,
    serving: own.filter(({ standing }) => GROUP_OF[standing] === 'serving').length,
    beganMs: wave.beganAt,
    endedMs: isBrokenOff ? state.endedAt : wave.endedAt,
    needsApproval: wave.needsApproval,
    why: why === '' ? null : safe(why),
  }
}

function newestVerdict(state: RolloutState): RolloutFacts['verdict'] {
  const judged = state.waves.filter((wave) => wave.verdict !== null && wave.judgedAt !== null)
  const newest = judged.toSorted((a, b) => (b.judgedAt ?? 0) - (a.judgedAt ?? 0))[0]
  if (newest?.verdict == null || newest.judgedAt === null) return null
  return {
    wave: safe(newest.name),
    atMs: newest.judgedAt,
    verdict: newest.verdict.verdict,
    findings: newest.verdict.findings.map((finding) => ({ ...finding, msg: safe(finding.msg) })),
  }
}

/** Nodes by what they serve now: what was changed and serves, and what was not changed yet. */
export function sidesOf(state: RolloutState): {
  readonly changed: readonly NodeKey[]
  readonly unchanged: readonly NodeKey[]
} {
  const changed: NodeKey[] = []
  const unchanged: NodeKey[] = []
  for (const node of state.nodes.values()) {
    const serves = node.standing === 'probation' || node.standing === 'confirming' || node.standing === 'done'
    if (serves) changed.push(node.key)
    else if (!node.mayServe) unchanged.push(node.key)
  }
  return { changed, unchanged: [...unchanged, ...state.plan.peers] }
}
