import type { HistoryGap, HistoryRows, HistorySource } from '../link/history-source.ts'

/** Length of a page on our clock, ms. */
export const PAGE_MS = 60_000

/** A sample over a longer window than this is the mean of a minute. */
export const COARSE_MS = 2500

/** What one node kept of one minute, or why it is not here. */
export type Page =
  | { readonly state: 'loading' }
  | {
      readonly state: 'kept'
      /** Who gave it. */
      readonly source: HistorySource['name']
      /** Until when it is whole, our clock; less than its end when it was read before the minute was over. */
      readonly throughMs: number
      readonly rows: readonly HistoryRows[]
      readonly gaps: readonly HistoryGap[]
      readonly rowCount: number
      /** Length of its rows as JSON. */
      readonly chars: number
      readonly readAtMs: number
    }
  | { readonly state: 'failed'; readonly reason: string; readonly atMs: number }

/** What of a node a page holds: its state with alerts and logs, or its results, which are many and seldom looked at. */
export type PageFamily = 'state' | 'results'

/** The page that a time lies in. */
export function pageOf(atMs: number): number {
  return Math.floor(atMs / PAGE_MS)
}

/** Pages of the past, bounded by the rows in them and how long they are; what was not used for longest goes first. */
export class PageCache {
  readonly #maxRows: number
  readonly #pages = new Map<string, Page>()
  #rows = 0

  constructor(maxRows: number) {
    this.#maxRows = maxRows
  }

  /** Rows held now. */
  get rows(): number {
    return this.#rows
  }

  /** A page that is looked at, and so used. */
  use(node: string, family: PageFamily, page: number): Page | null {
    const mark = markOf(node, family, page)
    const found = this.#pages.get(mark)
    if (found === undefined) return null
    this.#pages.delete(mark)
    this.#pages.set(mark, found)
    return found
  }

  /** A page without using it. */
  peek(node: string, family: PageFamily, page: number): Page | null {
    return this.#pages.get(markOf(node, family, page)) ?? null
  }

  put(node: string, family: PageFamily, page: number, content: Page): void {
    const mark = markOf(node, family, page)
    this.#drop(mark)
    this.#pages.set(mark, content)
    this.#rows += weightOf(content)
    for (const [oldest, held] of this.#pages) {
      if (this.#rows <= this.#maxRows || oldest === mark) return
      // What is on its way comes all the same.
      if (held.state !== 'loading') this.#drop(oldest)
    }
  }

  #drop(mark: string): void {
    const held = this.#pages.get(mark)
    if (held === undefined) return
    this.#pages.delete(mark)
    this.#rows -= weightOf(held)
  }
}

/** Text that counts as a row: a kept second is about that long, and a node may send rows of any length. */
const CHARS_PER_ROW = 4096

/** A page without rows takes room too. */
function weightOf(page: Page): number {
  return page.state === 'kept' ? Math.max(page.rowCount, Math.ceil(page.chars / CHARS_PER_ROW)) + 1 : 1
}

function markOf(node: string, family: PageFamily, page: number): string {
  return `${family} ${page} ${node}`
}
