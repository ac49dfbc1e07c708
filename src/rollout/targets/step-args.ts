import type { ChangeVerb } from '../../../protocol/change.ts'
import type { JsonValue } from '../../link/link.ts'
import { STEP_VERBS, type StepOrder } from '../contract.ts'
import { itemOf } from '../plan-items.ts'

/** Longest reason that a node takes. */
const MAX_WHY_CHARS = 200

/** A step as a daemon is asked for it. */
export interface StepCommand {
  readonly verb: ChangeVerb
  readonly args: Readonly<Record<string, JsonValue>>
}

/** Verb and arguments (`protocol/change.ts`) of a step. @throws Error for an activation without its id */
export function stepCommand(order: StepOrder): StepCommand {
  const { plan, step, term, node, activation, mandate, why } = order
  const { strategy } = plan
  const head = {
    rollout: plan.rollout,
    term,
    ...(mandate === null ? {} : { mandate: mandate as unknown as JsonValue }),
  }
  const args = (): Readonly<Record<string, JsonValue>> => {
    switch (step) {
      case 'stage':
        return { item: { ...itemOf(plan, node) }, sources: plan.sources.map((source) => ({ ...source })) }
      case 'shadow': {
        const { source = 'live', samples = 1, samplePct, labelled = null } = strategy.shadow ?? {}
        return {
          source,
          samples,
          ...(samplePct === undefined ? {} : { samplePct }),
          ...(labelled === null ? {} : { labelled }),
        }
      }
      case 'activate':
        return {
          activation: mustHave(activation),
          confirmWithinSec: Math.round(strategy.confirmWithinSec),
          gates: { ...strategy.localGates },
        }
      case 'confirm':
        return { activation: mustHave(activation) }
      case 'revert':
        return {
          ...(activation === null ? {} : { activation }),
          why: (why ?? 'the rollout is taken back').slice(0, MAX_WHY_CHARS),
        }
      case 'end':
        return {}
    }
  }
  return { verb: STEP_VERBS[step], args: { ...head, ...args() } }
}

function mustHave(activation: string | null): string {
  if (activation === null) throw new Error('a step of an activation names none')
  return activation
}
