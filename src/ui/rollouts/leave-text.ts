import { safe } from '../../fleet/clean.ts'
import { formatAge } from '../format.ts'
import type { RolloutEntry } from './book.ts'

/** What becomes of rollouts when the console that drives them is left, and who can go on with them. */
export function leaveLines(driven: readonly RolloutEntry[]): string[] {
  const lines = driven.map(({ state }) => {
    const { item, strategy } = state.plan
    const waiting = [...state.nodes.values()].filter(
      ({ standing }) => standing === 'probation' || standing === 'confirming',
    )
    const back =
      waiting.length === 0
        ? 'no node is on probation'
        : `${waiting.length === 1 ? '1 node' : `${waiting.length} nodes`} on probation will go back within ${formatAge(strategy.confirmWithinSec * 1000)} unless somebody goes on`
    return `${item.name} ${item.version} (${state.id}): ${back}.`
  })
  return [
    ...lines,
    'A controller of this fleet goes on with it by itself. Else: open it in another console and press its key for Drive, or "edgedeck rollout resume".',
    'Enter leaves and lets them stand; esc stays.',
  ].map((text) => safe(text))
}
