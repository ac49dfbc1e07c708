import { SiteBudget } from './budget.ts'
import type { Deliberation } from './deliberation.ts'
import { freePlaces } from './prepare.ts'
import { isExhausted, isQuiet, mayTry, order } from './retry.ts'
import type { NodeState } from './state.ts'

/** Let go of nodes that are through, and take back those that failed on the way. */
export function settle(on: Deliberation): void {
  for (const node of on.nodes()) {
    if (!on.isUp(node.key)) continue
    if (node.standing === 'exception' && node.mayServe) {
      if (isExhausted(node, 'revert')) giveUp(on, node)
      else takeOneBack(on, node, node.why ?? 'it failed')
    } else if (isToLetGo(node)) letGo(on, node)
  }
}

/** It is through in its wave and may still hold the node's lock. */
export function isToLetGo({ standing, isHeld, mayServe, isConfirmed }: NodeState): boolean {
  if (!isHeld || (mayServe && !isConfirmed)) return false
  return standing === 'done' || standing === 'reverted' || standing === 'exception'
}

/** Order the end of a change on a node, if it is time. */
export function letGo(on: Deliberation, node: NodeState): void {
  if (mayTry(on, node, 'end')) order(on, node, 'end')
  else if (node.open === null && isExhausted(node, 'end') && node.failure?.isFinal === false) {
    const { code, msg } = node.failure
    on.emit({ type: 'step.failed', node: node.key, step: 'end', code, msg, isFinal: true })
  }
}

/** Order that a node goes back, if it is time. */
export function takeOneBack(on: Deliberation, node: NodeState, why: string): void {
  const isTaken = node.standing === 'reverting' || node.change?.phase === 'reverting'
  const isUnderWay = isTaken && node.failure?.step !== 'revert'
  const isDue = isUnderWay ? isQuiet(on, node, 'revert') : mayTryBack(on, node)
  if (isDue) order(on, node, 'revert', { why: why.slice(0, 200) })
}

/** Taking back does not wait for another step's outcome: the node decides what came first. */
function mayTryBack(on: Deliberation, node: NodeState): boolean {
  return mayTry(on, node.open?.step === 'revert' ? node : { ...node, open: null }, 'revert')
}

/** Whether a node may serve what this rollout brought. */
export function isChanged({ mayServe, isConfirmed }: NodeState): boolean {
  return mayServe || isConfirmed
}

/** Take back every node that was changed; what fails is reported, and the others go on. */
export function takeBack(on: Deliberation): void {
  const why = on.draft.halt?.why ?? 'the rollout is taken back'
  let places = freePlaces(on)
  const budget = new SiteBudget(on)
  for (const { key } of on.nodes()) {
    const node = on.node(key)
    if (!on.isUp(key)) continue
    if (!isChanged(node)) {
      if (node.isHeld && node.open === null) letGo(on, node)
    } else if (isExhausted(node, 'revert')) {
      giveUp(on, node)
    } else if (node.standing === 'reverting' || (places > 0 && budget.mayTakeBack(node))) {
      const before = on.events.length
      budget.takeOut(node)
      takeOneBack(on, node, why)
      if (on.events.length > before) places = Math.max(0, places - 1)
    }
  }
}

function giveUp(on: Deliberation, node: NodeState): void {
  if (node.open !== null || node.failure === null || node.failure.isFinal) return
  const { code, msg } = node.failure
  on.emit({ type: 'step.failed', node: node.key, step: 'revert', code, msg, isFinal: true })
}
