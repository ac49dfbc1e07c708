import { type LogFilter, logText } from '../../../protocol/log-filter.ts'
import { LOG_LEVELS } from '../../../protocol/records.ts'
import type { Schedule } from '../../fleet/coalescer.ts'
import type { FleetReader } from '../../fleet/fleet-reader.ts'
import { parseLogFilter } from '../../fleet/log-filter-text.ts'
import { logMatch } from '../../fleet/log-match.ts'
import { type LogPattern, readPattern } from '../../fleet/log-pattern.ts'
import type { AsOf, LogGap, LogLine, LogRow } from '../../fleet/view.ts'
import type { NodeLink } from '../../link/link.ts'
import type { SearchedNode } from '../../link/log-search-contract.ts'
import type { ConsoleStore, ScreenName } from '../console-store.ts'
import { boundsOf, indexAt } from './choices.ts'
import { ContainerTail, type ShownContainer } from './container-tail.ts'
import { LogContext } from './context.ts'
import { LogFollower } from './follower.ts'
import { joined } from './joined.ts'
import { LogPages, type PagesWish } from './pages.ts'

/** What a reader needs of its console. */
export interface LogReaderParts {
  readonly fleet: FleetReader
  readonly store: ConsoleStore
  readonly link: (key: string) => NodeLink | undefined
  /** What links follow by themselves. */
  readonly firstFilter: LogFilter
  readonly schedule: Schedule
  readonly now: () => number
}

/** The rows of the log screen, and what came while it was paused. */
export interface LogRows {
  /** Oldest first. */
  readonly rows: readonly LogRow[]
  /** Lines that came since the pause. */
  readonly newer: number
  /** How many of them this console had to let go. */
  readonly letGo: number
}

/**
 * The rows of the log screen as the operator chose them: what comes live, and before it what was read of what the nodes keep,
 * or a stretch of the past alone. Rows that are held already are filtered here as the nodes filter theirs.
 */
export class LogReader {
  readonly pages: LogPages
  readonly context: LogContext
  /** First and last row in sight, by their place among the rows. */
  inSight: { readonly first: number; readonly last: number } = { first: 0, last: -1 }
  /** What the nodes are looked through for; null for nothing. */
  seeking: string | null = null
  /** Bars of the histogram that fit. */
  barsAcross = 60
  readonly #parts: LogReaderParts
  readonly #follower: LogFollower
  /** Live rows as they were when it was paused. */
  #held: { readonly rows: readonly LogRow[]; readonly lastId: number; readonly letGo: number } | null = null
  #memo: { readonly mark: readonly unknown[]; readonly rows: LogRows } | null = null
  #patterns: { readonly text: string; readonly pattern: LogPattern | null } = { text: '', pattern: null }
  #passing: { readonly text: string; readonly passes: (row: LogRow) => boolean } | null = null
  #finding: { readonly pattern: LogPattern; readonly finds: (row: LogRow) => boolean } | null = null
  #count: { readonly rows: readonly LogRow[]; readonly pattern: LogPattern; readonly count: number } | null = null
  #openedFor = ''
  #tail: ContainerTail | null = null

  constructor(parts: LogReaderParts) {
    this.#parts = parts
    this.pages = new LogPages({ changed: () => parts.store.set({}), now: parts.now })
    this.context = new LogContext(() => parts.store.set({}))
    this.#follower = new LogFollower({ keys: () => parts.fleet.keys(), link: parts.link }, parts.firstFilter)
  }

  /** The fleet told something new: what is shown may be other rows. */
  invalidate(): void {
    this.#memo = null
  }

  /** What is looked for and marked; null for nothing. */
  search(): LogPattern | null {
    const text = this.#parts.store.get().logs.search
    if (this.#patterns.text !== text) {
      const read = text === '' ? null : readPattern(text)
      this.#patterns = { text, pattern: read?.ok ? read.pattern : null }
    }
    return this.#patterns.pattern
  }

  /** How many rows of the screen hold what is looked for. */
  matches(): number {
    const pattern = this.search()
    if (pattern === null) return 0
    const { rows } = this.rows()
    if (this.#count?.rows !== rows || this.#count.pattern !== pattern) {
      const finds = this.#finds(pattern)
      this.#count = { rows, pattern, count: rows.reduce((sum, row) => sum + (finds(row) ? 1 : 0), 0) }
    }
    return this.#count.count
  }

  /** Whether a row holds what is looked for. */
  isMatch(row: LogRow): boolean {
    const pattern = this.search()
    return pattern !== null && this.#finds(pattern)(row)
  }

  /** What lines have to be, as nodes are asked. */
  filter(): LogFilter {
    const { minLevel, filter } = this.#parts.store.get().logs
    const parsed = parseLogFilter(filter)
    return { level: minLevel, ...(parsed.ok ? parsed.filter : {}) }
  }

  /** Nodes of the open log screen; null = all. */
  keys(): ReadonlySet<string> | null {
    return this.#open()?.keys ?? null
  }

  /** The container whose log the open log screen shows; null where it is that of nodes. */
  container(): ShownContainer | null {
    return this.#open()?.container ?? null
  }

  /** Whether the rows end at a time, and new lines are not among them. */
  isThen(): boolean {
    return this.pages.toMs !== null
  }

  /**
   * Bring what nodes send and what is read of them in line with the screen: called after every change. A log screen that lies
   * under another one is kept as it is.
   */
  settle(): void {
    const { logs, replay } = this.#parts.store.get()
    const isOpen = this.#open() !== undefined
    const usual: LogFilter = { level: logs.minLevel === 'debug' ? 'debug' : 'info' }
    const isOfNodes = isOpen && this.container() === null
    this.#follower.follow(this.keys(), isOfNodes ? this.filter() : usual, usual)
    this.#settleTail()
    if (!isOpen) {
      if (this.#openedFor !== '') this.close()
      return
    }
    if (replay !== null) return
    const which = this.container()?.place.label ?? [...(this.keys() ?? ['*'])]
    const mark = JSON.stringify([which, this.filter(), logs.range])
    if (mark === this.#openedFor) return
    this.#openedFor = mark
    this.#endPause()
    if (this.#tail === null) this.#openPages()
    else {
      void this.#tail.begun.then(() => {
        if (this.#openedFor === mark) this.#openPages()
      })
    }
  }

  #openPages(): void {
    const { cursor } = this.#parts.store.get().logs
    // Whoever stands on a line stays there: what is around it is read with the new filter.
    if (cursor === null) void this.pages.open(this.wish())
    else void this.pages.jump(cursor.atMs, this.wish())
  }

  /** Nobody looks any more. */
  close(): void {
    this.#openedFor = ''
    this.#held = null
    this.#tail?.stop()
    this.#tail = null
    this.context.clear()
    this.pages.reset()
  }

  /** Show the newest lines again. */
  live(): void {
    if (this.isThen()) void this.pages.open(this.wish())
  }

  /** Show the lines around a time; the cursor finds the nearest. */
  async goTo(atMs: number): Promise<void> {
    this.#endPause()
    await this.pages.jump(atMs, this.wish())
  }

  /** Hold the lines as they are, or let them come again. */
  setPaused(paused: boolean): void {
    const rows = this.#live()
    const lastId = Math.max(0, ...rows.slice(-1000).map(({ id }) => id))
    this.#held = paused ? { rows, lastId, letGo: letGoIn(rows) } : null
    this.#memo = null
    this.#parts.store.setLogs({ paused })
  }

  /**
   * Whether lines of a time are gone that came live: this console let them go, and they were not read since. Those before
   * what was read are with their nodes as all others.
   */
  isGone(atMs: number): boolean {
    if (this.isThen() || atMs <= this.pages.readMs) return false
    return this.rows().rows.some((row) => isLetGo(row) && row.atMs >= atMs)
  }

  /** Say what the nodes are looked through for. */
  setSeeking(what: string | null): void {
    this.seeking = what
    this.#parts.store.set({})
  }

  /** Read on where the screen comes near the end of what is held; rows are counted from 0. */
  sees(first: number, last: number, height: number): void {
    this.inSight = { first, last }
    if (this.#parts.store.get().replay !== null || this.#openedFor === '') return
    const { rows } = this.rows()
    if (first < height) void this.pages.older(this.wish())
    if (last >= rows.length - height && this.isThen()) void this.pages.newer(this.wish())
  }

  /** The row under the cursor; the newest when there is no cursor. */
  current(): LogRow | null {
    const { rows } = this.rows()
    return rows[indexAt(rows, this.#parts.store.get().logs.cursor)] ?? null
  }

  /** The rows of the screen. */
  rows(): LogRows {
    const { store, now } = this.#parts
    const { logs, asOf } = store.get()
    const keys = this.keys()
    const { version, isOld } = this.pages
    const tail = this.#tailNow()
    const of = [keys, tail, tail?.version]
    const mark = [...of, logs.minLevel, logs.filter, logs.range, logs.paused, asOf, version, isOld]
    if (this.#memo !== null && mark.every((part, at) => part === this.#memo?.mark[at])) return this.#memo.rows
    const rows = asOf === 'now' ? this.#merged(now()) : { rows: this.#live(asOf), newer: 0, letGo: 0 }
    this.#memo = { mark, rows }
    return rows
  }

  /** What is asked of the nodes when more is read. */
  wish(): PagesWish {
    const { store, now } = this.#parts
    const more = { filter: this.filter(), ...boundsOf(store.get().logs.range, now()) }
    const tail = this.#tailNow()
    if (tail === null) return { ...this.nodes(), ...more }
    const { shown, link, offsetMs } = tail
    return { nodes: [{ key: shown.key, link, offsetMs }], unreached: [], ...more }
  }

  /** The nodes of the screen that there is a link to, and the others. */
  nodes(): { readonly nodes: readonly SearchedNode[]; readonly unreached: readonly string[] } {
    const { fleet, link } = this.#parts
    const nodes = []
    const unreached = []
    for (const key of this.keys() ?? fleet.keys()) {
      const found = link(key)
      if (found === undefined) unreached.push(key)
      else nodes.push({ key, link: found, offsetMs: fleet.offsetMs(key) })
    }
    return { nodes, unreached }
  }

  #open(): Extract<ScreenName, { name: 'logs' }> | undefined {
    const { stack } = this.#parts.store.get()
    return stack.findLast((screen) => screen.name === 'logs')
  }

  /** Follow the container of the screen, and no other. */
  #settleTail(): void {
    const shown = this.container()
    if (shown === (this.#tail?.shown ?? null)) return
    this.#tail?.stop()
    this.#tail = null
    if (shown === null) return
    const { fleet, schedule, store, now } = this.#parts
    const offsetMs = fleet.offsetMs(shown.key)
    this.#tail = new ContainerTail(shown, { offsetMs, schedule, now, changed: () => store.set({}) })
    this.#tail.start()
  }

  /** What comes of the container of the screen; null where it shows nodes. */
  #tailNow(): ContainerTail | null {
    return this.container() === null ? null : this.#tail
  }

  /** What came during a pause is among what is read anew. */
  #endPause(): void {
    if (this.#parts.store.get().logs.paused) this.setPaused(false)
  }

  /** Rows that came up to a time and pass, oldest first. */
  #live(asOf: AsOf = 'now'): readonly LogRow[] {
    const keys = this.keys()
    const rows =
      this.container() === null
        ? this.#parts.fleet.logs({ asOf, ...(keys === null ? {} : { keys }) })
        : (this.#tailNow()?.rows(asOf) ?? [])
    return rows.filter(this.#passes())
  }

  #merged(nowMs: number): LogRows {
    const { pages } = this
    const { range } = this.#parts.store.get().logs
    const { fromMs, toMs } = boundsOf(range, nowMs)
    const all = this.isThen() ? [] : this.#live()
    const live = this.#held === null || this.isThen() ? all : this.#held.rows
    const { newer, letGo } = this.#sincePause(all)
    const from = Math.max(fromMs, pages.fromMs)
    const isOf = this.#isOfScreen()
    const passes = this.#passes()
    const read = pages.isOld ? pages.rows.filter((row) => isOf(row) && passes(row)) : pages.rows
    // What was let go and read again is here.
    const isHere = (row: LogRow): boolean => !isLetGo(row) || row.atMs > pages.readMs
    const rows = joined(read, live.filter(isHere)).filter(
      (row) => row.atMs >= from && (toMs === null || row.atMs <= toMs),
    )
    return { rows, newer, letGo }
  }

  /** Lines that came since the pause: what is let go of them is all that was since, without those that the pause holds. */
  #sincePause(all: readonly LogRow[]): Pick<LogRows, 'newer' | 'letGo'> {
    const held = this.#held
    if (held === null) return { newer: 0, letGo: 0 }
    const isOlder = ({ kind, id }: LogRow): boolean => kind === 'line' && id <= held.lastId
    const olderGone = held.rows.filter(isOlder).length - all.filter(isOlder).length
    const letGo = Math.max(0, letGoIn(all) - held.letGo - olderGone)
    const here = all.filter(({ kind, id }) => kind === 'line' && id > held.lastId).length
    return { newer: here + letGo, letGo }
  }

  #finds(pattern: LogPattern): (row: LogRow) => boolean {
    if (this.#finding?.pattern !== pattern) {
      const test = remembered((row) => pattern.test(logText(row)))
      this.#finding = { pattern, finds: (row) => row.kind === 'line' && test(row) }
    }
    return this.#finding.finds
  }

  #isOfScreen(): (row: LogRow) => boolean {
    const keys = this.keys()
    return (row) => keys === null || keys.has(row.key)
  }

  /** Whether a row passes the filter; what was found out of a row is not asked again. */
  #passes(): (row: LogRow) => boolean {
    const filter = this.filter()
    const text = JSON.stringify(filter)
    if (this.#passing?.text !== text) {
      const { level = 'debug', ...more } = filter
      const least = LOG_LEVELS.indexOf(level)
      const matches = Object.keys(more).length === 0 ? null : logMatch(more)
      const passesMore = matches === null ? null : remembered(matches)
      // Gaps pass whatever the filter: what is missing may have passed.
      const passes = (row: LogRow): boolean =>
        row.kind === 'gap' || (LOG_LEVELS.indexOf(row.level) >= least && (passesMore === null || passesMore(row)))
      this.#passing = { text, passes }
    }
    return this.#passing.passes
  }
}

/** Lines that the book has let go since it was begun. */
function letGoIn(rows: readonly LogRow[]): number {
  return rows.reduce((sum, row) => sum + (isLetGo(row) ? (row.missed ?? 0) : 0), 0)
}

/** Whether a row stands for lines that came and that this console holds no longer. */
export function isLetGo(row: LogRow): row is LogGap {
  return row.kind === 'gap' && row.reason === 'let_go'
}

/** A test whose answers are kept with the rows: rows never change, and are asked about with every picture. */
function remembered(test: (row: LogLine) => boolean): (row: LogLine) => boolean {
  const known = new WeakMap<LogLine, boolean>()
  return (row) => {
    const before = known.get(row)
    if (before !== undefined) return before
    const answer = test(row)
    known.set(row, answer)
    return answer
  }
}
