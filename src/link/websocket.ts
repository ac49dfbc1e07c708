import { WebSocket } from 'ws'
import { LIVE_SUBPROTOCOL, MAX_FRAME_BYTES } from '../../protocol/frames.ts'
import type { LinkEvent } from '../fleet/link-event.ts'
import { type Backoff, backoffMs, DEFAULT_BACKOFF, DEFAULT_PENALTY } from './backoff.ts'
import { DEFAULT_INFLOW, type InflowLimits } from './inflow-bound.ts'
import type {
  CommandOutcome,
  JsonValue,
  LinkInterest,
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
} from './link.ts'
import { LiveSession } from './live-session.ts'
import { unreachable } from './request-book.ts'
import { reasonOfClose, reasonOfError, reasonOfResponse } from './transport-reason.ts'

/** How a WebSocket link behaves; everything but the first three has a default. */
export interface WebSocketLinkOptions {
  readonly client: { readonly name: string; readonly version: string }
  readonly interest: LinkInterest
  readonly sink: LinkSink
  readonly backoff?: Backoff
  /** How long a node is left alone that floods or does not keep to the protocol; longer each time it does so again. */
  readonly penalty?: Backoff
  readonly inflow?: InflowLimits
  /** Time for connecting and, after it, for the welcome. */
  readonly handshakeTimeoutMs?: number
  readonly probeEveryMs?: number
  /** A session that is silent for so long is cut: the other end may be gone without a word. */
  readonly silenceTimeoutMs?: number
  readonly now?: () => number
  readonly random?: () => number
}

const REQUEST_TIMEOUT_MS = 10_000
/** Frames of a range that may be under way, 64 KiB each: enough for a link of 100 ms at 20 Mbit/s. */
const RANGE_CREDITS = 4
/** What a whole answer to the handshake may take over the time for each of its parts. */
const SLOW_ANSWER_MS = 1000
/** Before a peer that says goodbye too slowly is cut. */
const CLOSE_GRACE_MS = 500

/** A link to a daemon's `/live` over WebSocket that reconnects for as long as it is wanted. */
export class WebSocketLink implements NodeLink {
  readonly key: string
  readonly #url: string
  readonly #options: Required<WebSocketLinkOptions>
  #logs: LogFollow | null
  #results: ResultFollow | null
  #running = false
  #attempt = 0
  /** Sessions in a row that ended because the node misbehaved. */
  #offences = 0
  #retry: NodeJS.Timeout | null = null
  #current: Connection | null = null

  constructor(node: { readonly key: string; readonly url: string }, options: WebSocketLinkOptions) {
    this.key = node.key
    this.#url = node.url
    this.#logs = options.interest.logs
    this.#results = options.interest.results ?? null
    this.#options = {
      backoff: DEFAULT_BACKOFF,
      penalty: DEFAULT_PENALTY,
      inflow: DEFAULT_INFLOW,
      handshakeTimeoutMs: 5000,
      probeEveryMs: 5000,
      silenceTimeoutMs: 12_000,
      now: Date.now,
      random: Math.random,
      ...options,
    }
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#connect()
  }

  async stop(): Promise<void> {
    this.#running = false
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#retry = null
    await this.#current?.end()
  }

  followLogs(follow: LogFollow | null): void {
    this.#logs = follow
    this.#current?.session.followLogs(follow)
  }

  followResults(follow: ResultFollow | null): void {
    this.#results = follow
    this.#current?.session.followResults(follow)
  }

  command(
    verb: string,
    args: Readonly<Record<string, JsonValue>>,
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<CommandOutcome> {
    const session = this.#session()
    if (session === null) return Promise.resolve(unreachable('the node is not connected'))
    return session.requests.command(timeoutMs, (id) => session.ask({ t: 'command', id, verb, args: { ...args } }))
  }

  async read<T extends keyof ReadableRows>(
    request: ReadRequest<T>,
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<ReadOutcome<ReadableRows[T]>> {
    const session = this.#session()
    if (session === null) return unreachable('the node is not connected')
    const outcome = await session.requests.read(request, timeoutMs, (id) => session.ask({ t: 'read', id, ...request }))
    // The book took only rows of the topic that was asked for.
    return outcome as ReadOutcome<ReadableRows[T]>
  }

  async stream<T extends keyof ReadableRows>(
    request: RangeRequest<T>,
    sink: RangeSink<T>,
    signal: AbortSignal,
  ): Promise<RangeOutcome> {
    const session = this.#session()
    if (session === null) return unreachable('the node is not connected')
    const tell = (id: string): void => session.ask({ t: 'unsubscribe', id })
    return session.requests.range(
      { topic: request.topic, silenceMs: REQUEST_TIMEOUT_MS, signal, tell },
      {
        // The book hands on only rows of the topic that was asked for.
        rows: (rows) => sink.rows(rows as unknown as readonly ReadableRows[T][]),
        gap: (gap) => sink.gap(gap),
        grant: (id) => session.ask({ t: 'credit', id, n: 1 }),
        pauseMs: () => session.pauseMs(),
      },
      (id) => session.ask({ t: 'read', id, credits: RANGE_CREDITS, ...request }),
    )
  }

  async fetchPicture(seq: number, signal: AbortSignal): Promise<PictureOutcome> {
    const session = this.#session()
    if (session === null) return unreachable('the node is not connected')
    const tell = (id: string): void => session.ask({ t: 'unsubscribe', id })
    const wanted = { silenceMs: REQUEST_TIMEOUT_MS, signal, tell }
    return session.requests.picture(wanted, (id) => session.ask({ t: 'fetch', id, seq }))
  }

  #session(): LiveSession | null {
    const session = this.#current?.session
    return session?.welcomed ? session : null
  }

  #connect(): void {
    this.#retry = null
    this.#attempt += 1
    this.#emit({ kind: 'connecting', attempt: this.#attempt })
    const connection = new Connection(this.#url, {
      ...this.#options,
      interest: { ...this.#options.interest, logs: this.#logs, results: this.#results },
      emit: (event) => {
        if (event.kind === 'frame' && event.frame.t === 'welcome') this.#attempt = 0
        this.#emit(event)
      },
      ended: (end) => this.#ended(end),
    })
    this.#current = connection
    connection.begin()
  }

  #ended(end: { readonly reason: string; readonly stood: boolean; readonly penalised: boolean }): void {
    this.#current = null
    const { backoff, penalty, random } = this.#options
    if (end.penalised) this.#offences += 1
    else if (end.stood) this.#offences = 0
    const waitMs = end.penalised
      ? backoffMs(penalty, this.#offences, random())
      : backoffMs(backoff, Math.max(1, this.#attempt), random())
    const retryInMs = this.#running ? waitMs : null
    this.#emit({ kind: end.stood ? 'closed' : 'refused', reason: end.reason, retryInMs })
    if (retryInMs !== null) this.#retry = setTimeout(() => this.#connect(), retryInMs)
  }

  #emit(event: LinkEvent): void {
    this.#options.sink(this.key, event)
  }
}

interface ConnectionOptions extends Required<Omit<WebSocketLinkOptions, 'sink' | 'backoff' | 'penalty' | 'random'>> {
  emit(event: LinkEvent): void
  /** Called once; `penalised` when the peer misbehaved and should be left alone for longer. */
  ended(end: { readonly reason: string; readonly stood: boolean; readonly penalised: boolean }): void
}

/** One socket from connecting to its end. */
class Connection {
  readonly session: LiveSession
  readonly #socket: WebSocket
  readonly #options: ConnectionOptions
  #reason: string | null = null
  #penalised = false
  #opened = false
  #deadline: NodeJS.Timeout | null = null
  #watch: NodeJS.Timeout | null = null
  #grace: NodeJS.Timeout | null = null
  readonly #gone = Promise.withResolvers<void>()

  constructor(url: string, options: ConnectionOptions) {
    this.#options = options
    this.#socket = new WebSocket(url, LIVE_SUBPROTOCOL, {
      handshakeTimeout: options.handshakeTimeoutMs,
      maxPayload: MAX_FRAME_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
    })
    this.session = new LiveSession(
      {
        send: (text) => {
          if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text)
        },
        emit: options.emit,
        close: (reason) => {
          this.#penalised = true
          this.#cut(reason)
        },
        now: options.now,
      },
      options,
    )
  }

  begin(): void {
    const socket = this.#socket
    // The socket's own timeout begins anew with every byte: a peer that answers one byte at a time would hold it for hours.
    this.#deadline = setTimeout(
      () => this.#cut('it took the connection, but did not answer in time'),
      this.#options.handshakeTimeoutMs + SLOW_ANSWER_MS,
    )
    socket.on('open', () => this.#open())
    socket.on('message', (data, isBinary) => {
      const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)
      this.session.take(isBinary ? null : bytes.toString('utf8'), bytes.byteLength)
    })
    socket.on('unexpected-response', (_request, response) => {
      response.resume()
      this.#cut(reasonOfResponse(response.statusCode ?? 0))
    })
    socket.on('error', (error) => {
      if (!this.#opened) this.#reason ??= reasonOfError(error)
      else this.#broken(error)
    })
    socket.on('close', (code, text) => this.#closed(code, text.toString('utf8')))
  }

  /** Say goodbye, then cut. */
  async end(): Promise<void> {
    this.#reason ??= 'stopped by this console'
    this.session.finish(this.#reason)
    this.#socket.close(1000)
    this.#grace = setTimeout(() => this.#socket.terminate(), CLOSE_GRACE_MS)
    await this.#gone.promise
  }

  #open(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    this.#opened = true
    this.#options.emit({ kind: 'opened' })
    this.session.begin()
    const { handshakeTimeoutMs, probeEveryMs, silenceTimeoutMs, now } = this.#options
    const openedMs = now()
    let probedMs = openedMs
    // One slow timer for all three watches: welcome, silence, probes.
    this.#watch = setInterval(
      () => {
        const nowMs = now()
        if (!this.session.welcomed) {
          if (nowMs - openedMs >= handshakeTimeoutMs)
            this.#cut(`connected, but no welcome within ${handshakeTimeoutMs} ms`)
          return
        }
        if (nowMs - this.session.lastHeardMs >= silenceTimeoutMs) {
          return this.#cut(`nothing came for ${Math.round((nowMs - this.session.lastHeardMs) / 1000)} s`)
        }
        if (nowMs - probedMs < probeEveryMs) return
        probedMs = nowMs
        this.session.probe()
      },
      Math.max(20, Math.min(1000, handshakeTimeoutMs / 4, probeEveryMs / 2, silenceTimeoutMs / 4)),
    )
  }

  /** The socket failed under a standing session, usually by a frame that breaks WebSocket itself. */
  #broken(error: Error): void {
    const reason = reasonOfError(error)
    this.#reason ??= reason
    if (!('code' in error) || !String(error.code).startsWith('WS_ERR')) return
    this.#penalised = true
    const code = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'FRAME_TOO_LARGE' : 'FRAME_INVALID'
    this.#options.emit({ kind: 'misbehaved', code, message: reason, dropped: 1 })
  }

  #cut(reason: string): void {
    this.#reason ??= reason
    this.#socket.terminate()
  }

  #closed(code: number, text: string): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    if (this.#watch !== null) clearInterval(this.#watch)
    if (this.#grace !== null) clearTimeout(this.#grace)
    const reason = this.#reason ?? reasonOfClose(code, text)
    const stood = this.session.welcomed
    this.session.finish(reason)
    this.#options.ended({ reason, stood, penalised: this.#penalised })
    this.#gone.resolve()
  }
}
