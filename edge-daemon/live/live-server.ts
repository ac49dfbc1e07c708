import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { EdgeError } from '../../protocol/errors.ts'
import {
  FRAME_VERSION,
  LIVE_PATH,
  LIVE_SUBPROTOCOL,
  MAX_FRAME_BYTES,
  type WelcomeFrame,
} from '../../protocol/frames.ts'
import {
  type CommandResult,
  FREE_PACE,
  type JsonValue,
  LIVE_LIMITS,
  type LiveClock,
  type LiveLog,
  type LiveRow,
  type RowTopic,
  type StatusBody,
  SYSTEM_LIVE_CLOCK,
  type TelemetryPace,
} from './contract.ts'
import { isLoopback, refusalOf } from './gate.ts'
import type { PageReader } from './history.ts'
import type { PictureReader } from './picture.ts'
import { SharedRow } from './row-filter.ts'
import { Session, type SessionHost } from './session.ts'
import { StatusFeed } from './status-feed.ts'

/** What the live feed is made of. */
export interface LiveServerOptions {
  /** Loopback only; port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number }
  readonly node: WelcomeFrame['node']
  /** Time between status frames. */
  readonly intervalMs: number
  readonly maxSessions: number
  /** What the node is now, with cumulative histograms. Called once a tick, only while somebody is subscribed. */
  readonly snapshot: () => StatusBody
  /** One page of kept rows; may throw an EdgeError that the console then sees. */
  readonly read: PageReader
  /** The kept picture of a result; throws EdgeError (`PICTURE_NOT_KEPT`, `COMMAND_REFUSED`), which the console then sees. */
  readonly picture: PictureReader
  /** Carry out a verb; throws EdgeError (e.g. `COMMAND_REFUSED`), which the console then sees. */
  readonly command: (verb: string, args: Readonly<Record<string, JsonValue>>) => Promise<CommandResult>
  readonly log: LiveLog
  /** The cap that consoles share with the uplinks; none when it is left out. */
  readonly pace?: TelemetryPace
  readonly clock?: LiveClock
}

/** Connections beyond sessions, for those that are just being refused. */
const SPARE_CONNECTIONS = 32

/**
 * `GET /live`: the WebSocket server consoles connect to (requirement M2). Loopback only, no browsers, no compression (it costs
 * six times the CPU of a shared frame), at most `maxSessions` consoles.
 */
export class LiveServer {
  readonly #options: LiveServerOptions
  readonly #clock: LiveClock
  readonly #feed: StatusFeed
  readonly #sessions = new Set<Session>()
  readonly #sockets = new Set<Socket>()
  #http: Server | null = null
  #upgrader: WebSocketServer | null = null
  #closedBytes = 0
  #flushTimer: NodeJS.Timeout | null = null
  #onEmpty: (() => void) | null = null

  constructor(options: LiveServerOptions) {
    this.#options = options
    this.#clock = options.clock ?? SYSTEM_LIVE_CLOCK
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
    if (!isLoopback(host)) {
      throw new EdgeError('CONFIG_UNSERVABLE', {
        message: `control.listen ${host}:${port} is not a loopback address, and the control listener has no TLS yet`,
        next: ['set control.listen to 127.0.0.1:5443', 'reach it from elsewhere through an SSH tunnel'],
      })
    }
    const http = createServer({ headersTimeout: 5000, requestTimeout: 5000, connectionsCheckingInterval: 1000 })
    http.maxConnections = this.#options.maxSessions + SPARE_CONNECTIONS
    http.on('connection', (socket) => this.#track(socket))
    http.on('request', (request, response) => {
      const isLive = (request.url ?? '').split('?')[0] === LIVE_PATH
      response.writeHead(isLive ? 426 : 404, { 'content-type': 'application/json', connection: 'close' })
      response.end(`${JSON.stringify({ error: isLive ? `upgrade to ${LIVE_SUBPROTOCOL}` : `see ${LIVE_PATH}` })}\n`)
    })
    const upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      handleProtocols: () => LIVE_SUBPROTOCOL,
    })
    http.on('upgrade', (request, socket, head) => this.#upgrade(upgrader, request, socket, head))
    await listen(http, host, port)
    // From now on it tells of a connection that could not be accepted, which costs that one and not the daemon.
    http.on('error', (error) => this.#options.log.warn('live.accept_failed', error.message))
    this.#http = http
    this.#upgrader = upgrader
    const address = http.address() as AddressInfo
    return { url: `ws://${host.includes(':') ? `[${host}]` : host}:${address.port}${LIVE_PATH}` }
  }

  /** Say goodbye to every console and close, at the latest after a second. */
  async stop(): Promise<void> {
    const http = this.#http
    if (http === null) return
    this.#http = null
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer)
    this.#flushTimer = null
    this.#feed.stop()
    const closed = new Promise<void>((resolve) => http.close(() => resolve()))
    for (const session of this.#sessions) session.close('the node is stopping')
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy()
    }, LIVE_LIMITS.closeGraceMs)
    http.closeIdleConnections()
    await closed
    clearTimeout(cut)
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve))
    this.#upgrader?.close()
    this.#upgrader = null
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
    for (const socket of this.#sockets) sum += leftBytes(socket)
    return sum
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      if (this.#sockets.delete(socket)) this.#closedBytes += leftBytes(socket)
    })
  }

  #upgrade(upgrader: WebSocketServer, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const full = this.#sessions.size >= this.#options.maxSessions
    const refusal = full
      ? { status: 503, msg: 'as many consoles as live.maxSessions are connected' }
      : refusalOf(request)
    if (refusal !== null) {
      this.#options.log.warn('live.handshake_refused', refusal.msg, { status: refusal.status })
      const body = `${JSON.stringify({ error: refusal.msg })}\n`
      socket.end(
        `HTTP/1.1 ${refusal.status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
      return
    }
    upgrader.handleUpgrade(request, socket, head, (webSocket) => {
      const session = new Session(webSocket, this.#host())
      this.#sessions.add(session)
      session.start()
      this.#options.log.info('live.session_opened', 'a console connected', { sessions: this.#sessions.size })
      if (this.#http === null) session.close('the node is stopping')
    })
  }

  #host(): SessionHost {
    const { node, intervalMs, read, picture, command, log } = this.#options
    return {
      welcome: { t: 'welcome', v: FRAME_VERSION, node, intervalMs },
      clock: this.#clock,
      pace: this.#options.pace ?? FREE_PACE,
      log,
      feed: this.#feed,
      read,
      picture,
      command,
      wantFlush: () => this.#wantFlush(),
      onClosed: (session) => {
        this.#sessions.delete(session)
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

/** Bytes of a socket that the kernel took: what is still queued in this process has not left. */
function leftBytes(socket: Socket): number {
  return Math.max(0, socket.bytesWritten - socket.writableLength)
}

function listen(http: Server, host: string, port: number): Promise<void> {
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
