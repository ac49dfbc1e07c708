import type { ChangeStatus } from '../../protocol/change.ts'
import type { NodeStanding, StepName } from './contract.ts'
import type { Deliberation } from './deliberation.ts'
import { type NodeState, runningWave } from './state.ts'

/** Step that a node is in by its standing, of which its status tells more. */
const STEP_OF: Readonly<Partial<Record<NodeStanding, StepName>>> = {
  staging: 'stage',
  staged: 'stage',
  shadowing: 'shadow',
  shadowed: 'shadow',
  activating: 'activate',
  probation: 'confirm',
  confirming: 'confirm',
  reverting: 'revert',
}

/** Phases by how far they are: a status that tells of one further on is news. */
const ORDER: readonly ChangeStatus['phase'][] = [
  'staging',
  'staged',
  'shadowing',
  'activating',
  'probation',
  'confirmed',
]
const REACHED: Readonly<Partial<Record<NodeStanding, ChangeStatus['phase']>>> = {
  staging: 'staging',
  staged: 'staged',
  shadowing: 'shadowing',
  shadowed: 'shadowing',
  activating: 'activating',
  probation: 'probation',
  confirming: 'probation',
}

/** Write down what the nodes tell of themselves: how far they are, that they went back, that they are heard again. */
export function heed(on: Deliberation): void {
  for (const { key } of on.nodes()) {
    clear(on, on.node(key))
    listen(on, on.node(key))
  }
}

/** The change of another rollout that holds the node's lock. */
export function foreignLock(on: Deliberation, { key }: NodeState): string | null {
  const change = on.seen(key)?.change ?? null
  return change?.isLocked === true && change.rollout !== on.draft.id ? change.rollout : null
}

function clear(on: Deliberation, node: NodeState): void {
  if (node.standing === 'suspect' && on.isUp(node.key)) {
    on.emit({ type: 'node.cleared', node: node.key, why: 'it is heard again' })
  }
}

function listen(on: Deliberation, node: NodeState): void {
  const seen = on.seen(node.key)
  const change = seen?.change ?? null
  // A status from before the last answer knows less than that answer.
  if (seen === undefined || (seen.toldAt ?? 0) <= (node.answeredAt ?? 0) || node.open !== null) return
  const ours = change?.rollout === on.draft.id ? change : null
  if (node.mayServe && (node.standing === 'deferred' || node.standing === 'waiting')) {
    if (ours !== null) recollect(on, node, ours)
    return
  }
  if (node.standing === 'exception') {
    if (node.mayServe && ours !== null && isBack(ours)) tell(on, node, 'revert', ours)
    return
  }
  const step = STEP_OF[node.standing]
  if (step === undefined) return
  if (step === 'revert') {
    if (ours === null || isBack(ours)) tell(on, node, step, ours)
    return
  }
  if (ours === null) forgotten(on, node, step)
  else if (isBack(ours)) wentBack(on, node, ours)
  else if (isFurther(node, ours)) tell(on, node, step, ours)
}

function tell(on: Deliberation, { key }: NodeState, step: StepName, change: ChangeStatus | null): void {
  on.emit({ type: 'step.done', node: key, step, change })
}

function isBack({ phase }: ChangeStatus): boolean {
  return phase === 'reverted' || phase === 'failed'
}

function isFurther({ standing, activation }: NodeState, change: ChangeStatus): boolean {
  // A node that has compared enough is staged again, and shows its report.
  if (standing === 'shadowing' && (change.phase === 'shadowing' || change.phase === 'staged')) {
    return change.shadow?.isDone === true
  }
  const reached = REACHED[standing]
  if (reached === undefined || ORDER.indexOf(change.phase) <= ORDER.indexOf(reached)) return false
  const isServing = change.phase === 'probation' || change.phase === 'confirmed'
  return !isServing || change.activation === activation
}

/** One whose activation it is not has not taken the new one yet. */
function wentBack(on: Deliberation, node: NodeState, change: ChangeStatus): void {
  const isServing = node.standing === 'activating' || node.standing === 'probation' || node.standing === 'confirming'
  if (isServing && change.activation !== node.activation) return
  const fault = change.fault ?? { kind: 'asked' as const, msg: 'it was taken back' }
  on.emit({ type: 'node.returned', node: node.key, fault: fault.kind, msg: fault.msg })
}

/** Somebody else took the node, or it lost what it knew. */
function forgotten(on: Deliberation, node: NodeState, step: StepName): void {
  const other = foreignLock(on, node)
  if (other !== null) {
    const msg = `rollout ${other} holds the node by now`
    on.emit({ type: 'step.failed', node: node.key, step, code: 'CHANGE_LOCKED', msg, isFinal: true })
    return
  }
  on.emit({ type: 'node.returned', node: node.key, fault: 'unconfirmed', msg: 'the node knows nothing of it any more' })
}

/** A node that was given up for a while may have gone on in the meantime. */
function recollect(on: Deliberation, node: NodeState, change: ChangeStatus): void {
  if (change.activation !== node.activation) return
  if (isBack(change)) {
    on.emit({
      type: 'node.returned',
      node: node.key,
      fault: change.fault?.kind ?? 'unconfirmed',
      msg: change.fault?.msg ?? 'it went back',
    })
    return
  }
  if (change.phase !== 'probation' && change.phase !== 'confirmed') return
  if (change.phase === 'probation' && node.wave !== runningWave(on.draft)) return
  on.emit({ type: 'node.cleared', node: node.key, why: 'it is heard again' })
  tell(on, node, change.phase === 'confirmed' ? 'confirm' : 'activate', change)
}
