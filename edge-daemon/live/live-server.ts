import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Server as NetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { WebSocketServer } from 'ws'
import { EdgeError } from '../../protocol/errors.ts'
import {
  type CommandFrame,
  FRAME_VERSION,
  LIVE_PATH,
  LIVE_SUBPROTOCOL,
  MAX_FRAME_BYTES,
  type WelcomeFrame,
} from '../../protocol/frames.ts'
import type { Rights } from '../../protocol/rights.ts'
import { isLoopback } from '../../settings/loopback.ts'
import type { LogSearcher } from '../search/contract.ts'
import { ReadyFilters } from './compile-filter.ts'
import {
  type CommandResult,
  type ControlIdentity,
  FREE_PACE,
  LIVE_LIMITS,
  type LiveClock,
  type LiveLog,
  type LiveRow,
  nameOf,
  type Peer,
  type RowTopic,
  type SessionWitness,
  type StatusBody,
  SYSTEM_LIVE_CLOCK,
  type TelemetryPace,
} from './contract.ts'
import { refusalOf } from './gate.ts'
import type { PageReader } from './history.ts'
import { keptFromMs } from './kept-from.ts'
import { MatchQuota } from './match-quota.ts'
import type { PictureReader } from './picture.ts'
import { answerPlainly } from './plain-requests.ts'
import { SharedRow } from './row-filter.ts'
import { SecureDoor } from './secure-door.ts'
import { Session, type SessionHost } from './session.ts'
import { StatusFeed } from './status-feed.ts'

/** What the live feed is made of. */
export interface LiveServerOptions {
  /** Loopback only where there is no identity; port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number }
  /** Mutual TLS as this node; null for a plain listener. */
  readonly identity: ControlIdentity | null
  /** What who comes over the plain listener may do. */
  readonly localRights: Rights
  readonly node: WelcomeFrame['node']
  /** Time between status frames. */
  readonly intervalMs: number
  readonly maxSessions: number
  /** What the node is now, with cumulative histograms. Called once a tick, only while somebody is subscribed. */
  readonly snapshot: () => StatusBody
  /** One page of kept rows; may throw an EdgeError that the console then sees. */
  readonly read: PageReader
  /** Looks through kept log lines. */
  readonly search: LogSearcher
  /** The kept picture of a result; throws EdgeError (`PICTURE_NOT_KEPT`, `COMMAND_REFUSED`), which the console then sees. */
  readonly picture: PictureReader
  /** Prometheus exposition, whole; null, as when it is left out, when it is not told here. */
  readonly metricsText?: (() => string) | null
  /** Carry out a verb; throws EdgeError (e.g. `COMMAND_REFUSED`), which the console then sees. */
  readonly command: (peer: Peer, frame: CommandFrame) => Promise<CommandResult>
  readonly log: LiveLog
  /** Told of who comes, goes and is refused. */
  readonly witness?: SessionWitness
  /** The cap that consoles share with the uplinks; none when it is left out. */
  readonly pace?: TelemetryPace
  readonly clock?: LiveClock
}

/** Connections beyond sessions, for those that are just being refused. */
const SPARE_CONNECTIONS = 32
/** How often it is looked whether the certificates of those who are connected still count. */
const JUDGE_AGAIN_MS = 10_000
/** WebSocket close code (RFC 6455 section 7.4.1). */
const POLICY = 1008

/**
 * `GET /live`: the WebSocket server consoles connect to (requirement M2). Mutual TLS, or loopback only; no browsers, no
 * compression (it costs six times the CPU of a shared frame), at most `maxSessions` consoles.
 */
export class LiveServer {
  readonly #options: LiveServerOptions
  readonly #clock: LiveClock
  readonly #feed: StatusFeed
  readonly #filters = new ReadyFilters()
  readonly #quota: MatchQuota
  readonly #sessions = new Set<Session>()
  /** Sessions of peers with a certificate, which may end or be taken back meanwhile. */
  readonly #secured = new Map<Session, TLSSocket>()
  /** Streams as they came, under TLS where there is any: what they wrote is what left the node. */
  readonly #streams = new Set<Duplex>()
  readonly #peers = new WeakMap<Duplex, Peer>()
  #http: Server | null = null
  /** What listens: the HTTP server itself, or TLS in front of it. */
  #listener: NetServer | null = null
  #doors: { readonly direct: SecureDoor; readonly nats: SecureDoor } | null = null
  #upgrader: WebSocketServer | null = null
  #forgetIdentity: (() => void) | null = null
  #judging: NodeJS.Timeout | null = null
  #closedBytes = 0
  /** Sessions that were ever opened. */
  #opened = 0
  #flushTimer: NodeJS.Timeout | null = null
  #onEmpty: (() => void) | null = null

  constructor(options: LiveServerOptions) {
    this.#options = options
    this.#clock = options.clock ?? SYSTEM_LIVE_CLOCK
    this.#quota = new MatchQuota(() => this.#clock.monotonicMs())
    this.#feed = new StatusFeed({
      intervalMs: options.intervalMs,
      snapshot: options.snapshot,
      clock: this.#clock,
      log: options.log,
    })
  }

  /**
   * Listen. Returns the address consoles use.
   * @throws EdgeError `CONFIG_UNSERVABLE` for an address that is not loopback or not this machine's, `PORT_IN_USE`.
   */
  async start(): Promise<{ url: string }> {
    const { host, port } = this.#options.listen
    const { identity } = this.#options
    if (identity === null && !isLoopback(host)) {
      throw new EdgeError('CONFIG_UNSERVABLE', {
        message: `control.listen ${host}:${port} is not a loopback address, and this node has no certificate`,
        next: ['join the fleet first: edge-daemon join --token TOKEN', 'or set control.listen to 127.0.0.1:5443'],
      })
    }
    const http = createServer({ headersTimeout: 5000, requestTimeout: 5000, connectionsCheckingInterval: 1000 })
    http.on('request', (request, response) => {
      answerPlainly(request, response, {
        peer: this.#peers.get(request.socket) ?? null,
        metricsText: this.#options.metricsText ?? null,
      })
    })
    const upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      handleProtocols: () => LIVE_SUBPROTOCOL,
    })
    http.on('upgrade', (request, socket, head) => this.#upgrade(upgrader, request, socket, head))
    const listener = this.#front(http)
    listener.maxConnections = this.#options.maxSessions + SPARE_CONNECTIONS
    await listen(listener, host, port)
    // From now on it tells of a connection that could not be accepted, which costs that one and not the daemon.
    listener.on('error', (error) => this.#options.log.warn('live.accept_failed', error.message))
    this.#http = http
    this.#listener = listener
    this.#upgrader = upgrader
    const address = listener.address() as AddressInfo
    const scheme = identity === null ? 'ws' : 'wss'
    return { url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${address.port}${LIVE_PATH}` }
  }

  /**
   * Take in a console whose bytes come through the bus, as if it had connected here: the same TLS, the same frames.
   * Without an identity it is cut, since nobody could tell who it is.
   */
  takeTunnel(stream: Duplex): void {
    if (this.#doors === null || this.#http === null) stream.destroy()
    else this.#doors.nats.take(stream)
  }

  /** Say goodbye to every console and close, at the latest after a second. */
  async stop(): Promise<void> {
    const http = this.#http
    if (http === null) return
    this.#http = null
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer)
    this.#flushTimer = null
    if (this.#judging !== null) clearInterval(this.#judging)
    this.#forgetIdentity?.()
    this.#feed.stop()
    const closed = new Promise<void>((resolve) => this.#listener?.close(() => resolve()))
    for (const session of this.#sessions) session.close('the node is stopping')
    const cut = setTimeout(() => {
      for (const stream of this.#streams) stream.destroy()
    }, LIVE_LIMITS.closeGraceMs)
    http.closeIdleConnections()
    if (http !== this.#listener) http.close()
    await closed
    clearTimeout(cut)
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve))
    this.#upgrader?.close()
    this.#upgrader = null
    this.#doors?.direct.close()
    this.#doors?.nats.close()
    this.#doors = null
  }

  /** Consoles connected now. */
  get sessionCount(): number {
    return this.#sessions.size
  }

  /** Offer a row to those who look. Costs next to nothing while nobody does. Never throws. */
  publish(topic: RowTopic, row: LiveRow): void {
    if (this.#sessions.size === 0) return
    const shared = new SharedRow(row)
    for (const session of this.#sessions) session.publish(topic, shared)
    this.#wantFlush()
  }

  /** Bytes that left for consoles since the start, handshakes and closed sessions included: the `telemetry` class. */
  sentBytes(): number {
    let sum = this.#closedBytes
    for (const stream of this.#streams) sum += leftBytes(stream)
    return sum
  }

  /** What listens in front of the HTTP server, and tells it who each connection is. */
  #front(http: Server): NetServer {
    const { identity, localRights, log, witness } = this.#options
    if (identity === null) {
      http.on('connection', (socket) => {
        this.#track(socket)
        const address = socket.remoteAddress ?? 'gone'
        this.#peers.set(socket, { kind: 'local', rights: localRights, route: 'direct', address })
      })
      return http
    }
    const keeper = {
      identity,
      log,
      witness,
      onArrived: (stream: Duplex) => this.#track(stream),
      onAdmitted: (socket: Duplex, peer: Peer) => {
        socket.on('error', () => socket.destroy())
        this.#peers.set(socket, peer)
        http.emit('connection', socket)
      },
    }
    const look = (): void => this.#judgeAgain(identity)
    this.#forgetIdentity = identity.onChange(look)
    this.#judging = setInterval(look, JUDGE_AGAIN_MS)
    // The HTTP server listens nowhere, and begins to watch for heads that never end only when it does.
    http.emit('listening')
    this.#doors = {
      direct: new SecureDoor({ ...keeper, route: 'direct' }),
      nats: new SecureDoor({ ...keeper, route: 'nats' }),
    }
    return this.#doors.direct.server
  }

  /** End the sessions of those whose certificate has ended or was taken back. */
  #judgeAgain(identity: ControlIdentity): void {
    for (const [session, socket] of this.#secured) {
      const { route, address } = session.peer
      const peer = identity.judge(socket, { route, address })
      if (typeof peer === 'string') session.close(peer, POLICY)
    }
  }

  #track(stream: Duplex): void {
    this.#streams.add(stream)
    stream.on('error', () => stream.destroy())
    stream.on('close', () => {
      if (this.#streams.delete(stream)) this.#closedBytes += leftBytes(stream)
    })
  }

  #upgrade(upgrader: WebSocketServer, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const peer = this.#peers.get(socket)
    const full = this.#sessions.size >= this.#options.maxSessions
    if (peer === undefined) return void socket.destroy()
    const refusal = full
      ? { status: 503, msg: 'as many consoles as live.maxSessions are connected' }
      : refusalOf(request, peer)
    if (refusal !== null) {
      this.#options.log.warn('live.handshake_refused', refusal.msg, { status: refusal.status })
      if (peer.kind !== 'local') this.#options.witness?.notLetIn(peer, refusal.msg)
      const body = `${JSON.stringify({ error: refusal.msg })}\n`
      socket.end(
        `HTTP/1.1 ${refusal.status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
      return
    }
    upgrader.handleUpgrade(request, socket, head, (webSocket) => {
      const watched = this.#options.witness?.opened(peer)
      const session = new Session(webSocket, peer, this.#host(watched))
      this.#sessions.add(session)
      if (socket instanceof TLSSocket) this.#secured.set(session, socket)
      session.start()
      const who = nameOf(peer)
      const { route, address } = peer
      this.#options.log.info('live.session_opened', 'a console connected', {
        who,
        route,
        address,
        sessions: this.#sessions.size,
      })
      if (this.#http === null) session.close('the node is stopping')
    })
  }

  #host(watched: ReturnType<SessionWitness['opened']> | undefined): SessionHost {
    const { node, intervalMs, identity, read, search, picture, command, log, snapshot } = this.#options
    this.#opened += 1
    return {
      search,
      keptFromMs: (filter) => keptFromMs(snapshot().store.byClass, filter, this.#clock.wallMs()),
      filters: this.#filters,
      quota: this.#quota,
      by: this.#opened,
      welcome: { t: 'welcome', v: FRAME_VERSION, node, intervalMs },
      clock: this.#clock,
      trustedMs: () => identity?.nowMs() ?? null,
      pace: this.#options.pace ?? FREE_PACE,
      log,
      feed: this.#feed,
      read,
      picture,
      fetched: (peer, seq, refusal) => this.#options.witness?.fetched(peer, seq, refusal),
      command,
      site: node.site,
      wantFlush: () => this.#wantFlush(),
      ...(watched === undefined ? {} : { key: watched.key }),
      onClosed: (session) => {
        watched?.closed()
        this.#sessions.delete(session)
        this.#secured.delete(session)
        if (this.#sessions.size === 0) this.#onEmpty?.()
        log.info('live.session_closed', 'a console left', { sessions: this.#sessions.size })
      },
    }
  }

  #wantFlush(): void {
    if (this.#flushTimer !== null || this.#http === null) return
    this.#flushTimer = setTimeout(() => {
      this.#flushTimer = null
      let waiting = false
      for (const session of this.#sessions) waiting = session.flush() || waiting
      if (waiting) this.#wantFlush()
    }, LIVE_LIMITS.gatherMs)
  }
}

/** Bytes of a stream that left: what is still queued in this process has not. */
function leftBytes(stream: Duplex & { readonly bytesWritten?: number }): number {
  return Math.max(0, (stream.bytesWritten ?? 0) - stream.writableLength)
}

function listen(http: NetServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    http.listen(port, host, () => {
      http.removeAllListeners('error')
      resolve()
    })
  })
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): EdgeError {
  if (error.code === 'EADDRINUSE') {
    return new EdgeError('PORT_IN_USE', {
      message: `another process listens on ${host}:${port}`,
      next: ['stop it, or set control.listen to another port'],
      cause: error,
    })
  }
  return new EdgeError('CONFIG_UNSERVABLE', {
    message: `cannot listen on ${host}:${port} (${error.code ?? error.message})`,
    next: ['set control.listen to a loopback address and a port over 1023'],
    cause: error,
  })
}
