import type { Decide } from '../../../src/rollout/brain.ts'
import type { RolloutEvent, StepName } from '../../../src/rollout/contract.ts'

/** The next step of a node by how far it is. */
const NEXT: Readonly<Record<string, StepName>> = { none: 'stage', staged: 'activate', probation: 'confirm' }

/**
 * The plainest way to the end: every node is staged, activated, confirmed and let go, all at once, by what its status says;
 * what a person aborted is taken back. For tests of drivers, which are to be right whatever is decided.
 */
export const plainBrain: Decide = (state, { nowMs, nodes }) => {
  const events: RolloutEvent[] = []
  const head = { at: nowMs, term: state.term }
  let isOver = true
  for (const { key, open, activation } of state.nodes.values()) {
    const change = nodes.get(key)?.change ?? null
    const phase = change?.phase ?? 'none'
    const isBack = phase === 'none' || phase === 'reverted'
    const step =
      state.phase === 'reverting'
        ? isBack
          ? change?.isLocked === true
            ? 'end'
            : null
          : 'revert'
        : (NEXT[phase] ?? (change?.isLocked === true ? 'end' : null))
    if (step === null && open === null) continue
    isOver = false
    if (step === null || open !== null) continue
    const named = step === 'stage' || step === 'end' ? null : (activation ?? `${state.id}-${key}`)
    events.push({ ...head, type: 'step.intended', node: key, step, attempt: 1, activation: named, why: null })
  }
  if (isOver) {
    const outcome = state.phase === 'reverting' ? 'reverted' : 'done'
    events.push({ ...head, type: 'rollout.ended', outcome, exceptions: [] })
  }
  return events
}
