import type { LogFilter } from '../../../protocol/log-filter.ts'
import type { LogRow } from '../../fleet/view.ts'
import { searchLogs } from '../../link/log-search.ts'
import type { LogSearch, StreamedNode } from '../../link/log-search-contract.ts'

/** Which kept lines are read. */
export interface PagesWish {
  readonly nodes: readonly StreamedNode[]
  /** Nodes that cannot be asked now. */
  readonly unreached: readonly string[]
  readonly filter: LogFilter
  /** Nothing before this is read; Unix ms on our clock. */
  readonly fromMs: number
  /** Nothing after this is read; null where new lines belong to it. */
  readonly toMs: number | null
}

/** What is being read. */
export type PagesPhase = 'idle' | 'older' | 'newer'

/** Lines of one page. */
const PAGE_LINES = 400
/** Lines that are read on either side of a time that is gone to. */
const AROUND_LINES = 200
/** Most rows that are held; what is farthest from where it is read on is let go. */
const MAX_ROWS = 20_000
/** Numbers of rows that were read begin here, far from those of the fleet's own book and of the replayed past. */
const FIRST_ID = 2 ** 51

/**
 * What the log screen reads of the lines that nodes keep: one stretch of time without holes, that grows to both sides as it is
 * scrolled. It reaches up to now, or ends at a time and is read on from there. Lines come from all nodes in one order of time.
 */
export class LogPages {
  readonly #changed: () => void
  readonly #now: () => number
  #rows: LogRow[] = []
  #abort = new AbortController()
  #nextId = FIRST_ID
  #fromMs = Number.NEGATIVE_INFINITY
  #toMs: number | null = null
  #readMs = Number.NEGATIVE_INFINITY
  #phase: PagesPhase = 'idle'
  /** Lines of the page that is being read: those that came, and how many it has at most. */
  #page = { lines: 0, most: 0 }
  #isAllOlder = false
  /** Where the wish ends that is being read and of which nothing is there yet. */
  #beginsAt: { readonly toMs: number | null } | null = null
  #lookedBackToMs: number | null = null
  /** Clocks of the nodes as they stood to ours when the stretch was begun: pages that are read later join without a hole. */
  readonly #offsets = new Map<string, number>()
  readonly #failed = new Map<string, string>()
  #version = 0

  constructor(parts: { readonly changed: () => void; readonly now: () => number }) {
    this.#changed = parts.changed
    this.#now = parts.now
  }

  /** Rows that were read, oldest first. */
  get rows(): readonly LogRow[] {
    return this.#rows
  }

  /** From when on everything is here; before the first page is there, that is not known and nothing is hidden. */
  get fromMs(): number {
    return this.#fromMs
  }

  /** Until when everything is here; null up to now, where the lines that come live go on. */
  get toMs(): number | null {
    return this.#toMs
  }

  /** Until when the nodes gave what they keep; what came since is here as far as it came live. Unix ms. */
  get readMs(): number {
    return this.#readMs
  }

  get phase(): PagesPhase {
    return this.#phase
  }

  /** How far the page is that is being read: lines that came, and how many it has at most. */
  get page(): { readonly lines: number; readonly most: number } {
    return this.#page
  }

  /** Whether there is nothing older to read. */
  get isAllOlder(): boolean {
    return this.#isAllOlder
  }

  /** How far back a search has got that finds little; null when there is none. */
  get lookedBackToMs(): number | null {
    return this.#lookedBackToMs
  }

  /** Nodes that did not answer, and why. */
  get failed(): ReadonlyMap<string, string> {
    return this.#failed
  }

  /** Changes with the rows. */
  get version(): number {
    return this.#version
  }

  /** Whether what is held is of an earlier wish, and stands until the first lines of the new one are there. */
  get isOld(): boolean {
    return this.#beginsAt !== null
  }

  /** Forget all and stop reading. */
  reset(): void {
    this.#begin(null)
    this.#settleNew()
  }

  /** Read something else: what is held stays in sight until the first of it is there. */
  #begin(toMs: number | null): void {
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#beginsAt = { toMs }
    this.#phase = 'idle'
    this.#lookedBackToMs = null
    this.#failed.clear()
    this.#offsets.clear()
  }

  #settleNew(): void {
    if (this.#beginsAt === null) return
    this.#rows = []
    this.#fromMs = Number.NEGATIVE_INFINITY
    this.#toMs = this.#beginsAt.toMs
    this.#readMs = Number.NEGATIVE_INFINITY
    this.#beginsAt = null
    this.#isAllOlder = false
    this.#version += 1
  }

  /** Begin anew at the end: the newest lines. */
  async open(wish: PagesWish): Promise<void> {
    this.#begin(wish.toMs)
    await this.#read('older', wish, { fromMs: wish.fromMs, toMs: wish.toMs ?? this.#now(), limit: PAGE_LINES })
  }

  /** Read what is before the first row. */
  async older(wish: PagesWish): Promise<void> {
    if (this.#phase !== 'idle' || this.#isAllOlder) return
    const toMs = Number.isFinite(this.#fromMs) ? this.#fromMs : (wish.toMs ?? this.#now())
    await this.#read('older', wish, { fromMs: wish.fromMs, toMs, limit: PAGE_LINES })
  }

  /** Read what is behind the last row, until the live lines go on. */
  async newer(wish: PagesWish): Promise<void> {
    if (this.#phase !== 'idle' || this.#toMs === null || (wish.toMs !== null && this.#toMs >= wish.toMs)) return
    await this.#read('newer', wish, { fromMs: this.#toMs, toMs: wish.toMs ?? this.#now(), limit: PAGE_LINES })
  }

  /** Begin anew around a time. */
  async jump(atMs: number, wish: PagesWish): Promise<void> {
    this.#begin(atMs)
    const abort = this.#abort
    await this.#read('older', wish, { fromMs: wish.fromMs, toMs: atMs, limit: AROUND_LINES })
    if (abort.signal.aborted) return
    // Without a line before it, everything from that time on is known all the same.
    await this.#read('newer', wish, { fromMs: atMs, toMs: wish.toMs ?? this.#now(), limit: AROUND_LINES })
  }

  async #read(
    side: 'older' | 'newer',
    wish: PagesWish,
    part: Pick<LogSearch, 'fromMs' | 'toMs' | 'limit'>,
  ): Promise<void> {
    const { signal } = this.#abort
    const newestFirst = side === 'older'
    for (const key of wish.unreached) this.#failed.set(key, 'there is no link to the node')
    if (wish.nodes.length === 0 || part.fromMs > part.toMs) {
      this.#settleNew()
      // Nobody has more: else it would be asked for with every picture, and each answer is a reason for one.
      if (newestFirst) this.#isAllOlder = true
      else this.#toMs = wish.toMs
      this.#changed()
      return
    }
    this.#phase = side
    this.#page = { lines: 0, most: part.limit }
    this.#changed()
    let came = 0
    const outcome = await searchLogs(
      wish.nodes.map((node) => this.#withClock(node)),
      { ...part, filter: wish.filter, newestFirst, firstId: this.#nextId },
      {
        rows: (rows) => {
          this.#nextId += rows.length
          if (signal.aborted) return
          came += this.#take(rows, newestFirst)
          this.#page = { ...this.#page, lines: this.#page.lines + rows.filter(({ kind }) => kind === 'line').length }
          this.#changed()
        },
        progress: (_key, { atMs }) => {
          if (signal.aborted || !newestFirst) return
          this.#lookedBackToMs = Math.min(this.#lookedBackToMs ?? atMs, atMs)
          this.#changed()
        },
        failed: (key, { message }) => {
          if (!signal.aborted) this.#failed.set(key, message)
        },
      },
      signal,
    )
    if (signal.aborted) return
    this.#settleNew()
    this.#phase = 'idle'
    this.#lookedBackToMs = null
    if (newestFirst) {
      // All nodes gave what they have, or the range ends here; one that failed is told by name.
      this.#isAllOlder = !outcome.truncated
      // More lines of one instant than a page holds must not stop the reading.
      if (outcome.truncated && came === 0) this.#fromMs = part.toMs - 1
      if (!outcome.truncated) this.#fromMs = Math.min(part.toMs, part.fromMs)
    } else if (!outcome.truncated) this.#toMs = wish.toMs
    else if (came === 0) this.#toMs = part.fromMs + 1
    this.#readMs = Math.max(this.#readMs, newestFirst || !outcome.truncated ? part.toMs : (this.#toMs ?? part.fromMs))
    this.#version += 1
    this.#changed()
  }

  #withClock(node: StreamedNode): StreamedNode {
    const offsetMs = this.#offsets.get(node.key) ?? node.offsetMs
    this.#offsets.set(node.key, offsetMs)
    return { ...node, offsetMs }
  }

  /** Put a page beside what is held; tells how many rows are new. */
  #take(rows: readonly LogRow[], newestFirst: boolean): number {
    this.#settleNew()
    const edge = new Set((newestFirst ? this.#rows.slice(0, PAGE_LINES) : this.#rows.slice(-PAGE_LINES)).map(markOf))
    const fresh = rows.filter((row) => !edge.has(markOf(row)))
    this.#version += 1
    const last = rows.at(-1)
    if (newestFirst) {
      this.#rows = [...fresh.reverse(), ...this.#rows]
      if (last !== undefined) this.#fromMs = last.atMs
      if (this.#rows.length > MAX_ROWS) {
        this.#rows = this.#rows.slice(0, MAX_ROWS)
        this.#toMs = this.#rows.at(-1)?.atMs ?? null
      }
    } else {
      this.#rows = [...this.#rows, ...fresh]
      if (last !== undefined) this.#toMs = last.atMs
      if (this.#rows.length > MAX_ROWS) {
        this.#rows = this.#rows.slice(-MAX_ROWS)
        this.#fromMs = this.#rows[0]?.atMs ?? this.#fromMs
        this.#isAllOlder = false
      }
    }
    return fresh.length
  }
}

/** What makes a row the same that came another way. */
export function markOf(row: LogRow): string {
  if (row.kind === 'gap') return `${row.key}\ngap\n${row.atMs}\n${row.missed}`
  return row.seq > 0 ? `${row.key}\n${row.seq}` : `${row.key}\n#${row.id}`
}
