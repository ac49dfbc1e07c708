import type { Decision } from '../../rollout/contract.ts'
import { awaitsApproval, hasEnded, type RolloutState, runningWave } from '../../rollout/state.ts'

/** What an operator can do about a rollout from its screen. */
export const ACTS = ['pause', 'resume', 'approve', 'promote', 'abort', 'undo', 'drive'] as const
/** @see ACTS */
export type Act = (typeof ACTS)[number]

/** By act why it is not possible now; null when it is. */
export type ActsPossible = Readonly<Record<Act, string | null>>

/** Decisions among the acts. */
export function isDecision(act: Act): act is Extract<Act, Decision> {
  return act !== 'undo' && act !== 'drive'
}

/** What can be done about a rollout as it stands. */
export function actsPossible(state: RolloutState, isDriven: boolean): ActsPossible {
  const over = hasEnded(state) ? 'it is over' : state.phase === 'reverting' ? 'it is going back already' : null
  const changed = [...state.nodes.values()].some(({ isConfirmed, standing }) => isConfirmed || standing === 'done')
  return {
    pause: over ?? (state.phase === 'paused' ? 'it is paused already' : null),
    resume: over ?? (state.phase === 'paused' ? null : 'it is not paused'),
    approve: over ?? (awaitsApproval(state) === null ? 'no wave waits for approval' : null),
    promote: over ?? (runningWave(state) === null ? 'no wave is being watched' : null),
    abort: over,
    undo: !hasEnded(state) ? 'it still runs: abort takes it back' : changed ? null : 'it changed no node',
    drive: hasEnded(state) ? 'it is over' : isDriven ? 'somebody drives it already' : null,
  }
}
