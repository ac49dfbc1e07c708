import { applyEvent } from './apply-event.ts'
import type { NodeKey, Plan, RolloutEvent } from './contract.ts'
import { type Draft, draftOf, newWave } from './draft.ts'
import type { NodeState, RolloutState } from './state.ts'

/** An entry of a journal. */
export interface FoldEntry {
  readonly seq: number
  readonly event: RolloutEvent
  /** Why it does not count, such as a decision that nobody signed; absent where it does. */
  readonly ignored?: string
}

/**
 * The state that a rollout's events make, in one go or in pieces: entries that were read before are passed over, and
 * reading ends where one is missing. Never throws: what does not fit (of a driver that was replaced, after the end,
 * of nodes that nobody planned) changes nothing. Null until the first event, which says what is rolled out.
 */
export function fold(state: RolloutState | null, entries: readonly FoldEntry[]): RolloutState | null {
  let draft: Draft | null = null
  for (const { seq, event, ignored } of entries) {
    const seen: number = draft?.seq ?? state?.seq ?? 0
    if (seq <= seen) continue
    if (seq !== seen + 1) break
    if (draft === null && state === null) {
      if (event.type !== 'rollout.started' || ignored !== undefined) break
      draft = begin(event)
      continue
    }
    draft ??= draftOf(state as RolloutState)
    draft.seq = seq
    if (ignored === undefined) applyEvent(draft, event)
  }
  return draft ?? state
}

function begin(event: Extract<RolloutEvent, { type: 'rollout.started' }>): Draft {
  const { plan, by, why, at } = event
  return {
    id: plan.rollout,
    plan,
    by,
    why,
    startedAt: at,
    seq: 1,
    at,
    term: 0,
    driver: null,
    phase: 'running',
    halt: null,
    resumedAt: null,
    waves: plan.waves.map((wave) => newWave(wave)),
    nodes: nodesOf(plan, at),
    start: null,
    isDisagreementAccepted: false,
    decisions: [],
    endedAt: null,
    exceptions: [],
  }
}

/** The nodes that are to be changed: those of the waves, and those that catch up. */
function nodesOf(plan: Plan, at: number): Map<NodeKey, NodeState> {
  const planned = new Map(plan.nodes.map((node) => [node.key, node]))
  const nodes = new Map<NodeKey, NodeState>()
  const add = (key: NodeKey, given: Pick<NodeState, 'wave' | 'standing' | 'why'>): void => {
    const node = planned.get(key)
    if (node === undefined || nodes.has(key)) return
    nodes.set(key, {
      key,
      plan: node,
      ...given,
      since: at,
      open: null,
      answeredAt: null,
      failure: null,
      activation: null,
      activations: 0,
      probationAt: null,
      mayServe: false,
      isConfirmed: false,
      isHeld: false,
      fault: null,
      unconfirmed: 0,
      suspectedFrom: null,
      change: null,
      before: node.before,
    })
  }
  plan.waves.forEach((wave, index) => {
    for (const key of wave.nodes) add(key, { wave: index, standing: 'waiting', why: null })
  })
  for (const { key, why } of plan.deferred) add(key, { wave: null, standing: 'deferred', why })
  return nodes
}
