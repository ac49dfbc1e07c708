import type { NodeKey } from './contract.ts'
import { hasEnded, type RolloutState, runningWave } from './state.ts'

/** Of each site, unchanged nodes that tell every second, so that changed ones are compared with them. */
const MOST_UNCHANGED_OF_SITE = 20

/**
 * Nodes that a driver has tell every second: those of the wave that runs and of the next, those in a step, and some of each
 * site that are not changed yet. The others are heard by their heartbeats.
 */
export function watchedNodes(state: RolloutState): NodeKey[] {
  if (hasEnded(state)) return []
  const running = runningWave(state) ?? state.waves.findIndex(({ phase }) => phase === 'waiting')
  const isBack = state.phase === 'reverting'
  const watched: NodeKey[] = []
  const unchanged = new Map<string, number>()
  for (const { key, site } of state.plan.nodes) {
    const node = state.nodes.get(key)
    const isHere = node !== undefined && node.wave !== null && (node.wave === running || node.wave === running + 1)
    const isInStep = node !== undefined && (node.open !== null || node.isHeld || (isBack && node.isConfirmed))
    const isLate = node?.standing === 'deferred'
    if (isHere || isInStep || isLate) {
      watched.push(key)
      continue
    }
    const count = unchanged.get(site) ?? 0
    if (node?.isConfirmed === true || count >= MOST_UNCHANGED_OF_SITE) continue
    unchanged.set(site, count + 1)
    watched.push(key)
  }
  return watched
}
