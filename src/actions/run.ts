import { type ActingFor, type ActionId, actionOf, missingFor } from './table.ts'

/** What a screen does for the actions it knows; it leaves out those that have no meaning now. */
export type ActionHandlers = Partial<Record<ActionId, () => void>>

/** What running an action needs from where the operator is. */
export interface ActionContext {
  /** By what right, and where. */
  readonly acting: ActingFor
  /** The operator looks at the past: nothing may be changed from there. */
  readonly locked: boolean
  /** Innermost first: a dialog, the screen, the application. The first that knows the action runs it. */
  readonly handlers: readonly ActionHandlers[]
  /** Ask before something destructive; calls back when the answer is yes. */
  readonly confirm: (question: string, then: () => void) => void
}

/** What became of an attempt to run an action. */
export type RunOutcome = 'ran' | 'asked' | 'forbidden' | 'locked' | 'meaningless'

/** Run an action where the operator is: check the rights and the time, ask before destruction, then hand it to whoever knows it. */
export function runAction(id: ActionId, context: ActionContext): RunOutcome {
  const handler = context.handlers.find((handlers) => handlers[id])?.[id]
  if (!handler) return 'meaningless'
  const action = actionOf(id)
  if (missingFor(action, context.acting) !== null) return 'forbidden'
  if (context.locked && action.danger !== 'none') return 'locked'
  if (action.danger === 'destructive') {
    context.confirm(`${action.title}? ${action.description}`, handler)
    return 'asked'
  }
  handler()
  return 'ran'
}
