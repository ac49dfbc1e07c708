import type { NodeView } from './view.ts'

/** Figures that say how a node is at this moment; others, such as its backlog, stand until it tells anew. */
export type MomentFigure =
  | 'cpuPct'
  | 'memPct'
  | 'diskPct'
  | 'tempC'
  | 'inferencesPerSec'
  | 'p50Ms'
  | 'p99Ms'
  | 'rawBytesPerSec'
  | 'upBytesPerSec'
  | 'savedPct'

/**
 * A figure of a node as of the moment that is shown; null where it is not known, and once the node is stale or offline:
 * what it was when it was last heard is not what it is.
 */
export function currentFigure(node: NodeView, figure: MomentFigure): number | null {
  return node.state === 'stale' || node.state === 'offline' ? null : node[figure]
}
