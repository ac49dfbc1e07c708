import { currentFigure } from './current-figure.ts'
import type { NodeFilter } from './filter.ts'
import type { NodeView } from './view.ts'

/** The orders a table of nodes can have; `problems` first is the default. */
export const NODE_SORTS = [
  'problems',
  'name',
  'site',
  'state',
  'cpu',
  'memory',
  'rate',
  'p99',
  'raw',
  'up',
  'saved',
  'backlog',
  'age',
] as const

/** @see NODE_SORTS */
export type NodeSort = (typeof NODE_SORTS)[number]

const STATE_RANK = { offline: 0, stale: 1, unknown: 2, connecting: 3, up: 4 } as const
/** Largest first; what is not known comes last. */
const FIGURES: Partial<Record<NodeSort, (node: NodeView) => number | null>> = {
  cpu: (node) => currentFigure(node, 'cpuPct'),
  memory: (node) => currentFigure(node, 'memPct'),
  rate: (node) => currentFigure(node, 'inferencesPerSec'),
  p99: (node) => currentFigure(node, 'p99Ms'),
  raw: (node) => currentFigure(node, 'rawBytesPerSec'),
  up: (node) => currentFigure(node, 'upBytesPerSec'),
  saved: (node) => {
    const saved = currentFigure(node, 'savedPct')
    return saved === null ? null : -saved
  },
  backlog: (node) => node.backlogRecords,
  age: (node) => node.ageMs,
}

/** How a table of nodes is wanted. */
export interface Arrangement {
  readonly sort: NodeSort
  readonly filter?: NodeFilter
  readonly reverse?: boolean
}

/** Filter and sort; equal nodes are in the order of their names, so that rows move only for a reason. */
export function arrange(nodes: readonly NodeView[], arrangement: Arrangement): NodeView[] {
  const wanted = arrangement.filter
  const kept = wanted === undefined ? [...nodes] : nodes.filter((node) => wanted.matches(node))
  const order = compareBy(arrangement.sort)
  const sign = arrangement.reverse ? -1 : 1
  return kept.sort((a, b) => sign * order(a, b) || byName(a, b))
}

/** The order after this one, for a key that goes round. */
export function nextSort(sort: NodeSort): NodeSort {
  return NODE_SORTS[(NODE_SORTS.indexOf(sort) + 1) % NODE_SORTS.length] ?? 'problems'
}

/** How much a node needs somebody: 0 = offline, then stale, critical, warning, connecting, fine. */
export function problemRank(node: NodeView): number {
  if (node.state === 'offline') return 0
  if (node.state === 'stale') return 1
  if (has(node, 'critical')) return 2
  if (has(node, 'warning')) return 3
  return node.state === 'connecting' || node.state === 'unknown' ? 4 : 5
}

function has(node: NodeView, severity: 'critical' | 'warning'): boolean {
  return node.alerts[severity] > 0 || node.conditions.some((condition) => condition.severity === severity)
}

function compareBy(sort: NodeSort): (a: NodeView, b: NodeView) => number {
  const figure = FIGURES[sort]
  if (figure) return (a, b) => (figure(b) ?? Number.NEGATIVE_INFINITY) - (figure(a) ?? Number.NEGATIVE_INFINITY) || 0
  if (sort === 'problems') return (a, b) => problemRank(a) - problemRank(b)
  if (sort === 'state') return (a, b) => STATE_RANK[a.state] - STATE_RANK[b.state]
  if (sort === 'site') return (a, b) => collate(a.site ?? '', b.site ?? '')
  return byName
}

function byName(a: NodeView, b: NodeView): number {
  return collate(a.key, b.key)
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })
function collate(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0)
}
