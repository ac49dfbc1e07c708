import type { Plan, StepOrder } from './contract.ts'
import { hasEnded, type RolloutState } from './state.ts'

/** An order to which the driver adds the node's mandate. */
export type OpenOrder = Omit<StepOrder, 'mandate'>

/**
 * Steps that were ordered and whose outcome nobody wrote down: what a driver carries out now, and what one that takes over
 * does again, which harms nothing. They name the term of whoever drives now.
 */
export function openSteps(state: RolloutState): OpenOrder[] {
  if (hasEnded(state) || state.term === 0) return []
  const plan = state.isDisagreementAccepted ? withoutDisagreement(state.plan) : state.plan
  return [...state.nodes.values()].flatMap(({ key, open }) =>
    open === null
      ? []
      : [
          {
            plan,
            term: state.term,
            node: key,
            step: open.step,
            activation: open.activation,
            why: open.why,
          },
        ],
  )
}

/** Nodes do not go back for what somebody accepted. */
function withoutDisagreement(plan: Plan): Plan {
  const { strategy } = plan
  return { ...plan, strategy: { ...strategy, localGates: { ...strategy.localGates, maxDisagreePct: 100 } } }
}
