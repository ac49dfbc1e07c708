import type { RawData, WebSocket } from 'ws'
import { EdgeError, type ErrorCode } from '../../protocol/errors.ts'
import {
  type ClientFrame,
  decodeClientFrame,
  FRAME_VERSION,
  type FrameOf,
  MAX_CLIENT_FRAMES_PER_SEC,
  type WelcomeFrame,
} from '../../protocol/frames.ts'
import { ClockProbe } from './clock-probe.ts'
import type { CommandResult, JsonValue } from './contract.ts'
import { LIVE_LIMITS, type LiveClock, type LiveLog, type RowTopic } from './contract.ts'
import { FrameRate } from './frame-rate.ts'
import { type PageReader, readBacklog, sendRange } from './history.ts'
import type { SharedRow } from './row-filter.ts'
import { RowSubscription } from './row-subscription.ts'
import { type StatusFeed, StatusSubscription } from './status-feed.ts'

/** What a session needs of its server. */
export interface SessionHost {
  readonly welcome: Omit<WelcomeFrame, 'at'>
  readonly clock: LiveClock
  readonly log: LiveLog
  readonly feed: StatusFeed
  readonly read: PageReader
  readonly command: (verb: string, args: Readonly<Record<string, JsonValue>>) => Promise<CommandResult>
  /** Some subscription has rows that wait for time or for its reader. */
  readonly wantFlush: () => void
  readonly onClosed: (session: Session) => void
}

type RequestFrame = Exclude<ClientFrame, { t: 'hello' | 'ping' | 'pong' }>

/** WebSocket close codes (RFC 6455 section 7.4.1). */
const GOING_AWAY = 1001
const POLICY = 1008

/**
 * One console on one WebSocket. Whatever it sends or fails to read, it holds a bounded amount of memory, costs bounded
 * time, and ends by itself: no hello within 5 s, 30 s of silence, too many frames or too much nonsense close it.
 */
export class Session {
  readonly #socket: WebSocket
  readonly #host: SessionHost
  readonly #probe: ClockProbe
  readonly #rate: FrameRate
  readonly #rows = new Map<string, RowSubscription>()
  readonly #status = new Map<string, StatusSubscription>()
  readonly #jobs = new Set<string>()
  #greeted = false
  #closing = false
  #invalidFrames = 0
  #heardMs: number
  #helloTimer: NodeJS.Timeout | null = null
  #probeTimer: NodeJS.Timeout | null = null
  #graceTimer: NodeJS.Timeout | null = null

  constructor(socket: WebSocket, host: SessionHost) {
    this.#socket = socket
    this.#host = host
    this.#probe = new ClockProbe(host.clock)
    this.#heardMs = host.clock.monotonicMs()
    this.#rate = new FrameRate(MAX_CLIENT_FRAMES_PER_SEC, this.#heardMs)
  }

  /** Listen to the console. */
  start(): void {
    this.#socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary))
    this.#socket.on('ping', () => this.#admit())
    this.#socket.on('error', (error) => this.#host.log.info('live.socket_error', error.message))
    this.#socket.on('close', () => this.#onClose())
    this.#helloTimer = setTimeout(() => {
      this.#fail('FRAME_INVALID', 'no hello came in time')
    }, LIVE_LIMITS.helloTimeoutMs)
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

  /** Say goodbye; cut the connection when the console does not answer in time. */
  close(reason: string, code = GOING_AWAY): void {
    if (this.#closing) return
    this.#closing = true
    this.#socket.close(code, reason.slice(0, 100))
    this.#graceTimer = setTimeout(() => this.#socket.terminate(), LIVE_LIMITS.closeGraceMs)
  }

  #onClose(): void {
    this.#closing = true
    for (const timer of [this.#helloTimer, this.#probeTimer, this.#graceTimer]) if (timer !== null) clearTimeout(timer)
    for (const subscription of this.#status.values()) this.#host.feed.remove(subscription)
    this.#rows.clear()
    this.#status.clear()
    this.#host.onClosed(this)
  }

  #admit(): boolean {
    if (this.#closing) return false
    this.#heardMs = this.#host.clock.monotonicMs()
    if (this.#rate.take(this.#heardMs)) return true
    this.#fail('FRAME_RATE', `more than ${MAX_CLIENT_FRAMES_PER_SEC} frames a second`)
    return false
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (!this.#admit()) return
    if (isBinary) {
      this.#invalid('binary frames are not of the protocol')
      return
    }
    let decoded: ReturnType<typeof decodeClientFrame>
    try {
      decoded = decodeClientFrame(data.toString())
    } catch {
      this.#invalid('the frame is nested too deeply')
      return
    }
    if (!decoded.ok) {
      this.#invalid(decoded.msg, decoded.code)
      return
    }
    const { frame } = decoded
    if (!this.#greeted) {
      if (frame.t !== 'hello') {
        this.#fail('FRAME_INVALID', 'the first frame must be a hello')
        return
      }
      this.#greet(frame)
      return
    }
    switch (frame.t) {
      case 'hello':
        this.#invalid('there was a hello already')
        return
      case 'ping': {
        const now = Math.round(this.#host.clock.wallMs())
        this.#send(JSON.stringify({ t: 'pong', n: frame.n, echo: frame.at, recvAt: now, at: now }))
        return
      }
      case 'pong':
        this.#probe.pong(frame)
        return
      default:
        this.#onRequest(frame)
    }
  }

  #greet(frame: FrameOf<ClientFrame, 'hello'>): void {
    if (frame.v !== FRAME_VERSION) {
      this.#fail('FRAME_INVALID', `this node speaks frame version ${FRAME_VERSION}, not ${frame.v}`)
      return
    }
    this.#greeted = true
    if (this.#helloTimer !== null) clearTimeout(this.#helloTimer)
    this.#send(JSON.stringify({ ...this.#host.welcome, at: Math.round(this.#host.clock.wallMs()) }))
    this.#send(JSON.stringify(this.#probe.ping()))
    this.#probeTimer = setInterval(() => this.#onProbeTimer(), LIVE_LIMITS.probeEveryMs)
  }

  #onProbeTimer(): void {
    if (this.#host.clock.monotonicMs() - this.#heardMs > LIVE_LIMITS.silenceMs) {
      this.#host.log.info('live.session_silent', 'a console said nothing for too long and is dropped')
      this.#socket.terminate()
    } else if (!this.#slow()) {
      this.#send(JSON.stringify(this.#probe.ping()))
    }
  }

  #onRequest(frame: RequestFrame): void {
    switch (frame.t) {
      case 'subscribe':
        this.#subscribe(frame)
        return
      case 'credit':
        // A credit for an id that is gone only crossed its unsubscribe on the way.
        this.#status.get(frame.id)?.credit(frame.n)
        this.#rows.get(frame.id)?.credit(frame.n)
        if (this.waiting) this.#host.wantFlush()
        return
      case 'unsubscribe':
        this.#unsubscribe(frame.id)
        return
      case 'read':
        this.#read(frame)
        return
      case 'command':
        this.#job(frame.id, async () => {
          const result = await this.#host.command(frame.verb, frame.args as Record<string, JsonValue>)
          this.#send(JSON.stringify({ t: 'done', id: frame.id, result }))
        })
    }
  }

  #subscribe(frame: FrameOf<ClientFrame, 'subscribe'>): void {
    const { id, topic, credits } = frame
    if (this.#taken(id)) {
      this.#refuse(id, 'FRAME_INVALID', 'this id is in use', ['choose another id'])
      return
    }
    if (this.#rows.size + this.#status.size >= LIVE_LIMITS.subscriptions) {
      const msg = `a session may hold ${LIVE_LIMITS.subscriptions} subscriptions`
      this.#refuse(id, 'OVERLOADED', msg, ['unsubscribe from one first'])
      return
    }
    const outlet = {
      slow: () => this.#slow(),
      reading: () => this.#probe.reading(),
      send: (text: string) => this.#send(text),
    }
    if (topic === 'status') {
      const subscription = new StatusSubscription(id, credits, outlet)
      this.#status.set(id, subscription)
      this.#host.feed.add(subscription)
      return
    }
    const count = frame.backlog ?? 0
    const wish = {
      ...(frame.level === undefined ? {} : { level: frame.level }),
      ...(frame.contains === undefined ? {} : { contains: frame.contains }),
      ...(frame.abnormalOnly === undefined ? {} : { abnormalOnly: frame.abnormalOnly }),
    }
    const subscription = new RowSubscription({ id, topic, wish, credits, backfilling: count > 0 }, outlet)
    this.#rows.set(id, subscription)
    if (count === 0) return
    const started = this.#job(id, async () => {
      let backlog: Awaited<ReturnType<typeof readBacklog>> = []
      try {
        backlog = await readBacklog(this.#host.read, topic, wish, count)
      } finally {
        if (this.#rows.get(id) === subscription) subscription.backfill(backlog)
      }
      if (subscription.waiting) this.#host.wantFlush()
    })
    if (!started) this.#rows.delete(id)
  }

  #unsubscribe(id: string): void {
    const status = this.#status.get(id)
    if (status !== undefined) this.#host.feed.remove(status)
    this.#status.delete(id)
    this.#rows.delete(id)
  }

  #read(frame: FrameOf<ClientFrame, 'read'>): void {
    const { id } = frame
    if (frame.fromMs > frame.toMs) {
      this.#refuse(id, 'FRAME_INVALID', 'fromMs is after toMs')
      return
    }
    if (this.#taken(id)) {
      this.#refuse(id, 'FRAME_INVALID', 'this id is in use', ['choose another id'])
      return
    }
    this.#job(id, async () => {
      const { truncated } = await sendRange(this.#host.read, frame, (text) => this.#sendSlowly(text))
      this.#send(JSON.stringify({ t: 'end', id, truncated }))
    })
  }

  #taken(id: string): boolean {
    return this.#rows.has(id) || this.#status.has(id) || this.#jobs.has(id)
  }

  /** Run something that takes time, a few at once; its failure is an error frame. Returns whether it began. */
  #job(id: string, work: () => Promise<void>): boolean {
    if (this.#jobs.has(id) || this.#jobs.size >= LIVE_LIMITS.jobs) {
      this.#refuse(id, 'OVERLOADED', 'too many requests of this session are under way', ['wait for an answer first'])
      return false
    }
    this.#jobs.add(id)
    work()
      .catch((error: unknown) => {
        if (error instanceof EdgeError) {
          this.#refuse(id, error.code, error.message, error.next)
          return
        }
        const msg = error instanceof Error ? error.message : String(error)
        this.#host.log.warn('live.request_failed', msg)
        this.#refuse(id, 'STORE_FAILING', 'the node could not carry this out', ['look at its log'])
      })
      .finally(() => this.#jobs.delete(id))
    return true
  }

  #slow(): boolean {
    return this.#socket.bufferedAmount > LIVE_LIMITS.slowBytes
  }

  #send(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    this.#socket.send(text)
    if (this.#socket.bufferedAmount > LIVE_LIMITS.deadBytes) this.#socket.terminate()
  }

  /** Send and wait until the kernel took it; false when the session ended. */
  #sendSlowly(text: string): Promise<boolean> {
    if (this.#socket.readyState !== this.#socket.OPEN) return Promise.resolve(false)
    return new Promise((resolve) => this.#socket.send(text, (error) => resolve(error == null)))
  }

  #invalid(msg: string, code: ErrorCode = 'FRAME_INVALID'): void {
    this.#invalidFrames += 1
    if (this.#invalidFrames >= LIVE_LIMITS.invalidFrames || !this.#greeted) {
      this.#fail(code, msg)
      return
    }
    this.#refuse(null, code, msg)
  }

  #refuse(id: string | null, code: ErrorCode, msg: string, next: readonly string[] = []): void {
    this.#send(JSON.stringify({ t: 'error', id, code, msg: msg.slice(0, 500), next }))
  }

  #fail(code: ErrorCode, msg: string): void {
    if (this.#closing) return
    this.#refuse(null, code, msg)
    this.#host.log.warn('live.session_refused', msg.slice(0, 200), { code })
    this.close(code, POLICY)
  }
}
