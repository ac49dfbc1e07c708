import type { LinkEvent } from '../fleet/link-event.ts'
import type { Backoff } from './backoff.ts'
import type {
  CommandOptions,
  CommandOutcome,
  JsonValue,
  LinkSink,
  LogFollow,
  NodeLink,
  PictureOutcome,
  RangeOutcome,
  RangeRequest,
  RangeSink,
  ReadableRows,
  ReadOutcome,
  ReadRequest,
  ResultFollow,
  TallyOutcome,
  TallyRequest,
} from './link.ts'
import { unreachable } from './request-book.ts'
import { chooseRoute, FIRST_PROVING_MS, provingAfter, ROUTES, type Route } from './route-choice.ts'
import { RowCursor } from './row-cursor.ts'
import type { WebSocketLink } from './websocket.ts'

/** How one of the ways is made: connected without asking for anything until it is used. */
export type WayMaker = (way: {
  readonly sink: LinkSink
  readonly cursor: RowCursor
  readonly backoff: Backoff
}) => WebSocketLink

/** What a {@link BestLink} is made of. */
export interface BestLinkOptions {
  readonly sink: LinkSink
  /** Null where no address is known, or where there is no bus. */
  readonly direct: WayMaker | null
  readonly nats: WayMaker | null
  readonly now?: () => number
  readonly tickMs?: number
  readonly firstProvingMs?: number
  /** Longest wait between two attempts on the direct way while the bus serves. */
  readonly retryDirectMs?: number
}

/** One way with what is known of it. */
interface Way {
  readonly route: Route
  readonly link: WebSocketLink
  wanted: boolean
  upSinceMs: number | null
  /** What the fleet is told of it once it is used. */
  opened: LinkEvent | null
  welcome: LinkEvent | null
  clock: LinkEvent | null
  /** Why it does not stand. */
  reason: string | null
}

const TICK_MS = 250
const RETRY_DIRECT_MS = 15_000
/** Answers that are under way on a way that is left have this long. */
const LEAVING_MS = 10_000
/** The way that is left goes on telling until the new one does, at most this long. */
const OVERLAP_MS = 1500

/**
 * The better of two ways to one node, changed by itself: the fleet sees one link that says which way it goes. The new way is
 * asked for all before the old one is left; rows go on behind the last one that came, and requests under way are answered
 * or fail, none hangs.
 */
export class BestLink implements NodeLink {
  readonly key: string
  readonly #options: Required<BestLinkOptions>
  readonly #ways = new Map<Route, Way>()
  readonly #leaving = new Set<NodeJS.Timeout>()
  #active: Route | null = null
  /** The way that was left a moment ago and still tells. */
  #overlap: { readonly route: Route; readonly untilMs: number } | null = null
  #activeSinceMs = 0
  #missingSinceMs: number | null = null
  #provingMs: number
  /** Time between two statuses as it was asked for, and as the node announced it. */
  #askedMs = 1000
  #announcedMs = 0
  #tick: NodeJS.Timeout | null = null

  constructor(key: string, options: BestLinkOptions) {
    this.key = key
    this.#options = {
      now: Date.now,
      tickMs: TICK_MS,
      firstProvingMs: FIRST_PROVING_MS,
      retryDirectMs: RETRY_DIRECT_MS,
      ...options,
    }
    this.#provingMs = this.#options.firstProvingMs
    const cursor = new RowCursor()
    for (const route of ROUTES) {
      const link = options[route]?.({
        sink: (_key, event) => this.#hear(route, event),
        cursor,
        backoff: route === 'direct' ? this.#directBackoff() : { minMs: 250, maxMs: 5000 },
      })
      if (link === undefined) continue
      const unknown = { upSinceMs: null, opened: null, welcome: null, clock: null, reason: null }
      this.#ways.set(route, { route, link, wanted: false, ...unknown })
    }
  }

  /** The way in use; null while there is none. */
  get route(): Route | null {
    return this.#active
  }

  start(): void {
    if (this.#tick !== null) return
    this.#missingSinceMs = this.#options.now()
    this.#want('direct', true)
    // Where no address is known the bus is the only way.
    if (!this.#ways.has('direct')) this.#want('nats', true)
    this.#tick = setInterval(() => this.#choose(), this.#options.tickMs)
  }

  async stop(): Promise<void> {
    if (this.#tick !== null) clearInterval(this.#tick)
    this.#tick = null
    for (const timer of this.#leaving) clearInterval(timer)
    this.#leaving.clear()
    await Promise.all([...this.#ways.values()].map(({ link }) => link.stop()))
  }

  pace(everyMs: number): void {
    this.#askedMs = everyMs
    for (const { link } of this.#ways.values()) link.pace(everyMs)
  }

  followLogs(follow: LogFollow | null): void {
    for (const { link } of this.#ways.values()) link.followLogs(follow)
  }

  followResults(follow: ResultFollow | null): void {
    for (const { link } of this.#ways.values()) link.followResults(follow)
  }

  command(verb: string, args: Readonly<Record<string, JsonValue>>, options?: CommandOptions): Promise<CommandOutcome> {
    return this.#link()?.command(verb, args, options) ?? Promise.resolve(NOT_CONNECTED)
  }

  read<T extends keyof ReadableRows>(
    request: ReadRequest<T>,
    timeoutMs?: number,
  ): Promise<ReadOutcome<ReadableRows[T]>> {
    return this.#link()?.read(request, timeoutMs) ?? Promise.resolve(NOT_CONNECTED)
  }

  stream<T extends keyof ReadableRows>(
    request: RangeRequest<T>,
    sink: RangeSink<T>,
    signal: AbortSignal,
  ): Promise<RangeOutcome> {
    return this.#link()?.stream(request, sink, signal) ?? Promise.resolve(NOT_CONNECTED)
  }

  tally(request: TallyRequest, signal: AbortSignal): Promise<TallyOutcome> {
    return this.#link()?.tally(request, signal) ?? Promise.resolve(NOT_CONNECTED)
  }

  fetchPicture(seq: number, signal: AbortSignal): Promise<PictureOutcome> {
    return this.#link()?.fetchPicture(seq, signal) ?? Promise.resolve(NOT_CONNECTED)
  }

  #link(): WebSocketLink | null {
    return this.#active === null ? null : (this.#ways.get(this.#active)?.link ?? null)
  }

  /** Eager while nothing stands, patient while the bus serves: a node behind NAT is never reached straight. */
  #directBackoff(): Backoff {
    const maxMs = (): number => (this.#active === 'nats' ? this.#options.retryDirectMs : 5000)
    return {
      minMs: 200,
      get maxMs() {
        return maxMs()
      },
    }
  }

  #hear(route: Route, event: LinkEvent): void {
    const way = this.#ways.get(route)
    if (way === undefined) return
    const isActive = this.#active === route
    switch (event.kind) {
      case 'connecting':
        if (this.#active === null && (route === 'direct' || !this.#ways.has('direct'))) this.#tell(event)
        return
      case 'opened':
        way.opened = { ...event, route }
        return
      case 'refused':
      case 'closed':
        this.#lost(way, event)
        return
      case 'clock':
        way.clock = event
        if (isActive) this.#tell(event)
        return
      case 'frame':
        if (event.frame.t === 'welcome') {
          way.welcome = event
          way.upSinceMs = this.#options.now()
          this.#choose()
          return
        }
        if (isActive) this.#tellFrame(event)
        else if (this.#overlap?.route === route) this.#tell(event)
        return
      case 'misbehaved':
        this.#tell(event)
        return
      default:
        if (isActive) this.#tell(event)
    }
  }

  #tellFrame(event: Extract<LinkEvent, { kind: 'frame' }>): void {
    // Now the new way tells: the old one is not needed any more.
    if (event.frame.t === 'status') {
      this.#announcedMs = event.frame.everyMs ?? 0
      this.#endOverlap()
    }
    this.#tell(event)
  }

  #lost(way: Way, event: Extract<LinkEvent, { kind: 'refused' | 'closed' }>): void {
    const nowMs = this.#options.now()
    const wasUp = way.upSinceMs !== null
    way.upSinceMs = null
    way.reason = way.route === 'nats' ? `through the bus: ${event.reason}` : event.reason
    if (way.route === 'direct' && wasUp) {
      this.#missingSinceMs = nowMs
      if (this.#active === 'direct') this.#doubtDirect(nowMs)
      // It stood: the bus is tried at once, beside a reconnect that may be as quick.
      this.#want('nats', true)
    }
    if (this.#active === way.route) {
      this.#active = null
      way.link.attend(false)
      this.#tell({ ...event, reason: way.reason })
      this.#choose()
    } else if (this.#active === null && way.wanted) {
      const reasons = [...this.#ways.values()].map(({ reason, wanted }) => (wanted ? reason : null))
      this.#tell({ ...event, reason: reasons.filter((reason) => reason !== null).join('; ') })
    }
  }

  /** It has to prove itself before it is used again, for longer the sooner it failed. */
  #doubtDirect(nowMs: number): void {
    const nextMs = provingAfter(this.#provingMs, nowMs - this.#activeSinceMs)
    this.#provingMs = Math.max(this.#options.firstProvingMs, nextMs)
  }

  #choose(): void {
    if (this.#tick === null) return
    const nowMs = this.#options.now()
    if (this.#overlap !== null && nowMs >= this.#overlap.untilMs) this.#endOverlap()
    const { use, wantsNats } = chooseRoute(
      {
        active: this.#active,
        direct: this.#stateOf('direct'),
        nats: this.#stateOf('nats'),
        directMissingSinceMs: this.#ways.has('direct') ? this.#missingSinceMs : 0,
        everyMs: Math.max(this.#askedMs, this.#announcedMs),
        provingMs: this.#provingMs,
      },
      nowMs,
    )
    if (use !== this.#active && use !== null) this.#change(use, nowMs)
    if (this.#overlap?.route !== 'nats') this.#want('nats', wantsNats)
  }

  #stateOf(route: Route) {
    const way = this.#ways.get(route)
    return {
      wanted: way?.wanted ?? false,
      upSinceMs: way?.upSinceMs ?? null,
      heardMs: way?.link.heardMs ?? null,
    }
  }

  #change(route: Route, nowMs: number): void {
    const next = this.#ways.get(route)
    if (next === undefined) return
    const before = this.#active
    const direct = this.#ways.get('direct')
    if (before === 'direct' && direct !== undefined) {
      // It still stands, but is silent: its time begins anew.
      this.#doubtDirect(nowMs)
      direct.upSinceMs = nowMs
    }
    this.#active = route
    this.#activeSinceMs = nowMs
    this.#missingSinceMs = route === 'direct' ? null : this.#missingSinceMs
    if (before !== null) this.#overlap = { route: before, untilMs: nowMs + OVERLAP_MS }
    for (const event of [next.opened, next.welcome, next.clock]) if (event !== null) this.#tell(event)
    next.link.attend(true)
  }

  #endOverlap(): void {
    const left = this.#overlap
    this.#overlap = null
    if (left === null || left.route === this.#active) return
    this.#ways.get(left.route)?.link.attend(false)
  }

  #want(route: Route, wanted: boolean): void {
    const way = this.#ways.get(route)
    if (way === undefined || way.wanted === wanted) return
    way.wanted = wanted
    if (wanted) way.link.start()
    else this.#leave(way)
  }

  /** End a way when its last answer has come, or has had its time. */
  #leave(way: Way): void {
    const untilMs = this.#options.now() + LEAVING_MS
    const timer = setInterval(() => {
      if (way.wanted || this.#active === way.route) return done()
      if (way.link.pendingRequests > 0 && this.#options.now() < untilMs) return
      done()
      way.upSinceMs = null
      void way.link.stop()
    }, this.#options.tickMs)
    const done = (): void => {
      clearInterval(timer)
      this.#leaving.delete(timer)
    }
    this.#leaving.add(timer)
  }

  #tell(event: LinkEvent): void {
    this.#options.sink(this.key, event)
  }
}

const NOT_CONNECTED = unreachable('the node is not connected')
