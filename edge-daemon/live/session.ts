import type { RawData, WebSocket } from 'ws'
import type { ErrorCode } from '../../protocol/errors.ts'
import {
  type ClientFrame,
  decodeClientFrame,
  FRAME_VERSION,
  type FrameOf,
  MAX_CLIENT_FRAMES_PER_SEC,
  type WelcomeFrame,
} from '../../protocol/frames.ts'
import { ClockProbe } from './clock-probe.ts'
import { LIVE_LIMITS, type LiveClock, type Peer, type RowTopic, type TelemetryPace } from './contract.ts'
import { FrameRate } from './frame-rate.ts'
import type { MatchQuota } from './match-quota.ts'
import type { SharedRow } from './row-filter.ts'
import { type RequestSources, SessionRequests } from './session-requests.ts'
import { WayOut } from './way-out.ts'

/** What a session needs of its server. */
export interface SessionHost extends RequestSources {
  readonly welcome: Omit<WelcomeFrame, 'at'>
  readonly clock: LiveClock
  /** The clock that certificates and commands are judged by, Unix ms; null where nothing is judged. */
  readonly trustedMs: () => number | null
  readonly pace: TelemetryPace
  readonly quota: MatchQuota
  /** Name of the session in what a status says of all. */
  readonly key?: number
  readonly onClosed: (session: Session) => void
}

/** WebSocket close codes (RFC 6455 section 7.4.1). */
const GOING_AWAY = 1001
const POLICY = 1008
/** A trusted clock that is as near as this to the machine's is not told. */
const TOLD_TRUST_MS = 1000

/**
 * One console on one WebSocket. Whatever it sends or fails to read, it holds a bounded amount of memory, costs bounded
 * time, and ends by itself: no hello within 5 s, 30 s of silence, too many frames or too much nonsense close it.
 */
export class Session {
  readonly peer: Peer
  readonly #socket: WebSocket
  readonly #host: SessionHost
  readonly #probe: ClockProbe
  readonly #rate: FrameRate
  readonly #requests: SessionRequests
  readonly #out: WayOut
  readonly #gone = new AbortController()
  #greeted = false
  #closing = false
  #invalidFrames = 0
  #heardMs: number
  #helloTimer: NodeJS.Timeout | null = null
  #probeTimer: NodeJS.Timeout | null = null
  #graceTimer: NodeJS.Timeout | null = null

  constructor(socket: WebSocket, peer: Peer, host: SessionHost) {
    this.peer = peer
    this.#socket = socket
    this.#host = host
    this.#probe = new ClockProbe(host.clock)
    this.#heardMs = host.clock.monotonicMs()
    this.#rate = new FrameRate(MAX_CLIENT_FRAMES_PER_SEC, this.#heardMs)
    const { pace, clock } = host
    const onRoom = (): void => void this.#requests.flush()
    this.#out = new WayOut({ socket, pace, clock, gone: this.#gone.signal, onRoom })
    this.#requests = new SessionRequests(host, peer, {
      slow: () => this.#slow(),
      pace: this.#out.pace,
      quota: host.quota,
      reading: () => ({ ...this.#probe.reading(), ...(host.key === undefined ? {} : { key: host.key }) }),
      send: (text) => this.#out.send(text),
      sendInTurn: (text) => this.#out.sendInTurn(text),
      refuse: (id, code, msg, next) => this.#refuse(id, code, msg, next),
    })
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

  /** Offer a published row. */
  publish(topic: RowTopic, row: SharedRow): void {
    this.#requests.publish(topic, row)
  }

  /** Send gathered rows and due gaps. Returns whether something still waits for the reader. */
  flush(): boolean {
    return this.#requests.flush()
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
    this.#gone.abort()
    this.#requests.close()
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
        const trusted = Math.round(this.#host.trustedMs() ?? now)
        const differs = Math.abs(trusted - now) > TOLD_TRUST_MS ? { trustedAt: trusted } : {}
        this.#out.send(JSON.stringify({ t: 'pong', n: frame.n, echo: frame.at, recvAt: now, at: now, ...differs }))
        return
      }
      case 'pong':
        this.#probe.pong(frame)
        return
      default:
        this.#requests.take(frame)
    }
  }

  #greet(frame: FrameOf<ClientFrame, 'hello'>): void {
    if (frame.v !== FRAME_VERSION) {
      this.#fail('FRAME_INVALID', `this node speaks frame version ${FRAME_VERSION}, not ${frame.v}`)
      return
    }
    this.#greeted = true
    if (this.#helloTimer !== null) clearTimeout(this.#helloTimer)
    this.#out.send(JSON.stringify({ ...this.#host.welcome, at: Math.round(this.#host.clock.wallMs()) }))
    this.#out.send(JSON.stringify(this.#probe.ping()))
    this.#out.probe()
    this.#probeTimer = setInterval(() => this.#onProbeTimer(), LIVE_LIMITS.probeEveryMs)
  }

  #onProbeTimer(): void {
    if (this.#host.clock.monotonicMs() - this.#heardMs > LIVE_LIMITS.silenceMs) {
      this.#host.log.info('live.session_silent', 'a console said nothing for too long and is dropped')
      this.#socket.terminate()
    } else if (!this.#slow()) {
      this.#out.send(JSON.stringify(this.#probe.ping()))
      this.#out.probe()
    }
  }

  #slow(): boolean {
    return this.#socket.bufferedAmount > LIVE_LIMITS.slowBytes
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
    this.#out.send(JSON.stringify({ t: 'error', id, code, msg: msg.slice(0, 500), next }))
  }

  #fail(code: ErrorCode, msg: string): void {
    if (this.#closing) return
    this.#refuse(null, code, msg)
    this.#host.log.warn('live.session_refused', msg.slice(0, 200), { code })
    this.close(code, POLICY)
  }
}
