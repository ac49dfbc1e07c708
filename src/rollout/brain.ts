import type { Observation, RolloutEvent } from './contract.ts'
import type { RolloutState } from './state.ts'

/** What happens next in a rollout: events to append, in order. An appended `step.intended` is the order for the step. */
export type Decide = (state: RolloutState, observation: Observation) => readonly RolloutEvent[]
