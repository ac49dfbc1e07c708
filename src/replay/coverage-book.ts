import { COARSE_MS, type Page } from './page-cache.ts'

/**
 * What is known of a minute from kept records: seconds (`fine`), means of a minute (`coarse`), other records but no
 * samples (`events`), nothing at all (`none`), not here yet, or not to be had.
 */
export type KeptState = 'fine' | 'coarse' | 'events' | 'none' | 'loading' | 'failed'

/** One minute of a node. */
export interface Covered {
  readonly state: KeptState
  readonly source: 'node' | 'cloud' | null
  /** The part of the minute that samples tell of, Unix ms on our clock; null when there are none. */
  readonly told: { readonly fromMs: number; readonly toMs: number } | null
  /** Stretches of rows that are known to be missing, Unix ms. */
  readonly missing: readonly { readonly fromMs: number; readonly toMs: number }[]
}

/** A day and a little. */
const MAX_PAGES_PER_NODE = 1600
const MAX_NODES = 64

/** What was found of each minute when it was read, small enough to remember for a day of each node. */
export class CoverageBook {
  readonly #nodes = new Map<string, Map<number, Covered>>()

  note(node: string, page: number, content: Page, offsetMs: number): void {
    const pages = this.#nodes.get(node) ?? new Map<number, Covered>()
    this.#nodes.delete(node)
    this.#nodes.set(node, pages)
    pages.delete(page)
    pages.set(page, coveredBy(content, offsetMs))
    const [oldestPage] = pages.keys()
    if (pages.size > MAX_PAGES_PER_NODE && oldestPage !== undefined) pages.delete(oldestPage)
    const [oldestNode] = this.#nodes.keys()
    if (this.#nodes.size > MAX_NODES && oldestNode !== undefined) this.#nodes.delete(oldestNode)
  }

  /** What is known of a node, by page. */
  of(node: string): ReadonlyMap<number, Covered> {
    return this.#nodes.get(node) ?? new Map()
  }
}

function coveredBy(page: Page, offsetMs: number): Covered {
  if (page.state !== 'kept') return { state: page.state, source: null, told: null, missing: [] }
  const samples = page.rows.flatMap((part) => (part.kind === 'status' ? part.rows : []))
  const isFine = samples.some(({ window_ms }) => window_ms <= COARSE_MS)
  const state = isFine ? 'fine' : samples.length > 0 ? 'coarse' : page.rowCount > 0 ? 'events' : 'none'
  const missing = page.gaps.filter(({ missed }) => missed !== 0).map(({ fromMs, toMs }) => ({ fromMs, toMs }))
  const ends = samples.map(({ timestamp }) => timestamp - offsetMs)
  const begins = samples.map(({ timestamp, window_ms }) => timestamp - window_ms - offsetMs)
  const told = samples.length === 0 ? null : { fromMs: Math.min(...begins), toMs: Math.max(...ends) }
  return { state, source: page.source, told, missing }
}
