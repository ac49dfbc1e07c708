import type { Deliberation } from './deliberation.ts'
import { isChanged, isToLetGo, letGo } from './settle.ts'
import { mayCatchUp, type NodeState, runningWave } from './state.ts'
import { ago } from './suspicion.ts'

type Exceptions = { readonly key: string; readonly why: string }[]

/** End a rollout of which every wave is over, once nothing is left to bring in order. */
export function endWhenDone(on: Deliberation): void {
  const { draft } = on
  if (draft.phase !== 'running' || runningWave(draft) !== null) return
  if (draft.waves.some((wave) => wave.phase === 'waiting')) return
  if (mayCatchUp(draft)) return
  for (const node of on.nodes()) if (node.standing === 'deferred' && node.isHeld && on.isUp(node.key)) letGo(on, node)
  if (on.nodes().some((node) => isPending(on, node))) return
  const exceptions: Exceptions = []
  for (const node of on.nodes()) {
    if (node.standing === 'done') continue
    exceptions.push({ key: node.key, why: reason(on, node) })
  }
  on.emit({ type: 'rollout.ended', outcome: 'done', exceptions })
}

/** Something is still to be done to it, and it can be reached or was until a moment ago. */
function isPending(on: Deliberation, node: NodeState): boolean {
  if (node.open !== null) return true
  const isReachable = on.darkForMs(node.key) < on.draft.plan.strategy.darkSec * 1000
  if (!isReachable) return false
  if (node.standing === 'exception' && node.mayServe) return node.failure?.step !== 'revert' || !node.failure.isFinal
  return isToLetGo(node) || (node.standing === 'deferred' && node.isHeld)
}

/** End a rollout that is taken back, once every node is back or is reported. */
export function endWhenBack(on: Deliberation): void {
  const { draft, nowMs } = on
  const waitedMs = nowMs - (draft.halt?.at ?? nowMs)
  const isOver = waitedMs >= draft.plan.strategy.deferredForSec * 1000
  const nodes = on.nodes()
  const isBusy = nodes.some((node) => {
    if (node.open !== null) return true
    const gaveUp = node.failure?.step === 'revert' && node.failure.isFinal
    if (isChanged(node)) return !gaveUp && (on.isUp(node.key) || !isOver)
    return node.isHeld && on.darkForMs(node.key) < draft.plan.strategy.darkSec * 1000
  })
  if (isBusy) return
  const exceptions: Exceptions = nodes.filter(isChanged).map((node) => ({ key: node.key, why: reason(on, node) }))
  on.emit({ type: 'rollout.ended', outcome: 'reverted', exceptions })
}

function reason(on: Deliberation, node: NodeState): string {
  const dark = on.darkForMs(node.key)
  const own = node.failure?.isFinal === true ? `${node.failure.code}: ${node.failure.msg}` : node.why
  const isDark = dark > 0 ? `dark for ${ago(dark)}` : null
  return (own ?? isDark ?? `it stands at ${node.standing}`).slice(0, 500)
}
