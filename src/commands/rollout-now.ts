import type { Plan } from '../rollout/contract.ts'
import { fold } from '../rollout/fold.ts'
import type { RolloutView } from '../rollout/service.ts'
import { awaitsApproval, hasEnded, type RolloutState } from '../rollout/state.ts'

/** How it goes with a rollout, for exit codes and waiting: only one that `runs` goes on by itself. */
export type RolloutCourse = 'runs' | 'stands' | 'done' | 'incomplete' | 'reverted'

/** A rollout as it stands, read from its journal. */
export interface RolloutNow {
  readonly view: RolloutView
  readonly state: RolloutState
  readonly course: RolloutCourse
}

/** Read the state of a journal. Null while its first event is not there. */
export function rolloutNow(view: RolloutView): RolloutNow | null {
  const state = fold(null, view.entries)
  return state === null ? null : { view, state, course: courseOf(state) }
}

function courseOf(state: RolloutState): RolloutCourse {
  if (state.phase === 'reverted') return 'reverted'
  if (state.phase === 'done') return state.exceptions.length === 0 ? 'done' : 'incomplete'
  return state.phase === 'paused' || awaitsApproval(state) !== null ? 'stands' : 'runs'
}

/** A rollout as `-o json` has it; texts in it are by whoever wrote them. */
export function rolloutAsJson({ view, state, course }: RolloutNow): Record<string, unknown> {
  const { plan } = state
  return {
    id: state.id,
    item: plan.item,
    phase: state.phase,
    course,
    startedAt: state.startedAt,
    endedAt: state.endedAt,
    by: state.by.name,
    why: state.why,
    halt: state.halt,
    awaitsApproval: awaitsApproval(state)?.name ?? null,
    undoes: plan.undoes,
    driver: hasEnded(state) ? null : (view.driver?.heldBy ?? null),
    waves: state.waves.map(({ name, phase, nodes, beganAt, endedAt, why, verdict, approvedBy, promotedBy }) => {
      return { name, phase, nodes, beganAt, endedAt, why, verdict, approvedBy, promotedBy }
    }),
    nodes: [...state.nodes.values()].map(({ key, plan: { site }, wave, standing, since, why, fault }) => {
      return { key, site, wave: wave === null ? null : (state.waves[wave]?.name ?? null), standing, since, why, fault }
    }),
    exceptions: state.exceptions,
  }
}

/** A plan as `-o json` has it. */
export function planAsJson(plan: Plan): Record<string, unknown> {
  const { waves, deferred, unchanged, leftOut, peers, item, sources, strategy, rollout, undoes, nodes } = plan
  return { rollout, item, sources, undoes, waves, deferred, unchanged, leftOut, peers, nodes, strategy }
}
