import type { RowsFrame } from '../../protocol/frames.ts'
import type { StatRecord } from '../../protocol/records.ts'
import type { SampleRecord } from '../../protocol/status.ts'
import type { Schedule } from '../fleet/coalescer.ts'
import { Fleet } from '../fleet/fleet.ts'
import type { HistoryRows } from '../link/history-source.ts'
import { COARSE_MS, PAGE_MS, type PageCache } from './page-cache.ts'

/** What a feed is made of. */
export interface PastFeedOptions {
  readonly cache: PageCache
  readonly keys: () => readonly string[]
  readonly offsetMs: (node: string) => number
  readonly schedule: Schedule
  readonly now: () => number
}

/** Seconds that a past fleet holds: charts behind the head, steps back, and what is ahead at ×60. */
export const PAST_SEC = 1500
/** Rows of the past are numbered beyond those of the present. */
const FIRST_LOG_ID = 1_000_000_000
/** Samples that are applied before keys are listened to again. */
const SAMPLES_A_SLICE = 25
/** Of five minutes only there are seconds, so that so many states can be held. */
const KEYFRAME_EVERY_MS = 2000
const MAX_PAST_RESULTS = 20_000
const MAX_PAST_LOGS = 20_000

/**
 * A second fleet that is fed with kept records instead of frames, each node from a first page on in time order. To go
 * back before that page a new feed is begun.
 */
export class PastFeed {
  readonly fleet: Fleet
  readonly #options: PastFeedOptions
  readonly #nodes = new Map<string, Fed>()
  /** Pages of results that are fed, with how far they were whole then. */
  readonly #results = new Map<string, number>()
  /** Pages that could not be had when their turn came. */
  readonly #holes: { readonly node: string; readonly page: number }[] = []

  constructor(atMs: number, options: PastFeedOptions) {
    this.#options = options
    this.fleet = new Fleet({
      schedule: options.schedule,
      historySec: PAST_SEC,
      maxLogRows: MAX_PAST_LOGS,
      maxResultRows: MAX_PAST_RESULTS,
      firstLogId: FIRST_LOG_ID,
      toldLater: true,
      keyframeEveryMs: KEYFRAME_EVERY_MS,
    })
    for (const key of options.keys()) this.fleet.add(key, { nowMs: atMs })
  }

  /** Begin with a node at a page; one that is fed already goes on, unless that page is further than it ever came. */
  begin(node: string, page: number): void {
    this.fleet.add(node, { nowMs: page * PAGE_MS })
    const fed = this.#nodes.get(node)
    if (fed !== undefined && fed.untilMs >= page * PAGE_MS) return
    this.#nodes.set(node, { firstPage: page, untilMs: page * PAGE_MS, sampledAt: fed?.sampledAt ?? 0 })
  }

  /** From and until when a node is fed, our clock; null when it was not begun. */
  span(node: string): { readonly fromMs: number; readonly toMs: number } | null {
    const fed = this.#nodes.get(node)
    return fed === undefined ? null : { fromMs: fed.firstPage * PAGE_MS, toMs: fed.untilMs }
  }

  /** Whether a node's feed began after a page, so that it cannot show it any more. */
  isBeyond(node: string, page: number): boolean {
    return (this.#nodes.get(node)?.firstPage ?? page) > page
  }

  /** The first page from one on that could not be had; null when there is none. */
  firstHole(node: string, fromPage: number): number | null {
    const pages = this.#holes.filter((hole) => hole.node === node && hole.page >= fromPage).map(({ page }) => page)
    return pages.length === 0 ? null : Math.min(...pages)
  }

  /** Whether a page came after it had been passed over: only a new feed can take it. */
  get outdated(): boolean {
    return this.#holes.some(({ node, page }) => {
      const held = this.#options.cache.peek(node, 'state', page)
      return held?.state === 'kept' && held.rowCount > 0
    })
  }

  /**
   * Feed pages that are here until a node is fed through `toMs`. Returns whether there is more to do at once: it works in
   * slices, so that keys are answered meanwhile.
   */
  feed(node: string, toMs: number): boolean {
    const fed = this.#nodes.get(node)
    if (fed === undefined) return false
    for (let budget = SAMPLES_A_SLICE; fed.untilMs < toMs; ) {
      if (budget <= 0) return true
      const number = Math.floor(fed.untilMs / PAGE_MS)
      const page = this.#options.cache.use(node, 'state', number)
      if (page?.state === 'failed') {
        // What cannot be had is a hole, and what comes after it is told all the same.
        this.#holes.push({ node, page: number })
        fed.untilMs = (number + 1) * PAGE_MS
        continue
      }
      if (page?.state !== 'kept' || page.throughMs + 1 <= fed.untilMs) return false
      for (const part of page.rows)
        budget -= part.kind === 'status' ? this.#samples(node, part.rows) : this.#rows(node, part)
      fed.untilMs = page.throughMs + 1
    }
    return false
  }

  /** Feed the results of these pages that are here; they stand for themselves, so their order does not matter. */
  feedResults(node: string, fromPage: number, toPage: number): void {
    for (let number = fromPage; number <= toPage; number += 1) {
      const page = this.#options.cache.peek(node, 'results', number)
      const mark = `${number} ${node}`
      if (page?.state !== 'kept' || (this.#results.get(mark) ?? 0) >= page.throughMs) continue
      this.#results.set(mark, page.throughMs)
      for (const part of page.rows) this.#rows(node, part)
    }
  }

  /** Whether the results of a page were fed. */
  hasResults(node: string, page: number): boolean {
    return this.#results.has(`${page} ${node}`)
  }

  #rows(node: string, part: HistoryRows): number {
    const { now, offsetMs } = this.#options
    if (part.kind === 'ledger' || part.kind === 'metrics' || part.kind === 'audit') return 0
    if (part.kind === 'stats') return this.#stats(node, part.rows)
    const { kind: topic, rows } = part
    const frame = { t: 'rows', id: 'kept', topic, rows } as unknown as RowsFrame
    this.fleet.apply(node, { kind: 'clock', rttMs: null, offsetMs: offsetMs(node) }, now())
    this.fleet.apply(node, { kind: 'frame', frame, sizeBytes: 0 }, now())
    return Math.ceil(rows.length / 50)
  }

  #stats(node: string, rows: readonly StatRecord[]): number {
    const { now, offsetMs } = this.#options
    this.fleet.apply(node, { kind: 'clock', rttMs: null, offsetMs: offsetMs(node) }, now())
    for (const record of rows) this.fleet.apply(node, { kind: 'stat', record }, now())
    return rows.length
  }

  /** Samples in time order; a minute whose seconds are kept says nothing new. */
  #samples(node: string, rows: readonly SampleRecord[]): number {
    const fed = this.#nodes.get(node)
    if (fed === undefined) return 0
    const offsetMs = this.#options.offsetMs(node)
    let count = 0
    for (const record of rows) {
      const { timestamp, window_ms } = record
      if (timestamp <= fed.sampledAt) continue
      if (window_ms > COARSE_MS && fed.sampledAt > timestamp - window_ms + COARSE_MS) continue
      fed.sampledAt = timestamp
      this.fleet.apply(node, { kind: 'clock', rttMs: null, offsetMs }, timestamp - offsetMs)
      this.fleet.apply(node, { kind: 'sample', record }, timestamp - offsetMs)
      count += 1
    }
    return count
  }
}

interface Fed {
  readonly firstPage: number
  /** Until when it is fed, our clock. */
  untilMs: number
  /** Timestamp of its last sample. */
  sampledAt: number
}
