import { type HistogramData, mergeHistograms, quantileMs } from '../../../protocol/histogram.ts'
import type { Counts, NodeKey } from '../../rollout/contract.ts'

/** What the fleet tells of a node for the comparison of both sides. */
export interface NodeCounters {
  /** Changes with every start of the daemon, when counters begin again. */
  readonly instance: string
  readonly counts: Counts
  /** Latency of the last seconds. */
  readonly latency: HistogramData
}

/** Figures of one side over one step of time; null where nothing was answered or nobody knows. */
export interface SideFigures {
  readonly nodes: number
  readonly requests: number
  readonly failedPct: number | null
  readonly slowPct: number | null
  readonly p99Ms: number | null
}

/** Both sides at one time. */
export interface FiguresPoint {
  readonly atMs: number
  readonly changed: SideFigures
  readonly unchanged: SideFigures
}

interface Seen {
  readonly side: 'changed' | 'unchanged'
  readonly told: NodeCounters
}

/** Time between two points. */
export const FIGURES_STEP_MS = 2000
/** Points that are kept: ten minutes. */
const MOST_POINTS = 300
/** Nodes of a side whose latency is merged; more would cost more than they tell. */
const MOST_LATENCIES = 50

/**
 * Changed nodes beside those that are not: shares from the counters of one and the same stretch of time on both sides, so
 * that what hits a whole site is seen on both. A node counts from the second look at it on the same side.
 */
export class RolloutFigures {
  readonly #points: FiguresPoint[] = []
  #last: ReadonlyMap<NodeKey, Seen> = new Map()

  /** Oldest first. */
  get points(): readonly FiguresPoint[] {
    return this.#points
  }

  /** Take a look at the fleet. */
  sample(
    atMs: number,
    sides: Readonly<Record<'changed' | 'unchanged', readonly NodeKey[]>>,
    counters: (key: NodeKey) => NodeCounters | null,
  ): void {
    const seen = new Map<NodeKey, Seen>()
    const sideOf = (side: 'changed' | 'unchanged'): SideFigures => {
      const sum = { requests: 0, failed: 0, slow: 0 }
      const latencies: HistogramData[] = []
      for (const key of sides[side]) {
        const told = counters(key)
        if (told === null) continue
        seen.set(key, { side, told })
        if (latencies.length < MOST_LATENCIES) latencies.push(told.latency)
        const before = this.#last.get(key)
        if (before?.side !== side || before.told.instance !== told.instance) continue
        sum.requests += Math.max(0, told.counts.requests - before.told.counts.requests)
        sum.failed += Math.max(0, told.counts.failed - before.told.counts.failed)
        sum.slow += Math.max(0, told.counts.slow - before.told.counts.slow)
      }
      const share = (part: number): number | null => (sum.requests === 0 ? null : (100 * part) / sum.requests)
      return {
        nodes: sides[side].length,
        requests: sum.requests,
        failedPct: share(sum.failed),
        slowPct: share(sum.slow),
        p99Ms: quantileMs(mergeHistograms(latencies), 0.99),
      }
    }
    this.#points.push({ atMs, changed: sideOf('changed'), unchanged: sideOf('unchanged') })
    if (this.#points.length > MOST_POINTS) this.#points.shift()
    this.#last = seen
  }
}

/** Shares over the last `points` points together; latency of the newest. */
export function recentFigures(
  points: readonly FiguresPoint[],
  side: 'changed' | 'unchanged',
  count: number,
): SideFigures | null {
  const recent = points.slice(-count).map((point) => point[side])
  const newest = recent.at(-1)
  if (newest === undefined) return null
  const requests = recent.reduce((sum, figures) => sum + figures.requests, 0)
  const share = (of: (figures: SideFigures) => number | null): number | null =>
    requests === 0 ? null : recent.reduce((sum, figures) => sum + ((of(figures) ?? 0) * figures.requests) / requests, 0)
  return { ...newest, requests, failedPct: share((of) => of.failedPct), slowPct: share((of) => of.slowPct) }
}
