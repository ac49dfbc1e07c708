import type { NodeKey } from './contract.ts'
import type { NodeState, RolloutState, WaveState } from './state.ts'

/** A state that is being changed; what it was made of stays as it is. */
export type Draft = {
  -readonly [K in keyof RolloutState]: K extends 'nodes'
    ? Map<NodeKey, NodeState>
    : K extends 'waves'
      ? WaveState[]
      : RolloutState[K]
}

/** A copy that may be changed; nodes and waves in it are replaced, never changed. */
export function draftOf(state: RolloutState): Draft {
  return { ...state, nodes: new Map(state.nodes), waves: [...state.waves] }
}

/** A wave that has not begun. */
export function newWave(wave: Pick<WaveState, 'name' | 'nodes' | 'needsApproval'>): WaveState {
  return {
    name: wave.name,
    nodes: wave.nodes,
    needsApproval: wave.needsApproval,
    phase: 'waiting',
    beganAt: null,
    endedAt: null,
    why: null,
    approvedBy: null,
    promotedBy: null,
    verdict: null,
    judgedAt: null,
    looks: { changed: [], unchanged: [] },
    baseline: null,
    soakFrom: null,
    soaks: 0,
  }
}
