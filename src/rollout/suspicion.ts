import { showDuration } from '../../settings/kinds.ts'
import type { NodeStanding } from './contract.ts'
import type { Deliberation } from './deliberation.ts'
import { foreignLock } from './heed.ts'
import { type NodeState, runningWave } from './state.ts'

/** Not changed yet: it can wait. */
const BEFORE: ReadonlySet<NodeStanding> = new Set(['waiting', 'staging', 'staged', 'shadowing', 'shadowed'])
/** Changed and not confirmed: what made it dark may be the change. */
const AFTER: ReadonlySet<NodeStanding> = new Set(['activating', 'probation', 'confirming'])

/** From when on a node that is not heard is treated as dark, ms. */
export function noticeMs(on: Deliberation): number {
  return (on.draft.plan.strategy.darkSec * 1000) / 4
}

/** Defer nodes that are dark or locked before their step, suspect those that are dark after it. */
export function suspectAndDefer(on: Deliberation): void {
  const running = runningWave(on.draft)
  const { darkSec, confirmWithinSec } = on.draft.plan.strategy
  for (const node of on.nodes()) {
    const dark = on.darkForMs(node.key)
    if (BEFORE.has(node.standing)) deferBefore(on, node, { isTurn: node.wave === running, dark })
    else if (AFTER.has(node.standing) && node.open === null && dark >= noticeMs(on)) {
      on.emit({ type: 'node.suspected', node: node.key, why: `dark since ${ago(dark)}, after its ${node.standing}` })
    } else if (node.standing === 'suspect' && dark >= (confirmWithinSec + darkSec) * 1000) {
      const why = `dark for ${ago(dark)}; nobody confirmed it, so it is back by itself`
      on.emit({ type: 'node.deferred', node: node.key, why })
    }
  }
}

function deferBefore(
  on: Deliberation,
  node: NodeState,
  { isTurn, dark }: { readonly isTurn: boolean; readonly dark: number },
): void {
  if (node.open !== null) return
  if (dark >= noticeMs(on)) {
    // One whose turn has not come may be back by then; what it holds is let go if it is not.
    if (isTurn || node.standing !== 'waiting')
      on.emit({ type: 'node.deferred', node: node.key, why: `dark for ${ago(dark)}` })
    return
  }
  const other = foreignLock(on, node)
  if (isTurn && node.standing === 'waiting' && other !== null) {
    on.emit({ type: 'node.deferred', node: node.key, why: `rollout ${other} is changing it` })
  }
}

/**
 * Nodes of the wave that count as failed because they are dark since their step for too long. A node whose site's unchanged
 * nodes went dark too is not among them: the site is cut off, whatever it runs.
 */
export function lostNodes(on: Deliberation): NodeState[] {
  const running = runningWave(on.draft)
  const limitMs = on.draft.plan.strategy.darkSec * 1000
  return on.nodes().filter((node) => {
    const isChanged = node.standing === 'suspect' || (node.standing === 'done' && node.wave === running)
    return isChanged && on.darkForMs(node.key) >= limitMs && !isSiteDark(on, node)
  })
}

/** Whether at least half of the unchanged nodes of its site that lived at its step are dark now. */
function isSiteDark(on: Deliberation, node: NodeState): boolean {
  const { darkSec, confirmWithinSec } = on.draft.plan.strategy
  const sinceMs = on.seen(node.key)?.heardAt ?? node.since
  const peers = on.draft.plan.nodes.filter(({ key, site }) => {
    if (site !== node.plan.site || key === node.key) return false
    const other = on.draft.nodes.get(key)
    if (other !== undefined && (other.mayServe || other.isConfirmed)) return false
    // One that was dark long before tells nothing.
    return on.isUp(key) || (on.seen(key)?.heardAt ?? 0) >= sinceMs - Math.min(darkSec, confirmWithinSec) * 1000
  })
  const dark = peers.filter(({ key }) => on.darkForMs(key) >= noticeMs(on))
  return dark.length > 0 && 2 * dark.length >= peers.length
}

/** A length of time for people, in whole seconds. */
export function ago(ms: number): string {
  return showDuration(Math.max(1000, Math.round(ms / 1000) * 1000))
}
