import { EdgeError, type ErrorCode, messageOf } from '../../protocol/errors.ts'
import { type ClientFrame, type CommandFrame, type FrameOf, MAX_TALLY_STEPS } from '../../protocol/frames.ts'
import type { LogFilter } from '../../protocol/log-filter.ts'
import { missingRight, REQUESTS } from '../../protocol/rights.ts'
import type { LogMatcher } from '../../regex/log-matcher.ts'
import type { LogSearch, LogSearcher, SearchRequest } from '../search/contract.ts'
import type { ReadyFilters } from './compile-filter.ts'
import {
  type CommandResult,
  type KeptPicture,
  LIVE_LIMITS,
  type LiveLog,
  nameOf,
  type Peer,
  type RowTopic,
  type TelemetryPace,
} from './contract.ts'
import { type Backlog, type PageReader, readBacklog } from './history.ts'
import { findBacklog, sendSearch, sendTally } from './log-search.ts'
import { type PictureReader, sendPicture } from './picture.ts'
import { sendRange } from './range-read.ts'
import { SharedRow, searchedFor, wants, wantsAll } from './row-filter.ts'
import { type RowOutlet, RowSubscription } from './row-subscription.ts'
import { SendCredit } from './send-credit.ts'
import { type StatusFeed, type StatusOutlet, StatusSubscription } from './status-feed.ts'

/** Kept rows that a console gets at most of the time that it was away, unless it says another number. */
const AWAY_ROWS = 1000

/** What of a request says which lines are searched. */
type SearchFrame = Pick<SearchRequest, 'fromMs' | 'toMs'> & {
  readonly filter?: LogFilter | undefined
  readonly afterSeq?: number | undefined
  readonly beforeSeq?: number | undefined
  readonly newestFirst?: boolean | undefined
  readonly stepMs?: number | undefined
}

/** What a console may ask for once it was greeted. */
export type RequestFrame = Exclude<ClientFrame, { t: 'hello' | 'ping' | 'pong' }>

/** What answers are made from. */
export interface RequestSources {
  readonly log: LiveLog
  readonly feed: StatusFeed
  readonly read: PageReader
  readonly search: LogSearcher
  /** From when on all log lines that pass are kept, Unix ms. */
  readonly keptFromMs: (filter: LogFilter | undefined) => number
  readonly filters: ReadyFilters
  /** Who this session is to the searches, which take turns. */
  readonly by: number
  readonly picture: PictureReader
  /** Told of every picture that was asked for, before it goes. */
  readonly fetched: (peer: Peer, seq: number, refusal: EdgeError | null) => void
  /** The site that this node belongs to, for rights that end at one. */
  readonly site: string
  /** Carries a verb out, if the peer may. */
  readonly command: (peer: Peer, frame: CommandFrame) => Promise<CommandResult>
  /** Some subscription has rows that wait for time or for its reader. */
  readonly wantFlush: () => void
}

/** Where answers go. */
export interface RequestOutlet extends RowOutlet, StatusOutlet {
  readonly pace: TelemetryPace
  /** Send when a page or picture may go, and wait until the kernel took it; false when the session ended. */
  sendInTurn(frame: string): Promise<boolean>
  refuse(id: string, code: ErrorCode, msg: string, next?: readonly string[]): void
}

/** The subscriptions, reads and commands of one session: how many there may be, and what each is answered. */
export class SessionRequests {
  readonly #sources: RequestSources
  readonly #peer: Peer
  readonly #outlet: RequestOutlet
  readonly #rows = new Map<string, RowSubscription>()
  readonly #status = new Map<string, StatusSubscription>()
  readonly #jobs = new Set<string>()
  /** Reads and fetches under way, which may wait long for credit: they are bounded apart from the quick jobs. */
  readonly #answers = new Map<string, SendCredit>()
  /** Searches for the backlog of a subscription, by its id. */
  readonly #searches = new Map<string, LogSearch>()

  constructor(sources: RequestSources, peer: Peer, outlet: RequestOutlet) {
    this.#sources = sources
    this.#peer = peer
    this.#outlet = outlet
  }

  /** Offer a published row to every subscription of its topic. */
  publish(topic: RowTopic, row: SharedRow): void {
    for (const subscription of this.#rows.values()) if (subscription.topic === topic) subscription.push(row)
  }

  /** Send gathered rows and due gaps. Returns whether something still waits for the reader. */
  flush(): boolean {
    let waiting = false
    for (const subscription of this.#rows.values()) {
      subscription.flush()
      waiting ||= subscription.waiting
    }
    return waiting
  }

  /** Whether some subscription has rows or a gap to send. */
  get waiting(): boolean {
    for (const subscription of this.#rows.values()) if (subscription.waiting) return true
    return false
  }

  /** End every subscription; what is under way finds the session gone. */
  close(): void {
    for (const subscription of this.#status.values()) this.#sources.feed.remove(subscription)
    for (const credit of this.#answers.values()) credit.end()
    this.#rows.clear()
    this.#status.clear()
    for (const search of this.#searches.values()) search.end()
  }

  /** Carry out one request; whatever goes wrong is answered with an error frame. */
  take(frame: RequestFrame): void {
    if (frame.t in REQUESTS && !this.#mayAsk(frame as RequestFrame & { t: keyof typeof REQUESTS })) return
    switch (frame.t) {
      case 'subscribe':
        this.#subscribe(frame)
        return
      case 'credit':
        // A credit for an id that is gone only crossed its unsubscribe on the way.
        this.#status.get(frame.id)?.credit(frame.n)
        this.#rows.get(frame.id)?.credit(frame.n)
        this.#answers.get(frame.id)?.grant(frame.n)
        if (this.waiting) this.#sources.wantFlush()
        return
      case 'pace': {
        // One that is gone only crossed its unsubscribe on the way.
        const subscription = this.#status.get(frame.id)
        if (subscription !== undefined) this.#sources.feed.repace(subscription, frame.everyMs)
        return
      }
      case 'unsubscribe':
        this.#unsubscribe(frame.id)
        return
      case 'read':
        this.#read(frame)
        return
      case 'tally':
        this.#tally(frame)
        return
      case 'fetch':
        this.#fetch(frame)
        return
      case 'command':
        this.#job(frame.id, async () => {
          const result = await this.#sources.command(this.#peer, frame)
          this.#outlet.send(JSON.stringify({ t: 'done', id: frame.id, result }))
        })
    }
  }

  #mayAsk(frame: RequestFrame & { readonly t: keyof typeof REQUESTS }): boolean {
    const { t, id } = frame
    const missing = missingRight(this.#peer.rights, REQUESTS[t], this.#sources.site)
    if (missing === null) return true
    const who = nameOf(this.#peer)
    const msg = `${t} needs ${missing}, which ${who} has not`
    const next = ['ask an admin of the fleet for it']
    if (frame.t === 'fetch') {
      this.#sources.fetched(this.#peer, frame.seq, new EdgeError('RIGHT_MISSING', { message: msg, next }))
    }
    this.#sources.log.warn('live.request_refused', msg, { who, code: 'RIGHT_MISSING' })
    this.#outlet.refuse(id, 'RIGHT_MISSING', msg, next)
    return false
  }

  #subscribe(frame: FrameOf<ClientFrame, 'subscribe'>): void {
    const { id, topic, credits } = frame
    if (this.#taken(id)) {
      this.#outlet.refuse(id, 'FRAME_INVALID', 'this id is in use', ['choose another id'])
      return
    }
    if (this.#rows.size + this.#status.size >= LIVE_LIMITS.subscriptions) {
      const msg = `a session may hold ${LIVE_LIMITS.subscriptions} subscriptions`
      this.#outlet.refuse(id, 'OVERLOADED', msg, ['unsubscribe from one first'])
      return
    }
    if (topic === 'status') {
      const subscription = new StatusSubscription(id, credits, this.#outlet, frame.everyMs)
      this.#status.set(id, subscription)
      this.#sources.feed.add(subscription)
      return
    }
    const { afterSeq } = frame
    const count = frame.backlog ?? (afterSeq === undefined ? 0 : AWAY_ROWS)
    const matcher = this.#matcher(frame)
    if (matcher === null) return
    const wish = {
      ...(matcher === undefined ? {} : { matcher }),
      ...(frame.level === undefined ? {} : { level: frame.level }),
      ...(frame.contains === undefined ? {} : { contains: frame.contains }),
      ...(frame.abnormalOnly === undefined ? {} : { abnormalOnly: frame.abnormalOnly }),
    }
    const subscription = new RowSubscription({ id, topic, wish, credits, backfilling: count > 0 }, this.#outlet)
    this.#rows.set(id, subscription)
    if (count === 0) return
    const started = this.#job(id, async () => {
      let backlog: Backlog = { rows: [], missed: null }
      try {
        backlog = await this.#backlog(subscription, { count, afterSeq })
      } finally {
        if (this.#rows.get(id) === subscription) subscription.backfill(backlog)
      }
      if (subscription.waiting) this.#sources.wantFlush()
    })
    if (!started) this.#rows.delete(id)
  }

  /** Kept rows for a subscription that begins; lines that not all are wanted of are searched for. */
  async #backlog(
    { id, topic, wish }: RowSubscription,
    range: { readonly count: number; readonly afterSeq: number | undefined },
  ): Promise<Backlog> {
    if (topic !== 'logs' || wantsAll(wish)) return readBacklog(this.#sources.read, topic, wish, range)
    const { count, afterSeq } = range
    const search = this.#search({
      filter: searchedFor(wish),
      fromMs: 0,
      toMs: Number.MAX_SAFE_INTEGER,
      afterSeq,
      newestFirst: true,
    })
    this.#searches.set(id, search)
    try {
      const isContinued = afterSeq !== undefined
      return await findBacklog(search, { count, isContinued, wants: (row) => wants(wish, new SharedRow(row)) })
    } catch (error) {
      // Nobody waits for it any more.
      if (this.#rows.get(id)?.wish !== wish) return { rows: [], missed: null }
      throw error
    } finally {
      this.#searches.delete(id)
    }
  }

  #unsubscribe(id: string): void {
    const status = this.#status.get(id)
    if (status !== undefined) this.#sources.feed.remove(status)
    this.#status.delete(id)
    this.#rows.get(id)?.end()
    this.#rows.delete(id)
    this.#searches.get(id)?.end()
    this.#answers.get(id)?.end()
  }

  #read(frame: FrameOf<ClientFrame, 'read'>): void {
    const { id } = frame
    if (frame.fromMs > frame.toMs) {
      this.#outlet.refuse(id, 'FRAME_INVALID', 'fromMs is after toMs')
      return
    }
    const matcher = this.#matcher(frame)
    if (matcher === null) return
    this.#answer(frame, async (credit) => {
      const { pace } = this.#outlet
      const outlet = {
        frameBytes: () => pace.rowsFrameBytes,
        credit,
        send: (text: string) => this.#outlet.sendInTurn(text),
      }
      const isSearch = frame.topic === 'logs' && matcher !== undefined
      const { truncated, lastSeq } = isSearch
        ? await sendSearch(this.#search(frame), frame, outlet)
        : await sendRange(this.#sources.read, frame, outlet)
      this.#outlet.send(JSON.stringify({ t: 'end', id, truncated, lastSeq }))
    })
  }

  #tally(frame: FrameOf<ClientFrame, 'tally'>): void {
    const { id, fromMs, toMs, stepMs } = frame
    if (fromMs > toMs || (toMs - fromMs) / stepMs >= MAX_TALLY_STEPS) {
      const msg = fromMs > toMs ? 'fromMs is after toMs' : `more than ${MAX_TALLY_STEPS} steps`
      this.#outlet.refuse(id, 'FRAME_INVALID', msg, ['ask for a shorter time, or wider steps'])
      return
    }
    if (this.#matcher(frame) === null) return
    this.#answer(frame, (credit) => {
      const send = (text: string): Promise<boolean> => this.#outlet.sendInTurn(text)
      const knownFromMs = Math.max(fromMs, this.#sources.keptFromMs(frame.filter))
      return sendTally(this.#search(frame), { id, stepMs, knownFromMs }, { credit, send })
    })
  }

  /** Begin to look through kept log lines. */
  #search(frame: SearchFrame): LogSearch {
    const { filter = null, fromMs, toMs, afterSeq = 0, newestFirst = false, stepMs = null } = frame
    const { beforeSeq = Number.MAX_SAFE_INTEGER } = frame
    const request = { filter, fromMs, toMs, afterSeq, beforeSeq, newestFirst, stepMs }
    return this.#sources.search.begin(request, this.#sources.by)
  }

  /** The filter of a request, made ready; undefined without one, null when it was refused. */
  #matcher({
    id,
    filter,
  }: {
    readonly id: string
    readonly filter?: LogFilter | undefined
  }): LogMatcher | undefined | null {
    if (filter === undefined) return undefined
    try {
      return this.#sources.filters.of(filter)
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      this.#outlet.refuse(id, error.code, error.message, error.next)
      return null
    }
  }

  #fetch(frame: FrameOf<ClientFrame, 'fetch'>): void {
    this.#answer(frame, async (credit) => {
      const picture = await this.#picture(frame.seq)
      const { pace } = this.#outlet
      const send = (text: string): Promise<boolean> => this.#outlet.sendInTurn(text)
      await sendPicture(frame, picture, { pieceBytes: () => pace.rowsFrameBytes, credit, send })
    })
  }

  async #picture(seq: number): Promise<KeptPicture> {
    try {
      const picture = await this.#sources.picture(seq)
      this.#sources.fetched(this.#peer, seq, null)
      return picture
    } catch (error) {
      if (error instanceof EdgeError) this.#sources.fetched(this.#peer, seq, error)
      throw error
    }
  }

  /** Answer with as many frames as it takes, at the pace of the reader's credit. */
  #answer(
    { id, credits }: { readonly id: string; readonly credits?: number | undefined },
    work: (credit: SendCredit) => Promise<void>,
  ): void {
    if (this.#taken(id)) {
      this.#outlet.refuse(id, 'FRAME_INVALID', 'this id is in use', ['choose another id'])
      return
    }
    if (this.#answers.size >= LIVE_LIMITS.answers) {
      const msg = `a session may have ${LIVE_LIMITS.answers} reads under way`
      this.#outlet.refuse(id, 'OVERLOADED', msg, ['wait for an end, or unsubscribe from a read'])
      return
    }
    const credit = new SendCredit(credits)
    this.#answers.set(id, credit)
    void this.#carryOut(id, () => work(credit)).finally(() => this.#answers.delete(id))
  }

  #taken(id: string): boolean {
    return this.#rows.has(id) || this.#status.has(id) || this.#jobs.has(id) || this.#answers.has(id)
  }

  /** Run something that takes a moment, a few at once; its failure is an error frame. Returns whether it began. */
  #job(id: string, work: () => Promise<void>): boolean {
    if (this.#jobs.has(id) || this.#jobs.size >= LIVE_LIMITS.jobs) {
      this.#outlet.refuse(id, 'OVERLOADED', 'too many requests of this session are under way', [
        'wait for an answer first',
      ])
      return false
    }
    this.#jobs.add(id)
    void this.#carryOut(id, work).finally(() => this.#jobs.delete(id))
    return true
  }

  /** Never rejects. */
  async #carryOut(id: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof EdgeError) {
        this.#outlet.refuse(id, error.code, error.message, error.next)
        return
      }
      this.#sources.log.warn('live.request_failed', messageOf(error))
      this.#outlet.refuse(id, 'STORE_FAILING', 'the node could not carry this out', ['look at its log'])
    }
  }
}
