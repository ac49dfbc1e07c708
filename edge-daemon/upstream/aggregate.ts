import { messageOf } from '../../protocol/errors.ts'
import type { ResultRecord, StatRecord } from '../../protocol/records.ts'
import type { Store, StoredRecord } from '../store/contract.ts'
import { CommitGaps } from './commit-gaps.ts'
import type { UpstreamLog } from './log.ts'
import { type FoldedResult, StatWindow } from './stat-window.ts'

/** What an {@link Aggregator} is made of; counts and times as configured under `filter`. */
export interface AggregatorOptions {
  readonly store: Pick<Store, 'append' | 'read' | 'onCommit' | 'epoch'>
  /** Results in one statistic. */
  readonly aggregateCount: number
  /** Longest a statistic waits to be full, from its first result on. */
  readonly aggregateEveryMs: number
  readonly log: UpstreamLog
  /** Wall clock, Unix ms. */
  readonly nowMs?: () => number
  /** Wait after the disk refused a statistic. */
  readonly retryMs?: number
}

const PAGE_RECORDS = 2000
/** Closed windows that may wait for a disk that refuses; then the open one grows instead, so memory stays bounded. */
const MAX_CLOSED_REFUSED = 64

/**
 * Folds the results that stay on the node into `stat` records, one per `aggregateCount` results or `aggregateEveryMs`.
 *
 * The statistic is its own cursor: it names the range of sequences it covers (`first_seq` is one behind the last
 * statistic's `last_seq`; sequences of other classes may lie in the range), so at start the results behind the last
 * statistic are folded again and kill -9 neither doubles nor loses one. {@link stop} writes nothing for the same reason:
 * what is open is folded at the next start. A range never spans two epochs; the first of an epoch begins at its first
 * result.
 */
export class Aggregator {
  readonly #options: AggregatorOptions
  readonly #closed: StatWindow[] = []
  #open: StatWindow | null = null
  /** The last statistic was looked for. */
  #isPlaced = false
  /** Last sequence that is folded or covered, with its epoch; the next range begins behind it. */
  #covered: { readonly seq: number; readonly epoch: string } | null = null
  /** Records committed while the past is still being read; null once they are folded as they come. */
  #waiting: StoredRecord[] | null = []
  #timer: NodeJS.Timeout | undefined
  #retryTimer: NodeJS.Timeout | undefined
  #readTimer: NodeJS.Timeout | undefined
  readonly #gaps = new CommitGaps()
  #writing: Promise<void> | null = null
  #refused = false
  #toldRefusal = false
  #toldUnread = false
  /** The open window has waited its time. */
  #overdue = false
  #stopped = false
  #unsubscribe: (() => void) | null = null

  constructor(options: AggregatorOptions) {
    this.#options = options
  }

  /**
   * Fold what lies behind the last statistic, then what is committed. What cannot be read now, or is sealed under a key that
   * is missing, is waited for: passing over it would count results twice, or never. Never rejects.
   */
  async start(): Promise<void> {
    this.#unsubscribe = this.#options.store.onCommit((records) => this.#onCommit(records))
    await this.#catchUp()
  }

  /** Fold nothing more; resolves when a statistic on its way to the disk has arrived. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#unsubscribe?.()
    clearTimeout(this.#timer)
    clearTimeout(this.#retryTimer)
    clearTimeout(this.#readTimer)
    await this.#writing
  }

  /** Fold what is kept behind the last folded result, then what was committed meanwhile. */
  async #readPast(): Promise<void> {
    let afterSeq = this.#covered?.seq ?? 0
    // Also what is sealed away ends a page; the read behind it says so.
    for (let isLast = false; ; ) {
      const request = { classes: ['normal'], afterSeq, limit: PAGE_RECORDS, wholeOnly: true } as const
      const page = await this.#options.store.read(request)
      if (this.#stopped) return
      for (const record of page) this.#fold(record)
      this.#write()
      await this.#writing
      if (isLast || page.length === 0) break
      isLast = page.length < PAGE_RECORDS
      afterSeq = page.at(-1)?.seq ?? afterSeq
    }
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const record of waiting) this.#fold(record)
    this.#write()
  }

  /** Find the last statistic once, and {@link #readPast}; tried until both can be read. */
  async #catchUp(): Promise<void> {
    const { log } = this.#options
    try {
      if (!this.#isPlaced) this.#covered = await this.#lastStat()
      this.#isPlaced = true
      await this.#readPast()
      if (this.#toldUnread) log.info('aggregate.read', 'the results that waited to be counted can be read')
      this.#toldUnread = false
    } catch (error) {
      if (this.#stopped) return
      if (!this.#toldUnread) log.warn('aggregate.unread', `results wait to be counted: ${messageOf(error)}`)
      this.#toldUnread = true
      // All of it is read again, so nothing has to be held until then.
      this.#waiting = []
      this.#readTimer = setTimeout(() => void this.#catchUp(), this.#options.retryMs ?? 1000).unref()
    }
  }

  #onCommit(records: readonly StoredRecord[]): void {
    if (this.#gaps.isBefore(records) && this.#waiting === null) {
      this.#waiting = []
      void this.#catchUp()
    }
    for (const record of records) {
      if (record.class !== 'normal') continue
      if (this.#waiting === null) this.#fold(record)
      else this.#waiting.push(record)
    }
    this.#write()
  }

  #fold(record: StoredRecord): void {
    // Records that were committed while the past was read come twice: from the page and from the listener.
    if (this.#covered !== null && record.seq <= this.#covered.seq) return
    const result = folded(record)
    if (this.#open !== null && this.#open.epoch !== result.epoch) this.#close()
    if (this.#open === null) {
      const behind = this.#covered?.epoch === result.epoch ? this.#covered.seq + 1 : result.seq
      this.#open = new StatWindow(result, behind)
      this.#timer = setTimeout(() => this.#onTime(), this.#options.aggregateEveryMs).unref()
    } else {
      this.#open.fold(result)
    }
    this.#covered = { seq: result.seq, epoch: result.epoch }
    this.#closeIfDue()
  }

  #onTime(): void {
    this.#overdue = true
    this.#write()
  }

  #closeIfDue(): void {
    const isDue = this.#open !== null && (this.#overdue || this.#open.count >= this.#options.aggregateCount)
    if (isDue && !(this.#refused && this.#closed.length >= MAX_CLOSED_REFUSED)) this.#close()
  }

  #close(): void {
    clearTimeout(this.#timer)
    this.#overdue = false
    if (this.#open !== null) this.#closed.push(this.#open)
    this.#open = null
  }

  #write(): void {
    this.#closeIfDue()
    if (this.#writing !== null || this.#stopped || this.#refused) return
    if (this.#closed.length === 0) return
    this.#writing = this.#writeClosed().finally(() => {
      this.#writing = null
      this.#write()
    })
  }

  async #writeClosed(): Promise<void> {
    const { store, log, nowMs = Date.now } = this.#options
    const batch = [...this.#closed]
    const answer = await store.append(
      batch.map((window) => ({ class: 'stat' as const, timestamp: nowMs(), body: window.body(store.epoch) })),
    )
    if (answer.stored) {
      this.#closed.splice(0, batch.length)
      if (this.#toldRefusal) log.info('aggregate.kept', 'the statistics that waited for the disk are kept')
      this.#toldRefusal = false
      return
    }
    // Once, not at every try: a disk that is full for a day is one thing to know.
    if (!this.#toldRefusal) {
      log.warn('aggregate.refused', `statistics wait for the disk: ${answer.msg}`, { waiting: batch.length })
    }
    this.#toldRefusal = true
    this.#refused = true
    this.#retryTimer = setTimeout(() => void this.#retry(), this.#options.retryMs ?? 1000).unref()
  }

  /** A store that died while it answered may have kept the statistics all the same: look before writing them again. */
  async #retry(): Promise<void> {
    try {
      const last = await this.#lastStat()
      while (last !== null && (this.#closed[0]?.lastSeq ?? Number.POSITIVE_INFINITY) <= last.seq) this.#closed.shift()
      this.#refused = false
      this.#write()
    } catch {
      if (this.#stopped) return
      this.#retryTimer = setTimeout(() => void this.#retry(), this.#options.retryMs ?? 1000).unref()
    }
  }

  async #lastStat(): Promise<{ seq: number; epoch: string } | null> {
    const [record] = await this.#options.store.read({ classes: ['stat'], limit: 1, newestFirst: true, wholeOnly: true })
    if (record === undefined) return null
    const stat = JSON.parse(record.line) as StatRecord
    return { seq: stat.last_seq, epoch: stat.epoch ?? record.epoch }
  }
}

/** The store's own lines are trusted: they were written by this daemon and are guarded by a checksum. */
function folded(record: StoredRecord): FoldedResult {
  const result = JSON.parse(record.line) as ResultRecord
  return {
    seq: record.seq,
    epoch: record.epoch,
    timestamp: record.timestamp,
    code: result.code,
    totalMs: result.total_ms,
    overRateReason: result.over_rate === true ? (result.reason ?? 'failed') : null,
  }
}
