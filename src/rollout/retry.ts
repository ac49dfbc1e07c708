import type { StepName } from './contract.ts'
import type { Deliberation } from './deliberation.ts'
import type { NodeState } from './state.ts'

const FIRST_WAIT_MS = 2000
const LONGEST_WAIT_MS = 60_000
/** Tries of a step in a row. */
export const MOST_TRIES = 8
/** A step that was taken and of which the status tells nothing new is sent again after so long: its answer says how far it is. */
const QUIET_MS: Readonly<Record<StepName, number>> = {
  stage: 120_000,
  shadow: 120_000,
  activate: 20_000,
  confirm: 20_000,
  end: 20_000,
  revert: 20_000,
}

/** How long the next try waits after so many. */
export function backoffMs(attempt: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, attempt - 1))
}

/** Whether a step may be ordered now: none is under way, and the last try is long enough ago. */
export function mayTry({ nowMs }: Deliberation, { open, failure }: NodeState, step: StepName): boolean {
  if (open !== null) return false
  if (failure === null || failure.step !== step) return true
  return !failure.isFinal && failure.attempt < MOST_TRIES && nowMs >= failure.at + backoffMs(failure.attempt)
}

/** Whether a step was tried as often as it is. */
export function isExhausted({ failure }: NodeState, step: StepName): boolean {
  return failure?.step === step && (failure.isFinal || failure.attempt >= MOST_TRIES)
}

/** Whether nothing was told of a step for so long that it is sent again. */
export function isQuiet({ nowMs }: Deliberation, node: NodeState, step: StepName): boolean {
  return node.open === null && nowMs - (node.answeredAt ?? node.since) >= QUIET_MS[step]
}

/** Order a step; `why` goes to the node with a revert. */
export function order(
  on: Deliberation,
  node: NodeState,
  step: StepName,
  { activation = activationOf(node, step), why = null }: { activation?: string | null; why?: string | null } = {},
): void {
  const attempt = node.failure?.step === step ? node.failure.attempt + 1 : 1
  on.emit({ type: 'step.intended', node: node.key, step, attempt, activation, why })
}

/** Steps that are about what serves name the activation. */
function activationOf({ activation }: NodeState, step: StepName): string | null {
  return step === 'activate' || step === 'confirm' || step === 'revert' ? activation : null
}
