import type { Counts, GateLimits, NodeKey, PlanNode } from '../contract.ts'

/** One node that has not changed yet, over the stretch of time that is judged. */
export interface PeerEvidence {
  readonly key: NodeKey
  readonly site: string
  readonly nodeClass: PlanNode['nodeClass']
  /** All that it counted before the rollout began: what is unlike its peers from the start is no fault of the change. Null when unknown. */
  readonly before: Counts | null
  /** What it counted in the stretch that is judged: one stretch for changed and unchanged nodes. Null when it is dark or told nothing. */
  readonly since: Counts | null
  /** Critical alerts that fire now beyond those at the start of the stretch. */
  readonly newCriticalAlerts: number
}

/** One node that serves the new item. */
export interface ChangedEvidence extends PeerEvidence {
  /** Pictures that the item before saw too, and on how many the two differed or the new one failed; null when nothing was compared. */
  readonly compared: { readonly pictures: number; readonly disagreed: number } | null
}

/** What the gates of a wave are judged by. */
export interface GateInput {
  readonly limits: GateLimits
  /** One of so many equal parts of `limits.falseStop` may be spent on this judgement: waves of the rollout, and soaks of each. */
  readonly waves: number
  readonly changed: readonly ChangedEvidence[]
  readonly unchanged: readonly PeerEvidence[]
  /** What all changed and all unchanged nodes had counted at each look since the stretch began: bursts show in it. */
  readonly looks: { readonly changed: readonly Counts[]; readonly unchanged: readonly Counts[] }
}
