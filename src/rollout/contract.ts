import type { ChangeFault, ChangeStatus, ChangeVerb, Item, LocalGates, Mandate, Source } from '../../protocol/change.ts'

/** Where a rollout happens: daemons take models and configuration; a cluster takes workloads. */
export type TargetKind = 'daemon' | 'workload'

/** The operator's name of a node in its fleet. */
export type NodeKey = string

/** A count, or a share of the nodes, percent (rounded up to at least one). */
export type Portion = { readonly count: number } | { readonly percent: number }

/** Who goes first. `representative`: of each site and class one that is healthy. */
export type Canary =
  | { readonly kind: 'representative' }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'nodes'; readonly nodes: readonly NodeKey[] }

/** How a rollout goes; everything has a default, see `strategy.ts`. */
export interface Strategy {
  readonly canary: Canary
  /** Sizes of the waves after the canary; the last one is repeated until all nodes are in one. */
  readonly waves: readonly Portion[]
  /** Most nodes of a site that may be unavailable at once, whatever made them so. */
  readonly siteBudget: Portion
  /** Most steps under way at once. */
  readonly parallel: number
  /** How long a wave is watched before the next, s: at least, and at most when gates stay inconclusive. */
  readonly soakSec: number
  readonly maxSoakSec: number
  /** Names of waves behind which somebody has to approve: `canary`, `wave-1`, …, or `all`. */
  readonly pauseAfter: readonly string[]
  /** Shadow before a node serves it; null for none. */
  readonly shadow: ShadowPlan | null
  readonly gates: GateLimits
  readonly localGates: LocalGates
  /** Most nodes of a wave that may fail or return by themselves before the rollout stops. */
  readonly maxFailedNodes: number
  readonly confirmWithinSec: number
  /** A node that is dark longer after its step stops the rollout, s. */
  readonly darkSec: number
  /** How long a deferred node is waited for after the last wave, s. */
  readonly deferredForSec: number
}

/** @see Strategy */
export interface ShadowPlan {
  /** Nodes that try it on shadow first: those of the canary, or every one. */
  readonly nodes: 'canary' | 'all'
  readonly source: 'live' | 'kept' | 'labelled'
  readonly samples: number
  /** Most of the live pictures, percent; what a node takes by itself when absent. */
  readonly samplePct?: number | undefined
  readonly maxDisagreePct: number
  /** Of a labelled set, points that the candidate may get wrong more than the current one. */
  readonly maxWorsePoints: number
  readonly labelled: string | null
}

/** Limits of the engine's gates; shares are percent. */
export interface GateLimits {
  readonly maxFailedPct: number
  readonly maxSlowPct: number
  readonly maxDisagreePct: number
  /** Times the share of nodes not yet changed that counts as worse. */
  readonly worseFactor: number
  /**
   * Times the expected share that a wave must not pass with: it goes on being watched until that would have shown, with a chance
   * of at most `missed` that it does not. 1, or absent in plans of before: nothing has to be shown.
   */
  readonly severeFactor?: number | undefined
  readonly missed?: number | undefined
  /** Fewer requests of a side decide nothing. */
  readonly minRequests: number
  /** Chance of stopping a release that is as good as the one before, over the whole rollout. */
  readonly falseStop: number
}

/** A node as it was when the plan was made. Ids are pinned: a node that comes later is not part of it. */
export interface PlanNode {
  readonly key: NodeKey
  /** As its certificate or welcome names it. */
  readonly name: string
  readonly site: string
  readonly nodeClass: 'light' | 'heavy' | null
  /** Requests a second of the last minute; null when nobody knows. */
  readonly requestsPerSec: number | null
  /** The package that it had confirmed; null when it had none or told nothing: its change tells then what it goes back to. */
  readonly before: Item | null
  /** What this node gets where it is not the plan's item: an undo brings each its own. */
  readonly item: Item | null
}

/** @see Plan */
export interface Wave {
  /** `canary`, `wave-1`, … */
  readonly name: string
  readonly nodes: readonly NodeKey[]
  readonly needsApproval: boolean
}

/** What will happen, as it was shown before anything happened. */
export interface Plan {
  readonly v: 1
  readonly rollout: string
  readonly target: TargetKind
  readonly item: Item
  readonly sources: readonly Source[]
  readonly strategy: Strategy
  /** Every node that the plan names: in waves, deferred, unchanged, left out, peers. */
  readonly nodes: readonly PlanNode[]
  readonly waves: readonly Wave[]
  /** Nodes that are dark or locked now: they are in no wave and catch up later. */
  readonly deferred: readonly { readonly key: NodeKey; readonly why: string }[]
  /** Nodes that have it already. */
  readonly unchanged: readonly NodeKey[]
  /** Nodes that were asked for and cannot be changed, with the reason. */
  readonly leftOut: readonly { readonly key: NodeKey; readonly why: string }[]
  /** Other nodes of the same sites that nobody changes: what changed ones are compared with. */
  readonly peers: readonly NodeKey[]
  /** The rollout that this one takes back. */
  readonly undoes: string | null
  /** Requests a second of the whole fleet at that time, of the nodes that told; absent where none did. */
  readonly fleetRequestsPerSec?: number
}

/** A step of a node, in the order they happen; `revert` at any time. */
export const STEPS = ['stage', 'shadow', 'activate', 'confirm', 'end', 'revert'] as const
/** @see STEPS */
export type StepName = (typeof STEPS)[number]
/** Verb that carries a step out on a daemon. */
export const STEP_VERBS: Readonly<Record<StepName, ChangeVerb>> = {
  stage: 'change.stage',
  shadow: 'change.shadow',
  activate: 'change.activate',
  confirm: 'change.confirm',
  end: 'change.end',
  revert: 'change.revert',
}

/** What a person decides; each is signed by them and appended to the journal, and drivers obey it. */
export const DECISIONS = ['pause', 'resume', 'approve', 'promote', 'abort'] as const
/** @see DECISIONS — `approve` lets the next wave begin, `promote` passes the rest of the soak and what is inconclusive. */
export type Decision = (typeof DECISIONS)[number]

/**
 * Who decided something, and that they did: signed is what they decided with the place of the entry in the journal
 * (`signed-words.ts`), so that no word counts a second time. Null on a fleet without identities.
 */
export interface Author {
  readonly name: string
  /** Base64; as of a mandate. */
  readonly signature: string | null
  /** Certificate of who signed and its issuers, DER in base64. */
  readonly chain: readonly string[] | null
}

/** Counters of one node over one stretch of time, from exact counters. */
export interface Counts {
  readonly requests: number
  readonly failed: number
  readonly slow: number
}

/** Counters of a node at the moment that a stretch begins. */
export interface Baseline extends Counts {
  /** Counters of another start of the daemon cannot be compared. */
  readonly instance: string | null
  readonly criticalAlerts: number
}

/** One comparison of a gate, with the figures it was made from. */
export interface GateFinding {
  readonly gate: 'failed' | 'slow' | 'disagrees' | 'labelled' | 'alerts' | 'dark'
  /** Against a limit, or against nodes not yet changed. */
  readonly against: 'limit' | 'baseline'
  readonly verdict: 'pass' | 'fail' | 'inconclusive'
  /** One line with the figures: "3 of 412 failed (0.7 %), limit 2 %". */
  readonly msg: string
  readonly changed: Counts | null
  readonly baseline: Counts | null
}

/** @see GateFinding */
export interface GateVerdict {
  readonly verdict: 'pass' | 'fail' | 'inconclusive'
  readonly findings: readonly GateFinding[]
}

/** What a driver knows of a node now. */
export interface NodeObservation {
  readonly key: NodeKey
  /** Driver's clock, Unix ms, of the last word; null when it was never heard. */
  readonly heardAt: number | null
  /** Driver's clock when it last told its change and counters: not after `heardAt`, which a mere heartbeat moves too. */
  readonly toldAt: number | null
  readonly reach: 'up' | 'stale' | 'offline' | 'unknown'
  /** Changes with every start of the daemon, when counters begin again. */
  readonly instance: string | null
  /** Cumulative since the start. */
  readonly counters: Counts | null
  readonly criticalAlerts: number
  readonly change: ChangeStatus | null
  readonly confirmed: readonly Item[]
}

/** All that a decision is made from; what of it mattered goes into the event. */
export interface Observation {
  /** Clock of the driver, Unix ms: never behind the newest event, whoever's clock that is by. */
  readonly nowMs: number
  /** Since when this driver listens without a break: who was not heard before it began is not dark for that. */
  readonly watchingSince: number
  readonly nodes: ReadonlyMap<NodeKey, NodeObservation>
}

/** How a node stands in a rollout. */
export type NodeStanding =
  | 'waiting'
  | 'staging'
  | 'staged'
  | 'shadowing'
  | 'shadowed'
  | 'activating'
  | 'probation'
  | 'confirming'
  | 'done'
  | 'deferred'
  | 'suspect'
  | 'reverting'
  | 'reverted'
  | 'exception'

/** What happened, in order: the state of a rollout is a fold over these. Every event names the driver's term (0 for people). */
export type RolloutEvent = { readonly at: number; readonly term: number } & (
  | { readonly type: 'rollout.started'; readonly plan: Plan; readonly by: Author; readonly why: string | null }
  /** Mandates of some of the nodes, behind the start; fewer than 1 000 of them in an event. The fold passes them over. */
  | {
      readonly type: 'mandates.given'
      readonly chain: readonly string[]
      readonly mandates: readonly { readonly key: NodeKey; readonly mandate: Omit<Mandate, 'chain'> }[]
    }
  /** Somebody drives from here on; the term is one more than the highest before, so that each term has one driver. */
  | { readonly type: 'driver.took'; readonly holder: string }
  | {
      readonly type: 'person.decided'
      readonly decision: Decision
      /** Wave that an approval or promotion is for. */
      readonly wave: string | null
      readonly by: Author
      readonly why: string | null
    }
  | { readonly type: 'wave.began'; readonly wave: string }
  /** Before the effect: a driver that dies after this has its successor do it again, in the successor's own term. */
  | {
      readonly type: 'step.intended'
      readonly node: NodeKey
      readonly step: StepName
      readonly attempt: number
      readonly activation: string | null
      readonly why: string | null
    }
  /** The node took a step, or its status tells how far it is with it by now: `change` says which. */
  | {
      readonly type: 'step.done'
      readonly node: NodeKey
      readonly step: StepName
      readonly change: ChangeStatus | null
    }
  | {
      readonly type: 'step.failed'
      readonly node: NodeKey
      readonly step: StepName
      readonly code: string
      readonly msg: string
      /** Whether it is tried again. */
      readonly isFinal: boolean
    }
  /** What a node did by itself: a probation that ended there. */
  | { readonly type: 'node.returned'; readonly node: NodeKey; readonly fault: ChangeFault; readonly msg: string }
  | { readonly type: 'node.deferred'; readonly node: NodeKey; readonly why: string }
  | { readonly type: 'node.suspected'; readonly node: NodeKey; readonly why: string }
  | { readonly type: 'node.cleared'; readonly node: NodeKey; readonly why: string }
  /** Counters of a stretch begin here: the gates compare with these. `start` is the wave's name when the rollout begins. */
  | {
      readonly type: 'baseline.taken'
      readonly wave: string
      readonly counters: Readonly<Record<NodeKey, Baseline>>
    }
  | { readonly type: 'gate.judged'; readonly wave: string; readonly verdict: GateVerdict }
  | { readonly type: 'wave.ended'; readonly wave: string; readonly why: string }
  | { readonly type: 'rollout.paused'; readonly why: string }
  | { readonly type: 'rollout.failing'; readonly why: string }
  | {
      readonly type: 'rollout.ended'
      readonly outcome: 'done' | 'reverted'
      /** Nodes that are neither changed nor back, each with the reason. */
      readonly exceptions: readonly { readonly key: NodeKey; readonly why: string }[]
    }
)

/** Where a rollout is. */
export type RolloutPhase = 'running' | 'paused' | 'reverting' | 'done' | 'reverted'

/** An event as it is kept; `seq` rises by one within a rollout, from 1. */
export interface JournalEntry {
  readonly seq: number
  readonly event: RolloutEvent
  /** Why it does not count: a decision that was not signed by somebody who may. Found when it is read, never kept. */
  readonly ignored?: string
}

/** What became of an append. `conflict`: somebody else appended first; read on and decide again. */
export type AppendOutcome =
  | { readonly ok: true; readonly seq: number }
  | { readonly ok: false; readonly why: 'conflict' }

/** Keeps events of rollouts in order, each on the disk before `append` resolves. Throws EdgeError when it cannot. */
export interface Journal {
  /** Rollouts by id, newest first, with their first events. */
  list(): Promise<readonly string[]>
  read(rollout: string, afterSeq?: number): Promise<readonly JournalEntry[]>
  /** Only when the last event of the rollout is `expectedSeq` (0 for a new one). */
  append(rollout: string, event: RolloutEvent, expectedSeq: number): Promise<AppendOutcome>
  /** Called with events as they come, those of others too, until the signal. */
  follow(rollout: string, afterSeq: number, took: (entry: JournalEntry) => void, signal: AbortSignal): Promise<void>
}

/** Somebody who drives a rollout, and for how much longer at most if they say nothing more. */
export interface Holder {
  readonly heldBy: string
  readonly forMs: number
}

/**
 * Who drives a rollout, so that a second one waits while the first lives. It keeps nobody out by itself: that is done by the
 * terms of `driver.took` in the journal, which daemons compare, and by the expected sequence of every append.
 */
export interface LeaseBook {
  /** Take it, or say who holds it and for how much longer. Throws EdgeError `JOURNAL_FAILING`. */
  take(rollout: string, holder: string): Promise<Lease | Holder>
  /** Who holds it now; null when nobody does. */
  look(rollout: string): Promise<Holder | null>
}

/** @see LeaseBook */
export interface Lease {
  /** Monotonic ms (`performance.now()`) until which it is surely held: measured from before it was asked for. */
  readonly untilMs: number
  /** False when somebody else has it by now. */
  renew(): Promise<boolean>
  release(): Promise<void>
}

/** Carries steps out and tells how nodes are: daemons through links, or a cluster. */
export interface Target {
  observe(nodes: readonly NodeKey[]): Observation
  /** Idempotent. The outcome is the node's own word; `retry` when nobody knows what became of it. */
  carryOut(order: StepOrder): Promise<StepOutcome>
}

/** @see Target */
export interface StepOrder {
  readonly plan: Plan
  readonly term: number
  readonly node: NodeKey
  readonly step: StepName
  readonly activation: string | null
  readonly why: string | null
  /** Null on a fleet without identities. */
  readonly mandate: Mandate | null
}

/** @see Target */
export type StepOutcome =
  | { readonly ok: true; readonly change: ChangeStatus | null }
  | { readonly ok: false; readonly code: string; readonly msg: string; readonly retry: boolean }
