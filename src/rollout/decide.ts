import type { Observation, RolloutEvent } from './contract.ts'
import { Deliberation, type Judges } from './deliberation.ts'
import { endWhenBack, endWhenDone } from './ending.ts'
import { heed } from './heed.ts'
import { mayMoreJoin, prepare } from './prepare.ts'
import { settle, takeBack } from './settle.ts'
import { beginSoak, judgeAndConfirm, pauseOnExceptions, stopOnFailedNodes, takeStart } from './soak.ts'
import { hasEnded, type RolloutState } from './state.ts'
import { suspectAndDefer } from './suspicion.ts'
import { moveWaves } from './wave-progress.ts'

/**
 * What happens next, from all that is known: events for the journal, in order. A `step.intended` among them is the order for
 * the step. Pure; the same state, observation and judges give the same events, and with nothing new there are none.
 *
 * While a rollout is paused no node begins to serve the new item. Those that do on probation are judged on: who passes is
 * confirmed, who fails stops the rollout, and who is neither goes back by itself in time and is changed anew after `resume`.
 */
export function decide(state: RolloutState, observation: Observation, judges: Judges): RolloutEvent[] {
  if (hasEnded(state) || state.term === 0) return []
  const on = new Deliberation(state, observation, judges)
  heed(on)
  const { draft } = on
  if (draft.phase !== 'reverting') {
    takeStart(on)
    suspectAndDefer(on)
    stopOnFailedNodes(on)
  }
  if (isForward(on)) judgeAndConfirm(on)
  if (isForward(on)) {
    pauseOnExceptions(on)
    moveWaves(on)
    prepare(on)
  }
  if (isForward(on)) {
    beginSoak(on, mayMoreJoin(on))
    settle(on)
    moveWaves(on)
    endWhenDone(on)
  }
  if (draft.phase === 'reverting') {
    takeBack(on)
    endWhenBack(on)
  }
  return on.events
}

function isForward({ draft }: Deliberation): boolean {
  return draft.phase === 'running' || draft.phase === 'paused'
}
