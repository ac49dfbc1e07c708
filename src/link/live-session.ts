import {
  type ClientFrame,
  type DaemonFrame,
  decodeDaemonFrame,
  FRAME_VERSION,
  type FrameOf,
  type Topic,
  type WelcomeFrame,
} from '../../protocol/frames.ts'
import type { LinkEvent } from '../fleet/link-event.ts'
import { ClockFilter } from './clock-filter.ts'
import { InflowBound, type InflowLimits } from './inflow-bound.ts'
import type { LinkInterest, LogFollow, ResultFollow } from './link.ts'
import { RequestBook } from './request-book.ts'
import { type FollowedTopic, RowCursor } from './row-cursor.ts'

/** What a session needs of whatever carries it. */
export interface SessionPort {
  send(text: string): void
  emit(event: LinkEvent): void
  /** End the session, with a reason for the operator. */
  close(reason: string): void
  now(): number
}

/** How a session behaves. */
export interface SessionOptions {
  readonly client: { readonly name: string; readonly version: string }
  readonly interest: LinkInterest
  readonly inflow: InflowLimits
  /** Where the rows of the node went on to in sessions before. */
  readonly cursor?: RowCursor
  /** False to be connected and ask for nothing yet. */
  readonly attends?: boolean
  /** Time between two status frames, ms; null for as often as the node offers. */
  readonly everyMs?: number | null
}

/** Whom a certificate names, before the node says a word. */
export interface ExpectedNode {
  readonly name: string
  readonly site: string
}

const STATUS_CREDITS = 8
const ROWS_CREDITS = 32
/** A peer whose every frame is wrong is no peer; one odd frame of a newer daemon is no reason to leave. */
const MAX_BAD_FRAMES = 20

type SubscribeWish = Omit<FrameOf<ClientFrame, 'subscribe'>, 't' | 'id' | 'topic' | 'credits'>

interface Subscription {
  readonly id: string
  readonly credits: number
  used: number
}

/**
 * One conversation with a daemon, from hello to the end, over any transport that carries texts: greets, subscribes,
 * grants credits as it reads, answers and sends clock probes, and bounds what comes in.
 */
export class LiveSession {
  readonly requests = new RequestBook()
  readonly #port: SessionPort
  readonly #options: SessionOptions
  readonly #clock = new ClockFilter()
  readonly #inflow: InflowBound
  readonly #subscriptions = new Map<string, Subscription>()
  /** Subscriptions that the operator changes, by topic. */
  readonly #followed = new Map<'logs' | 'results', string>()
  /** Subscriptions that were ended, by the probe behind that: what the node had gathered for them comes before its answer. */
  readonly #fading = new Map<string, number>()
  /** Rows are asked for when the next status has told where to go on. */
  #rowsWait = false
  /** The subscription to status; null while there is none. */
  #statusId: string | null = null
  #everyMs: number | null
  #attends: boolean
  readonly #cursor: RowCursor
  readonly #wishes: { logs: LogFollow | null; results: ResultFollow | null }
  #nextSubscription = 1
  #nextPing = 1
  #welcomed = false
  #over = false
  #badFrames = 0
  #lastHeardMs: number
  #expected: ExpectedNode | null = null
  /** The clock that the node judges commands by, minus ours, ms. */
  #trustedOffsetMs = 0

  constructor(port: SessionPort, options: SessionOptions) {
    this.#port = port
    this.#options = options
    this.#attends = options.attends ?? true
    this.#everyMs = options.everyMs ?? null
    this.#cursor = options.cursor ?? new RowCursor()
    this.#wishes = { logs: options.interest.logs, results: options.interest.results ?? null }
    this.#inflow = new InflowBound(options.inflow, port.now())
    this.#lastHeardMs = port.now()
  }

  /** Whether the node has greeted and may be asked. */
  get welcomed(): boolean {
    return this.#welcomed
  }

  /** When the last frame came, on our clock. */
  get lastHeardMs(): number {
    return this.#lastHeardMs
  }

  /** Now by the clock that the node judges commands by, as far as it was measured; Unix ms. */
  nodeNowMs(): number {
    return this.#port.now() + this.#trustedOffsetMs
  }

  /** Say hello; the rest follows from the answer. A node that is known by its certificate may call itself nothing else. */
  begin(expected: ExpectedNode | null): void {
    this.#expected = expected
    this.#send({ t: 'hello', v: FRAME_VERSION, at: this.#port.now(), client: this.#options.client })
  }

  /** Send a clock probe; its number. */
  probe(): number {
    const n = this.#nextPing
    this.#nextPing += 1
    this.#send({ t: 'ping', n, at: this.#port.now() })
    return n
  }

  /** Ask for what is of interest, or (false) for nothing any more; the session stands either way. */
  attend(attends: boolean): void {
    if (this.#attends === attends) return
    this.#attends = attends
    if (!this.#welcomed) return
    if (attends) {
      this.#askForAll()
      return
    }
    for (const id of this.#subscriptions.keys()) this.#send({ t: 'unsubscribe', id })
    this.#subscriptions.clear()
    this.#followed.clear()
    this.#fading.clear()
    this.#rowsWait = false
    this.#statusId = null
  }

  /** Be told the status every so many ms from now on. */
  pace(everyMs: number): void {
    if (this.#everyMs === everyMs) return
    this.#everyMs = everyMs
    if (this.#statusId !== null) this.#send({ t: 'pace', id: this.#statusId, everyMs })
  }

  /** Change which logs are followed. */
  followLogs(follow: LogFollow | null): void {
    this.#wishes.logs = follow
    this.#follow('logs', follow && logWish(follow))
  }

  /** Change which results are followed. */
  followResults(follow: ResultFollow | null): void {
    this.#wishes.results = follow
    this.#follow('results', follow && { ...follow })
  }

  /** Send a frame, for requests. */
  ask(frame: FrameOf<ClientFrame, 'read' | 'tally' | 'command' | 'fetch' | 'credit' | 'unsubscribe'>): void {
    this.#send(frame)
  }

  /** How long to wait before asking the node for more, ms; see {@link InflowBound}. */
  pauseMs(): number {
    return this.#inflow.pauseMs(this.#port.now())
  }

  /** Take a message as it came. */
  take(data: string | null, sizeBytes: number): void {
    if (this.#over) return
    const nowMs = this.#port.now()
    this.#lastHeardMs = nowMs
    if (!this.#inflow.take(sizeBytes, nowMs)) {
      const { frames, bytes } = this.#inflow.recent()
      const much = `${frames} frames and ${(bytes / 1e6).toFixed(1)} MB within two seconds`
      this.#misbehaved('FRAME_RATE', `it floods: ${much}, more than a console takes`, 1)
      this.#end(`it flooded this console with ${much}; it is left alone for a while`)
      return
    }
    const decoded = data === null ? notText() : decodeDaemonFrame(data)
    if (!decoded.ok) {
      this.#refuse(decoded.code, decoded.msg)
      return
    }
    const { frame } = decoded
    if (!this.#welcomed && frame.t !== 'welcome' && frame.t !== 'error') {
      this.#refuse('FRAME_INVALID', `"${frame.t}" came before the welcome`)
      return
    }
    this.#takeFrame(frame, sizeBytes, nowMs)
  }

  /** The transport is gone. */
  finish(reason: string): void {
    this.#over = true
    this.requests.abandon(reason)
  }

  #takeFrame(frame: DaemonFrame, sizeBytes: number, nowMs: number): void {
    switch (frame.t) {
      case 'welcome':
        if (frame.v !== FRAME_VERSION) {
          this.#end(`it speaks live version ${frame.v}, this console ${FRAME_VERSION}: bring both to one release`)
          return
        }
        if (this.#welcomed) {
          this.#refuse('FRAME_INVALID', 'it greeted twice')
          return
        }
        if (this.#expected !== null && !isCalled(frame.node, this.#expected)) {
          this.#misbehaved('FRAME_INVALID', 'it calls itself by another name than its certificate', 1)
          this.#end('it calls itself by another name than its certificate')
          return
        }
        this.#welcome(frame, sizeBytes)
        return
      case 'ping':
        this.#send({ t: 'pong', n: frame.n, echo: frame.at, recvAt: nowMs, at: this.#port.now() })
        return
      case 'pong': {
        this.#faded(frame.n)
        const sample = this.#clock.take(frame, nowMs)
        if (sample === null) return
        this.#trustedOffsetMs = sample.offsetMs + (frame.trustedAt === undefined ? 0 : frame.trustedAt - frame.at)
        this.#port.emit({ kind: 'clock', ...sample })
        return
      }
      case 'error':
        if (this.requests.take(frame)) return
        if (this.#welcomed) this.#misbehaved(frame.code, frame.msg, 0)
        else this.#end(`it refused us: ${frame.msg}`)
        return
      default:
        this.#takeSubscribed(frame, sizeBytes)
    }
  }

  /** Whoever hears of it may have the session attend: then it asks at once, and not twice. */
  #welcome(frame: WelcomeFrame, sizeBytes: number): void {
    const attended = this.#attends
    this.#welcomed = true
    this.#cursor.welcomed(frame.node.instance)
    this.#port.emit({ kind: 'frame', frame, sizeBytes })
    if (attended) this.#askForAll()
    else if (!this.#attends) this.probe()
  }

  #takeSubscribed(frame: DaemonFrame, sizeBytes: number): void {
    if (this.requests.take(frame)) return
    const subscription = 'id' in frame && frame.id !== null ? this.#subscriptions.get(frame.id) : undefined
    if (subscription === undefined) return
    if (frame.t === 'rows' && !this.#fading.has(subscription.id)) this.#cursor.took(frame)
    if (frame.t === 'status') this.#cursor.reached(frame.store.lastSeq, frame.store.epoch)
    this.#port.emit({ kind: 'frame', frame, sizeBytes })
    if (this.#rowsWait && frame.t === 'status') this.#askForRows()
    subscription.used += 1
    if (subscription.used * 2 < subscription.credits) return
    this.#send({ t: 'credit', id: subscription.id, n: subscription.used })
    subscription.used = 0
  }

  /** All that came before a probe was answered is here. */
  #faded(probe: number): void {
    for (const [id, until] of this.#fading) {
      if (until > probe) continue
      this.#fading.delete(id)
      this.#subscriptions.delete(id)
    }
  }

  #askForAll(): void {
    const { status } = this.#options.interest
    this.probe()
    const pace = this.#everyMs === null ? {} : { everyMs: this.#everyMs }
    if (status) this.#statusId = this.#subscribe('status', STATUS_CREDITS, pace)
    // Where to go on is known when a status tells that the log is the same.
    this.#rowsWait = status && this.#cursor.inDoubt
    if (!this.#rowsWait) this.#askForRows()
  }

  #askForRows(): void {
    const { alertBacklog } = this.#options.interest
    this.#rowsWait = false
    if (alertBacklog !== null) this.#subscribeRows('alerts', { backlog: alertBacklog })
    this.followLogs(this.#wishes.logs)
    this.followResults(this.#wishes.results)
  }

  #follow(topic: 'logs' | 'results', wish: SubscribeWish | null): void {
    if (wish === null) this.#cursor.forget(topic)
    if (!this.#welcomed || !this.#attends || this.#rowsWait) return
    const before = this.#followed.get(topic)
    this.#followed.delete(topic)
    // The new one stands before the old one goes, so that no row falls between them; rows that come by both have one number.
    if (wish !== null) this.#followed.set(topic, this.#subscribeRows(topic, wish))
    if (before === undefined) return
    this.#send({ t: 'unsubscribe', id: before })
    if (wish === null) this.#subscriptions.delete(before)
    else this.#fading.set(before, this.probe())
  }

  /** Go on behind what came before; with a backlog where nothing of the kind did. */
  #subscribeRows(topic: FollowedTopic, wish: SubscribeWish): string {
    const { backlog: _, ...what } = wish
    const afterSeq = this.#cursor.follow(topic, JSON.stringify(what))
    return this.#subscribe(topic, ROWS_CREDITS, afterSeq === null ? wish : { ...what, afterSeq })
  }

  #subscribe(topic: Topic, credits: number, more: SubscribeWish): string {
    const id = `${topic}-${this.#nextSubscription}`
    this.#nextSubscription += 1
    this.#subscriptions.set(id, { id, credits, used: 0 })
    this.#send({ t: 'subscribe', id, topic, credits, ...more })
    return id
  }

  #refuse(code: string, message: string): void {
    this.#badFrames += 1
    this.#misbehaved(code, message, 1)
    if (this.#badFrames >= MAX_BAD_FRAMES)
      this.#end(`${MAX_BAD_FRAMES} of its frames were not of the protocol: ${message}`)
  }

  #misbehaved(code: string, message: string, dropped: number): void {
    this.#port.emit({ kind: 'misbehaved', code, message, dropped })
  }

  #end(reason: string): void {
    this.#over = true
    this.#port.close(reason)
  }

  #send(frame: ClientFrame): void {
    if (!this.#over) this.#port.send(JSON.stringify(frame))
  }
}

/** The level is said in the old way, which every daemon knows. */
function logWish({ filter, backlog, afterSeq }: LogFollow): SubscribeWish {
  const { level = 'debug', ...more } = filter
  const from = afterSeq === undefined ? { backlog } : { afterSeq }
  return { level, ...(Object.keys(more).length === 0 ? {} : { filter: more }), ...from }
}

function isCalled({ name, site }: ExpectedNode, expected: ExpectedNode): boolean {
  return name === expected.name && site === expected.site
}

function notText(): { ok: false; code: 'FRAME_INVALID'; msg: string } {
  return { ok: false, code: 'FRAME_INVALID', msg: 'the frame is binary, not text' }
}
