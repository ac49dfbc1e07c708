import type { ShadowReport } from '../../protocol/change.ts'
import { applyEvent } from './apply-event.ts'
import type { GateVerdict, NodeKey, NodeObservation, Observation, RolloutEvent, ShadowPlan } from './contract.ts'
import { type Draft, draftOf } from './draft.ts'
import type { GateInput } from './gates/contract.ts'
import type { NodeState, RolloutState } from './state.ts'

/** An event before it is said when and by whose term. */
export type Happening = RolloutEvent extends infer E ? (E extends unknown ? Omit<E, 'at' | 'term'> : never) : never

/** Who judges waves and shadows: pure functions of the figures. */
export interface Judges {
  readonly wave: (input: GateInput) => GateVerdict
  readonly shadow: (report: ShadowReport, plan: ShadowPlan) => GateVerdict
}

/** One look at a rollout: what is decided is events, and each already counts for what is decided next. */
export class Deliberation {
  readonly draft: Draft
  readonly judges: Judges
  readonly events: RolloutEvent[] = []
  readonly nowMs: number
  readonly #observation: Observation

  constructor(state: RolloutState, observation: Observation, judges: Judges) {
    this.draft = draftOf(state)
    this.judges = judges
    this.#observation = observation
    this.nowMs = observation.nowMs
  }

  /** Decide that something happens; it has happened to the draft on return. */
  emit(happening: Happening): void {
    const event = { ...happening, at: this.nowMs, term: this.draft.term } as RolloutEvent
    this.events.push(event)
    applyEvent(this.draft, event)
  }

  /** Nodes that are to be changed, as they stand now. */
  nodes(): NodeState[] {
    return [...this.draft.nodes.values()]
  }

  /** A node as it stands now. */
  node(key: NodeKey): NodeState {
    return this.draft.nodes.get(key) as NodeState
  }

  /** What is known of a node; undefined when nothing is. */
  seen(key: NodeKey): NodeObservation | undefined {
    return this.#observation.nodes.get(key)
  }

  isUp(key: NodeKey): boolean {
    return this.seen(key)?.reach === 'up'
  }

  /** Since when this driver listens, by its clock. */
  get watchingSince(): number {
    return this.#observation.watchingSince
  }

  /** How long nothing was heard of a node that is not up, ms; 0 for one that is. Time in which nobody listened is not counted. */
  darkForMs(key: NodeKey): number {
    if (this.isUp(key)) return 0
    const heard = this.seen(key)?.heardAt ?? 0
    const since = Math.max(Number.isFinite(heard) ? heard : 0, this.#observation.watchingSince)
    return Math.max(0, this.nowMs - since)
  }
}
