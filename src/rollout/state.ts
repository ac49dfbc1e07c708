import type { ChangeFault, ChangeStatus, Item } from '../../protocol/change.ts'
import type {
  Author,
  Baseline,
  Decision,
  GateVerdict,
  NodeKey,
  NodeStanding,
  Plan,
  PlanNode,
  RolloutPhase,
  StepName,
} from './contract.ts'
import type { GateInput } from './gates/contract.ts'

/** Name of the wave after the last one, of nodes that could not be changed in theirs. */
export const CATCH_UP = 'catch-up'
/** Name under which the counters of the beginning are kept. */
export const START = 'start'

/** A wave as it stands. */
export interface WaveState {
  readonly name: string
  /** As planned; a node's own `wave` says where it is by now. */
  readonly nodes: readonly NodeKey[]
  readonly needsApproval: boolean
  readonly phase: 'waiting' | 'running' | 'ended'
  readonly beganAt: number | null
  readonly endedAt: number | null
  /** Why it ended. */
  readonly why: string | null
  /** Who let the next wave begin. */
  readonly approvedBy: string | null
  /** Who passed the rest of the soak. */
  readonly promotedBy: string | null
  readonly verdict: GateVerdict | null
  readonly judgedAt: number | null
  /** What changed and unchanged nodes had counted at each judgement of the stretch that runs. */
  readonly looks: GateInput['looks']
  /** Counters as the soak began, and when that was; taken anew for nodes of the wave that come later. */
  readonly baseline: Readonly<Record<NodeKey, Baseline>> | null
  readonly soakFrom: number | null
  /** Stretches that were judged or are: more than one where nodes came late. */
  readonly soaks: number
}

/** A step that was ordered and of which nobody knows yet what became. */
export interface OpenStep {
  readonly step: StepName
  readonly attempt: number
  readonly activation: string | null
  readonly why: string | null
  readonly at: number
}

/** How the last try of a step went wrong. */
export interface StepFailure {
  readonly step: StepName
  readonly attempt: number
  readonly at: number
  readonly code: string
  readonly msg: string
  readonly isFinal: boolean
}

/** A node as it stands in a rollout. */
export interface NodeState {
  readonly key: NodeKey
  readonly plan: PlanNode
  /** Index of its wave in {@link RolloutState.waves}; null while it is in none. */
  readonly wave: number | null
  readonly standing: NodeStanding
  /** Driver's clock: since when. */
  readonly since: number
  /** Why it stands so, where there is something to say. */
  readonly why: string | null
  readonly open: OpenStep | null
  /** When the node last answered or told something of its step, driver's clock. */
  readonly answeredAt: number | null
  readonly failure: StepFailure | null
  /** Activation that was ordered last, and how many there were. */
  readonly activation: string | null
  readonly activations: number
  /** Since when it serves the new item on probation. */
  readonly probationAt: number | null
  /** It may serve the new item: its activation was ordered, and nobody knows it back. */
  readonly mayServe: boolean
  readonly isConfirmed: boolean
  /** It may hold the node's lock for this rollout. */
  readonly isHeld: boolean
  /** Why the node itself took it back or never served it. */
  readonly fault: ChangeFault | null
  /** Times that it went back because nobody confirmed. */
  readonly unconfirmed: number
  /** What it was before it was suspected. */
  readonly suspectedFrom: NodeStanding | null
  readonly change: ChangeStatus | null
  /** What it had before, by its own word of this change, else by the plan; null where nobody knows. */
  readonly before: Item | null
}

/** What a person decided. */
export interface DecisionMade {
  readonly at: number
  readonly decision: Decision
  readonly wave: string | null
  readonly by: Author
  readonly why: string | null
}

/** A rollout as its journal tells it: what {@link fold} makes of the events. */
export interface RolloutState {
  readonly id: string
  readonly plan: Plan
  readonly by: Author
  readonly why: string | null
  readonly startedAt: number
  /** Of the last event, and when it was. */
  readonly seq: number
  readonly at: number
  /** Term of whoever drives it; 0 before anybody did. */
  readonly term: number
  readonly driver: { readonly holder: string; readonly since: number } | null
  readonly phase: RolloutPhase
  /** Since when it is paused or taken back, and why; `by` is null when the engine did it. */
  readonly halt: { readonly at: number; readonly why: string; readonly by: string | null } | null
  readonly resumedAt: number | null
  readonly waves: readonly WaveState[]
  readonly nodes: ReadonlyMap<NodeKey, NodeState>
  /** Counters as the rollout began. */
  readonly start: Readonly<Record<NodeKey, Baseline>> | null
  /** Somebody promoted it although it says other things than the one before: that alone stops it no more. */
  readonly isDisagreementAccepted: boolean
  readonly decisions: readonly DecisionMade[]
  readonly endedAt: number | null
  readonly exceptions: readonly { readonly key: NodeKey; readonly why: string }[]
}

/** The wave that runs; null before the first, between two and after the last. */
export function runningWave(state: Pick<RolloutState, 'waves'>): number | null {
  const index = state.waves.findIndex((wave) => wave.phase === 'running')
  return index < 0 ? null : index
}

/** The wave that ended and waits for somebody to approve what comes after it; null when none does. */
export function awaitsApproval(state: Pick<RolloutState, 'waves' | 'phase' | 'nodes' | 'plan'>): WaveState | null {
  if (state.phase !== 'running' && state.phase !== 'paused') return null
  if (runningWave(state) !== null) return null
  const next = state.waves.findIndex((wave) => wave.phase === 'waiting')
  const before = next < 0 && mayCatchUp(state) ? state.waves.at(-1) : state.waves[next - 1]
  return before?.needsApproval === true && before.approvedBy === null ? before : null
}

/** Whether nodes are left that catch up after the last wave. */
export function mayCatchUp({ waves, nodes, plan }: Pick<RolloutState, 'waves' | 'nodes' | 'plan'>): boolean {
  if (plan.strategy.deferredForSec === 0 || waves.some(({ name }) => name === CATCH_UP)) return false
  return [...nodes.values()].some(({ standing }) => standing === 'deferred')
}

/** Whether it is over. */
export function hasEnded(state: Pick<RolloutState, 'phase'>): boolean {
  return state.phase === 'done' || state.phase === 'reverted'
}
