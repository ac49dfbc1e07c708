import type { Item, Source } from '../../protocol/change.ts'
import type { Decision, Holder, JournalEntry, NodeKey, Plan, Strategy, TargetKind } from './contract.ts'

/** What somebody wants rolled out; what it comes to is a {@link Plan}. */
export interface RolloutWish {
  readonly target: TargetKind
  readonly item: Item
  readonly sources: readonly Source[]
  /** Whom it is for, by the operator's names. */
  readonly nodes: readonly NodeKey[]
  readonly strategy: Strategy
  /** The rollout that it takes back; null when it takes none back. */
  readonly undoes: string | null
}

/** A rollout as its journal tells it. Texts in it are by whoever wrote them: make them safe before they are shown. */
export interface RolloutView {
  readonly id: string
  readonly plan: Plan
  /** All of them in order, also those that do not count; `fold` makes the state of them. */
  readonly entries: readonly JournalEntry[]
  /** Who drives it now; null when nobody does. */
  readonly driver: Holder | null
  /** Whether that is this process. */
  readonly isDrivenHere: boolean
}

/** What a person decides about a rollout. */
export interface DecisionWish {
  readonly decision: Decision
  /** Wave that an approval or promotion is for; null for the one that it is at. */
  readonly wave: string | null
  readonly why: string | null
}

/**
 * The rollouts of one fleet: all that a screen or a command needs of them. Every method that asks the journal throws
 * EdgeError `JOURNAL_FAILING` when it cannot be read or written; then nothing was done, or the error says what was.
 */
export interface RolloutService {
  /** Ids, newest first. */
  list(): Promise<readonly string[]>
  /** @throws EdgeError `ROLLOUT_MISSING` */
  view(id: string): Promise<RolloutView>
  /** Call `took` with the rollout as it is now and whenever that changes, until the signal. @throws as {@link view} */
  follow(id: string, took: (view: RolloutView) => void, signal: AbortSignal): Promise<void>
  /**
   * What would happen to the fleet as it is now. Nothing is written. A wish that undoes a rollout brings each node what it had
   * before that, whatever item it names; the rollout has been looked at before, by {@link view} or {@link follow}.
   * @throws EdgeError `PLAN_INVALID`
   */
  plan(wish: RolloutWish): Plan
  /** Sign a plan, with a mandate for each of its nodes, and write it down; it begins once somebody drives it. @throws EdgeError `RIGHT_MISSING` */
  start(plan: Plan, why: string | null): Promise<void>
  /** Sign a decision and write it down; whoever drives obeys. @throws EdgeError `ROLLOUT_MISSING` | `RIGHT_MISSING` */
  decide(id: string, wish: DecisionWish): Promise<void>
  /**
   * Drive what nobody drives and has not ended, one rollout or (null) all, until the signal; resolves once every lease is
   * given back, or the one rollout has ended. Others may go on with what is left.
   */
  drive(id: string | null, signal: AbortSignal): Promise<void>
  /** Ids that are driven by this process now. */
  driving(): readonly string[]
}
