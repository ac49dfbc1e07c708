import type { Schedule } from '../fleet/coalescer.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { HistorySource } from '../link/history-source.ts'
import { AlertMarks } from './alert-marks.ts'
import { PAGE_MS, pageOf } from './page-cache.ts'
import { PageLoader, type PageWish } from './page-loader.ts'
import { PastFeed } from './past-feed.ts'
import { type Reach, reachOf } from './reach.ts'
import { type KeptPast, ReplayedFleet } from './replayed-fleet.ts'

/** What the operator looks at. */
export interface ReplayLook {
  readonly headMs: number
  /** How fast it plays; 0 while it stands. */
  readonly rate: number
  /** Nodes whose past is wanted whole, results too: the open one, or those whose logs are open. */
  readonly focus: readonly string[]
  /** Length of the time bar, ms; alerts in it are marked. */
  readonly spanMs: number
}

/** What a replay is made of. */
export interface ReplayOptions {
  readonly live: Fleet
  readonly sources: readonly HistorySource[]
  readonly schedule: Schedule
  /** Unix ms. */
  readonly now: () => number
}

/** What charts show behind the head, with the minute that a rate looks back. */
const BEHIND_MS = 390_000
/** Steps back that cost nothing. */
const SLACK_MS = 300_000
/** Loaded ahead at least: the minute that a sample tells of ends behind it. */
const AHEAD_MS = 75_000
/** Loaded ahead while it plays, seconds of the operator's time. */
const AHEAD_SEC = 10
/** Nodes that are loaded besides those in focus; a larger fleet shows what this console saw of the rest. */
const MAX_OTHERS = 24
/** Minutes of results that are loaded before the head. */
const RESULT_PAGES = 2
/** Of the newest seconds some are always on their way. */
const FRESH_MS = 8000
const SLICE_EVERY_MS = 5

/**
 * Going back in time: keeps the past around the play head loaded and fed, and is quiet while nothing is replayed. `fleet`
 * is what panes read.
 */
export class Replay {
  readonly fleet: ReplayedFleet
  readonly #options: ReplayOptions
  readonly #loader: PageLoader
  readonly #marks: AlertMarks
  readonly #listeners = new Set<() => void>()
  #look: ReplayLook | null = null
  #feed: PastFeed | null = null
  #wishes: readonly PageWish[] = []
  #cancelSlice: (() => void) | null = null

  constructor(options: ReplayOptions) {
    const { live, sources, now } = options
    this.#options = options
    const offsetMs = (node: string): number => live.offsetMs(node)
    this.#loader = new PageLoader({ sources, offsetMs, now, changed: () => this.#pump() })
    this.#marks = new AlertMarks({ sources, offsetMs, now, changed: () => this.#tell() })
    this.fleet = new ReplayedFleet(live, this.#past(), now)
  }

  /** Be told when more of the past is there; returns how to stop. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Look at a past time, or (null) at now again: what was loaded is kept for a while, nothing more is read. */
  look(look: ReplayLook | null): void {
    this.#look = look
    if (look === null) {
      this.#feed = null
      this.#wishes = []
      this.#loader.want([])
      this.#marks.want([], 0)
      this.#cancelSlice?.()
      this.#cancelSlice = null
      return
    }
    this.#pump()
  }

  stop(): void {
    this.look(null)
    this.#loader.stop()
    this.#listeners.clear()
  }

  /** How far the head may play before what comes next is loaded, our clock. */
  playableMs(): number {
    const look = this.#look
    const feed = this.#feed
    if (look === null || feed === null) return Number.POSITIVE_INFINITY
    const endMs = this.#endMs(look)
    const limits = this.#wishes
      .filter((wish) => wish.family === 'state' && !this.#options.live.knows(wish.node, look.headMs + 1000))
      .map((wish) => feed.span(wish.node)?.toMs ?? 0)
      .filter((fedMs) => fedMs < endMs)
    return Math.min(...limits)
  }

  /** Who knows what of a stretch of time: of one node, or of any of the fleet when `key` is null. */
  reach(key: string | null, fromMs: number, toMs: number): Reach {
    const { live, now } = this.#options
    const keys = key === null ? live.keys() : [key]
    return reachOf({ keys, fromMs, toMs, nowMs: now(), live, coverage: this.#loader.coverage, marks: this.#marks })
  }

  #past(): KeptPast {
    const replay = this
    return {
      get fleet() {
        return replay.#feed?.fleet ?? null
      },
      get headMs() {
        return replay.#look?.headMs ?? null
      },
      isLoading: (key, atMs) => this.#isLoading(key, atMs),
      span: (key) => this.#feed?.span(key) ?? null,
    }
  }

  #isLoading(key: string, atMs: number): boolean {
    const look = this.#look
    const span = this.#feed?.span(key) ?? null
    if (look === null || span === null || !this.#wishes.some(({ node }) => node === key)) return false
    // A minute's record stands at its end, on the next page; of the newest seconds some are always on their way.
    return span.toMs < Math.min(atMs + PAGE_MS, this.#endMs(look) - FRESH_MS)
  }

  #endMs(look: ReplayLook): number {
    return Math.min(look.headMs + Math.max(AHEAD_MS, look.rate * AHEAD_SEC * 1000), this.#options.now() - 2000)
  }

  /** Load what is missing, feed what is there. */
  #pump(): void {
    const look = this.#look
    if (look === null) return
    const others = this.#options.live.keys().filter((key) => !look.focus.includes(key) && this.#lacks(key, look.headMs))
    const nodes = [...look.focus, ...others.slice(0, MAX_OTHERS)]
    const feed = this.#feedFor(look, nodes)
    const toPage = pageOf(Math.max(this.#endMs(look), look.headMs))
    const wishes = nodes.map((node): PageWish => {
      feed.begin(node, pageOf(look.headMs - BEHIND_MS - SLACK_MS))
      // What is fed already is not read again when it is forgotten; what could not be had is tried again.
      const hole = feed.firstHole(node, pageOf(look.headMs - BEHIND_MS))
      return { node, family: 'state', fromPage: hole ?? pageOf(feed.span(node)?.toMs ?? 0), toPage }
    })
    this.#wishes = [...wishes, ...this.#resultWishes(look, feed, toPage)]
    this.#loader.want(this.#wishes)
    this.#marks.want(nodes, look.spanMs)
    this.#slice()
    this.#tell()
  }

  /** Results are many: only those around the head, and of the first node in focus. */
  #resultWishes(look: ReplayLook, feed: PastFeed, toPage: number): PageWish[] {
    const [node] = look.focus
    if (node === undefined) return []
    const lastPage = Math.min(toPage, pageOf(look.headMs + PAGE_MS))
    let fromPage = pageOf(look.headMs) - RESULT_PAGES
    feed.feedResults(node, fromPage, lastPage)
    while (fromPage < lastPage && feed.hasResults(node, fromPage)) fromPage += 1
    return [{ node, family: 'results', fromPage, toPage: lastPage }]
  }

  #feedFor(look: ReplayLook, nodes: readonly string[]): PastFeed {
    const before = this.#feed
    const neededPage = pageOf(look.headMs - BEHIND_MS)
    const beyond = nodes.some((node) => before?.isBeyond(node, neededPage) === true)
    if (before !== null && !before.outdated && !beyond) return before
    const { live, schedule, now } = this.#options
    const { cache } = this.#loader
    const options = { cache, keys: () => live.keys(), offsetMs: (node: string) => live.offsetMs(node), schedule, now }
    this.#feed = new PastFeed(look.headMs - BEHIND_MS - SLACK_MS, options)
    return this.#feed
  }

  /** Feed for a moment, and go on soon when there is more. */
  #slice(): void {
    const look = this.#look
    const feed = this.#feed
    if (look === null || feed === null || this.#cancelSlice !== null) return
    const endMs = this.#endMs(look)
    const more = this.#wishes.filter(({ node, family }) => family === 'state' && feed.feed(node, endMs))
    if (more.length === 0) return
    this.#cancelSlice = this.#options.schedule(() => {
      this.#cancelSlice = null
      this.#slice()
      this.#tell()
    }, SLICE_EVERY_MS)
  }

  /** Whether this console did not see all that a screen shows of a node around the head. */
  #lacks(key: string, headMs: number): boolean {
    const { live, now } = this.#options
    const sinceMs = Math.max(live.addedMs(key) ?? 0, now() - live.historyMs)
    return headMs - BEHIND_MS < sinceMs || !live.knows(key, headMs)
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
