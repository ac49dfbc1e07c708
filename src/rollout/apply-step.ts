import type { ChangeFault, ChangeStatus } from '../../protocol/change.ts'
import type { NodeStanding, RolloutEvent, StepName } from './contract.ts'
import type { Draft } from './draft.ts'
import type { NodeState } from './state.ts'

type NodeEvent = Extract<
  RolloutEvent,
  {
    type:
      | 'step.intended'
      | 'step.done'
      | 'step.failed'
      | 'node.returned'
      | 'node.deferred'
      | 'node.suspected'
      | 'node.cleared'
  }
>

/** Standing of a node while a step is under way. */
const UNDER_WAY: Readonly<Record<StepName, NodeStanding | null>> = {
  stage: 'staging',
  shadow: 'shadowing',
  activate: 'activating',
  confirm: 'confirming',
  revert: 'reverting',
  end: null,
}

/** Standings that a late answer does not change. */
const SETTLED: ReadonlySet<NodeStanding> = new Set(['exception', 'reverting', 'reverted', 'deferred'])

/** What an event of one node makes of it. */
export function applyStep(draft: Draft, event: NodeEvent): void {
  const node = draft.nodes.get(event.node)
  if (node === undefined) return
  const next = nodeAfter(node, event)
  if (next !== node) draft.nodes.set(node.key, next)
}

function nodeAfter(node: NodeState, event: NodeEvent): NodeState {
  switch (event.type) {
    case 'step.intended':
      return intended(node, event)
    case 'step.done':
      return done(node, event)
    case 'step.failed':
      return failed(node, event)
    case 'node.returned':
      return returned(node, event)
    case 'node.deferred':
      return stand({ ...node, open: null, suspectedFrom: null }, 'deferred', event)
    case 'node.suspected':
      return node.standing === 'suspect'
        ? { ...node, why: event.why }
        : stand({ ...node, suspectedFrom: node.standing }, 'suspect', event)
    case 'node.cleared':
      return cleared(node, event)
  }
}

/** A node that failed for good keeps standing so while it is brought in order. */
function stand(node: NodeState, standing: NodeStanding, { at, why }: { at: number; why: string | null }): NodeState {
  return node.standing === standing ? { ...node, why } : { ...node, standing, since: at, why }
}

function intended(node: NodeState, event: Extract<NodeEvent, { type: 'step.intended' }>): NodeState {
  const { step, attempt, activation, why, at } = event
  const open = { step, attempt, activation, why, at }
  const standing = UNDER_WAY[step]
  const stays = standing === null || node.standing === 'exception'
  const moved = stays ? { ...node, open } : stand({ ...node, open, suspectedFrom: null }, standing, { at, why })
  switch (step) {
    case 'stage':
      return { ...moved, isHeld: true, fault: null }
    case 'activate': {
      const isNew = activation !== node.activation
      return {
        ...moved,
        isHeld: true,
        mayServe: true,
        activation,
        activations: node.activations + (isNew ? 1 : 0),
        probationAt: isNew ? null : node.probationAt,
      }
    }
    case 'revert':
      return { ...moved, isHeld: true }
    default:
      return moved
  }
}

function done(node: NodeState, event: Extract<NodeEvent, { type: 'step.done' }>): NodeState {
  const { step, change, at } = event
  const isLate = node.open !== null && node.open.step !== step
  const open = isLate ? node.open : null
  const told = { ...node, open, answeredAt: at, change: change ?? node.change, before: change?.before ?? node.before }
  if (isLate) return told
  const well = { ...told, failure: null }
  if (step === 'end') return { ...well, isHeld: false }
  if (step === 'revert') {
    if (change?.phase === 'reverting') return told
    return settled({ ...well, mayServe: false, isConfirmed: false, probationAt: null }, at)
  }
  if (SETTLED.has(node.standing)) return told
  return ahead(well, step, change, at)
}

/** Taken back: an exception stays one, so that it is reported. */
function settled(node: NodeState, at: number): NodeState {
  return node.standing === 'exception'
    ? node
    : stand({ ...node, suspectedFrom: null }, 'reverted', { at, why: node.why })
}

/** How far the node is by its own word, whichever step it answers. */
function ahead(node: NodeState, step: StepName, change: ChangeStatus | null, at: number): NodeState {
  const to = (standing: NodeStanding): NodeState => stand({ ...node, suspectedFrom: null }, standing, { at, why: null })
  switch (change?.phase) {
    case 'staging':
      return to('staging')
    case 'staged':
      return to(change.shadow?.isDone === true ? 'shadowed' : 'staged')
    case 'shadowing':
      return to(change.shadow?.isDone === true ? 'shadowed' : 'shadowing')
    case 'activating':
      return to('activating')
    case 'probation':
      return { ...to('probation'), probationAt: node.probationAt ?? at, mayServe: true }
    case 'confirmed':
      return { ...to('done'), isConfirmed: true, fault: null }
    case undefined:
      return step === 'confirm' ? { ...to('done'), isConfirmed: true, fault: null } : node
    default:
      return node
  }
}

function failed(node: NodeState, event: Extract<NodeEvent, { type: 'step.failed' }>): NodeState {
  const { step, code, msg, at, isFinal } = event
  const isOpen = node.open?.step === step
  const attempt = isOpen ? (node.open?.attempt ?? 1) : (node.failure?.attempt ?? 0) + 1
  const next = {
    ...node,
    open: isOpen ? null : node.open,
    answeredAt: at,
    failure: { step, attempt, at, code, msg, isFinal },
  }
  if (!isFinal || (!isOpen && node.open !== null)) return next
  if (step === 'end') return { ...next, isHeld: false }
  if (step === 'stage' && code === 'CHANGE_LOCKED') {
    return stand({ ...next, isHeld: false, failure: null }, 'deferred', { at, why: msg })
  }
  return stand({ ...next, suspectedFrom: null }, 'exception', { at, why: `${code}: ${msg}` })
}

/** The node is back by itself, or never served. Only one that nobody confirmed is tried again. */
function returned(node: NodeState, event: Extract<NodeEvent, { type: 'node.returned' }>): NodeState {
  const { fault, msg, at } = event
  const back = { ...node, open: null, answeredAt: at, mayServe: false, isConfirmed: false, probationAt: null, fault }
  if (node.standing === 'exception') return back
  if (fault === 'unconfirmed') return { ...release(back, at), unconfirmed: node.unconfirmed + 1, why: msg }
  const standing = fault === 'package' ? 'exception' : 'reverted'
  return stand({ ...back, suspectedFrom: null }, standing, { at, why: msg })
}

/** Begin anew with a node: it waits for its turn. */
export function release(node: NodeState, at: number): NodeState {
  const fresh: { fault: ChangeFault | null; failure: null } = { fault: null, failure: null }
  return stand({ ...node, ...fresh, open: null, suspectedFrom: null }, 'waiting', { at, why: null })
}

function cleared(node: NodeState, event: Extract<NodeEvent, { type: 'node.cleared' }>): NodeState {
  if (node.standing === 'suspect' && node.suspectedFrom !== null) {
    return stand({ ...node, suspectedFrom: null }, node.suspectedFrom, event)
  }
  return node.standing === 'deferred' ? { ...release(node, event.at), why: event.why } : node
}
