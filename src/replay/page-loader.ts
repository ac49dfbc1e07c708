import type { HistoryGap, HistoryKind, HistoryRange, HistoryRows, HistorySource } from '../link/history-source.ts'
import { CoverageBook } from './coverage-book.ts'
import { PAGE_MS, type Page, PageCache, type PageFamily, pageOf } from './page-cache.ts'

/** What a loader is made of. */
export interface PageLoaderOptions {
  /** Asked in this order: the next one only where the one before has nothing or cannot be reached. */
  readonly sources: readonly HistorySource[]
  /** A node's clock minus ours, ms. */
  readonly offsetMs: (node: string) => number
  readonly now: () => number
  /** Pages came or failed. */
  readonly changed: () => void
  readonly maxRows?: number
}

/** Pages that are wanted of a node, the first one most. */
export interface PageWish {
  readonly node: string
  readonly family: PageFamily
  readonly fromPage: number
  readonly toPage: number
}

const KINDS: Readonly<Record<PageFamily, readonly HistoryKind[]>> = {
  state: ['status', 'alerts', 'logs'],
  results: ['results'],
}
/** About 60 MB of samples. */
const DEFAULT_MAX_ROWS = 12_000
/** Pages of one read: small, so that the first of them are there soon. */
const RUN_PAGES = 4
/** Most reads at a time; a node takes four from one console. */
const MAX_READS = 6
/** Rows of one kind in one read; a page of more is cut, and says so. */
const MAX_KIND_ROWS = 8000
const RETRY_AFTER_MS = 10_000
/** A page of this very minute is read again when it is older than this and more is wanted. */
const REFRESH_AFTER_MS = 5000
/** The newest records of a node may still be on their way to its disk. */
const SETTLE_MS = 1500

/** Reads pages of the past as they are wanted: few at a time, never twice, and nothing any more once nobody wants it. */
export class PageLoader {
  readonly cache: PageCache
  /** What was found, kept for longer than the pages themselves. */
  readonly coverage = new CoverageBook()
  readonly #options: PageLoaderOptions
  #wishes: readonly PageWish[] = []
  readonly #reads = new Map<string, AbortController>()
  #over = false

  constructor(options: PageLoaderOptions) {
    this.#options = options
    this.cache = new PageCache(options.maxRows ?? DEFAULT_MAX_ROWS)
  }

  /** Change what is wanted. What is being read goes on, unless its node is no longer wanted at all. */
  want(wishes: readonly PageWish[]): void {
    this.#wishes = wishes
    for (const [mark, abort] of this.#reads) {
      if (!wishes.some((wish) => markOf(wish) === mark)) abort.abort()
    }
    this.#go()
  }

  /** End every read. */
  stop(): void {
    this.#over = true
    this.#wishes = []
    for (const abort of this.#reads.values()) abort.abort()
  }

  #go(): void {
    for (const wish of this.#wishes) {
      if (this.#over || this.#reads.size >= MAX_READS) return
      if (this.#reads.has(markOf(wish))) continue
      const run = this.#nextRun(wish)
      if (run !== null) void this.#read(wish, run)
    }
  }

  /** The first pages of a wish that are not here. */
  #nextRun(wish: PageWish): { readonly first: number; readonly last: number } | null {
    const lastPage = Math.min(wish.toPage, pageOf(this.#options.now() - SETTLE_MS))
    for (let page = wish.fromPage; page <= lastPage; page += 1) {
      if (!this.#isMissing(wish, page)) continue
      let last = page
      while (last < lastPage && last - page < RUN_PAGES - 1 && this.#isMissing(wish, last + 1)) last += 1
      return { first: page, last }
    }
    return null
  }

  #isMissing({ node, family }: PageWish, page: number): boolean {
    const held = this.cache.use(node, family, page)
    const nowMs = this.#options.now()
    if (held === null) return true
    if (held.state === 'failed') return nowMs - held.atMs >= RETRY_AFTER_MS
    if (held.state === 'loading') return false
    return held.throughMs < (page + 1) * PAGE_MS - 1 && nowMs - held.readAtMs >= REFRESH_AFTER_MS
  }

  async #read(wish: PageWish, run: { readonly first: number; readonly last: number }): Promise<void> {
    const { node, family } = wish
    const { now, changed } = this.#options
    const abort = new AbortController()
    this.#reads.set(markOf(wish), abort)
    const before: (Page | null)[] = []
    for (let page = run.first; page <= run.last; page += 1) {
      before.push(this.cache.peek(node, family, page))
      // A page that is read again stays as it is until more of it is here.
      if (before.at(-1)?.state !== 'kept') this.#put(node, family, page, { state: 'loading' })
    }
    const throughMs = Math.min((run.last + 1) * PAGE_MS - 1, now() - SETTLE_MS)
    const gathered = await this.#gather(wish, { fromMs: run.first * PAGE_MS, toMs: throughMs }, abort.signal)
    this.#reads.delete(markOf(wish))
    for (let page = run.first; page <= run.last; page += 1) {
      if (gathered.ok) {
        this.#put(node, family, page, pageFrom(gathered, page, { throughMs, readAtMs: now() }))
        continue
      }
      const was = before[page - run.first]
      const failed: Page = { state: 'failed', reason: gathered.reason, atMs: abort.signal.aborted ? 0 : now() }
      this.#put(node, family, page, was?.state === 'kept' ? { ...was, readAtMs: now() } : failed)
    }
    if (this.#over) return
    changed()
    this.#go()
  }

  #put(node: string, family: PageFamily, page: number, content: Page): void {
    this.cache.put(node, family, page, content)
    if (family === 'state') this.coverage.note(node, page, content, this.#options.offsetMs(node))
  }

  /** Ask one source after the other until one has something. */
  async #gather(wish: PageWish, span: { fromMs: number; toMs: number }, signal: AbortSignal): Promise<Gathered> {
    const offsetMs = this.#options.offsetMs(wish.node)
    const range: Omit<HistoryRange, 'kinds'> = {
      fromMs: Math.max(0, Math.ceil(span.fromMs + offsetMs)),
      toMs: Math.max(0, Math.floor(span.toMs + offsetMs)),
      limitPerKind: MAX_KIND_ROWS,
    }
    let best: Gathered = { ok: false, reason: 'nobody keeps a past of this node' }
    for (const source of this.#options.sources) {
      const rows: { readonly pageAt: (timestamp: number) => number; readonly rows: HistoryRows }[] = []
      const gaps: HistoryGap[] = []
      const pageAt = (timestamp: number): number => pageOf(timestamp - offsetMs)
      const sink = {
        rows: (came: HistoryRows) => {
          rows.push({ pageAt, rows: came })
        },
        gap: (gap: HistoryGap) => {
          gaps.push(gap)
        },
      }
      // The cloud has no samples, but what was made of results.
      const more: readonly HistoryKind[] = source.name === 'cloud' && wish.family === 'state' ? ['stats'] : []
      const kinds = [...KINDS[wish.family], ...more]
      const outcome = await source.read(wish.node, { ...range, kinds }, sink, signal)
      // More was kept than is taken at a time: the rest is a hole that is told.
      const lastMs = Math.max(range.fromMs, ...rows.map((part) => part.rows.rows.at(-1)?.timestamp ?? 0))
      if (outcome.ok && outcome.truncated) {
        for (const kind of kinds) gaps.push({ kind, missed: null, reason: 'limit', fromMs: lastMs, toMs: range.toMs })
      }
      const count = rows.reduce((sum, part) => sum + part.rows.rows.length, 0)
      if (outcome.ok && (count > 0 || gaps.length > 0)) {
        return { ok: true, source: source.name, rows: rows.map((part) => part.rows), gaps, pageAt }
      }
      // Who was asked first and has nothing is named; who could not be reached is not.
      if (outcome.ok && !best.ok) best = { ok: true, source: source.name, rows: [], gaps, pageAt }
      else if (!outcome.ok && !best.ok) best = { ok: false, reason: `${source.name}: ${outcome.message}` }
      if (signal.aborted) break
    }
    return best
  }
}

type Gathered =
  | {
      readonly ok: true
      readonly source: HistorySource['name']
      readonly rows: readonly HistoryRows[]
      readonly gaps: readonly HistoryGap[]
      /** Page of a record by its timestamp. */
      readonly pageAt: (timestamp: number) => number
    }
  | { readonly ok: false; readonly reason: string }

function pageFrom(
  gathered: Extract<Gathered, { ok: true }>,
  page: number,
  read: { readonly throughMs: number; readonly readAtMs: number },
): Page {
  const rows = gathered.rows
    .map((part) => {
      const mine = (part.rows as readonly { readonly timestamp: number }[]).filter(
        ({ timestamp }) => gathered.pageAt(timestamp) === page,
      )
      // A part of the rows of a kind is of that kind.
      return { ...part, rows: mine } as unknown as HistoryRows
    })
    .filter((part) => part.rows.length > 0)
  return {
    state: 'kept',
    source: gathered.source,
    throughMs: Math.min(read.throughMs, (page + 1) * PAGE_MS - 1),
    rows,
    gaps: gathered.gaps.filter((gap) => gathered.pageAt(gap.fromMs) <= page && gathered.pageAt(gap.toMs) >= page),
    rowCount: rows.reduce((sum, part) => sum + part.rows.length, 0),
    chars: rows.reduce((sum, part) => sum + JSON.stringify(part.rows).length, 0),
    readAtMs: read.readAtMs,
  }
}

function markOf({ node, family }: PageWish): string {
  return `${family} ${node}`
}
