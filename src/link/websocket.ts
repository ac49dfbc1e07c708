import type { LinkEvent } from '../fleet/link-event.ts'
import { type IdentitySource, NO_IDENTITY } from '../identity/identity-source.ts'
import { type Backoff, backoffMs, DEFAULT_BACKOFF, DEFAULT_PENALTY } from './backoff.ts'
import type { WantedNode } from './client-tls.ts'
import { Connection } from './connection.ts'
import { type Dial, dialDirect } from './dial.ts'
import { DEFAULT_INFLOW, type InflowLimits } from './inflow-bound.ts'
import type {
  CommandJournal,
  CommandOptions,
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
  TallyOutcome,
  TallyRequest,
} from './link.ts'
import type { LiveSession } from './live-session.ts'
import { unreachable } from './request-book.ts'
import { RowCursor } from './row-cursor.ts'
import { sendCommand } from './send-command.ts'

/** How a WebSocket link behaves; everything but the first three has a default. */
export interface WebSocketLinkOptions {
  readonly client: { readonly name: string; readonly version: string }
  readonly interest: LinkInterest
  readonly sink: LinkSink
  /** How each connection is made, or why none can be; absent = straight to the node's address. */
  readonly dial?: () => Dial | string
  /** False to be connected and ask for nothing, until {@link WebSocketLink.attend}. */
  readonly attends?: boolean
  /** Shared with other ways to the same node, so that each goes on where another stopped. */
  readonly cursor?: RowCursor
  /** Who the operator is to nodes that speak TLS. */
  readonly identity?: IdentitySource
  /** Told of every command that changes something. */
  readonly journal?: CommandJournal | null
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
/** A count that looks at every line of days takes a while, and an older node does not say how far it is. */
const TALLY_TIMEOUT_MS = 60_000
/** Frames of a range that may be under way, 64 KiB each: enough for a link of 100 ms at 20 Mbit/s. */
const RANGE_CREDITS = 4

/** A link to a daemon's `/live` over WebSocket that reconnects for as long as it is wanted. */
export class WebSocketLink implements NodeLink {
  readonly key: string
  readonly #options: Required<WebSocketLinkOptions>
  #attends: boolean
  #everyMs: number | null = null
  #logs: LogFollow | null
  #results: ResultFollow | null
  #running = false
  #attempt = 0
  /** Sessions in a row that ended because the node misbehaved. */
  #offences = 0
  #retry: NodeJS.Timeout | null = null
  #current: Connection | null = null

  constructor(node: WantedNode & { readonly url: string }, options: WebSocketLinkOptions) {
    this.key = node.key
    this.#logs = options.interest.logs
    this.#results = options.interest.results ?? null
    this.#attends = options.attends ?? true
    const dialing = { identity: options.identity ?? NO_IDENTITY, now: options.now ?? Date.now }
    this.#options = {
      dial: () => dialDirect(node, dialing),
      attends: true,
      cursor: new RowCursor(),
      identity: NO_IDENTITY,
      journal: null,
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

  pace(everyMs: number): void {
    this.#everyMs = everyMs
    this.#current?.session.pace(everyMs)
  }

  /** Ask for what is of interest, or (false) only be connected; now and after every reconnect. */
  attend(attends: boolean): void {
    this.#attends = attends
    this.#current?.session.attend(attends)
  }

  /** When the node was heard last, on our clock; null while there is no session. */
  get heardMs(): number | null {
    return this.#session()?.lastHeardMs ?? null
  }

  /** Requests that wait for their answer. */
  get pendingRequests(): number {
    return this.#current?.session.requests.size ?? 0
  }

  /** Ask for a sign of life. */
  probe(): void {
    this.#session()?.probe()
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
    options: CommandOptions = {},
  ): Promise<CommandOutcome> {
    const current = this.#current
    if (current === null || !current.session.welcomed) return Promise.resolve(unreachable('the node is not connected'))
    const { session, dial } = current
    return sendCommand({ key: this.key, session, dial, journal: this.#options.journal }, verb, args, options)
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
        progress: (progress) => sink.progress?.(progress),
        grant: (id) => session.ask({ t: 'credit', id, n: 1 }),
        pauseMs: () => session.pauseMs(),
      },
      (id) => session.ask({ t: 'read', id, credits: RANGE_CREDITS, ...request }),
    )
  }

  async tally(request: TallyRequest, signal: AbortSignal): Promise<TallyOutcome> {
    const session = this.#session()
    if (session === null) return unreachable('the node is not connected')
    const tell = (id: string): void => session.ask({ t: 'unsubscribe', id })
    const wanted = { silenceMs: TALLY_TIMEOUT_MS, signal, tell }
    return session.requests.tally(wanted, (id) => session.ask({ t: 'tally', id, ...request }))
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
    const dial = this.#options.dial()
    if (typeof dial === 'string') {
      this.#ended({ reason: dial, stood: false, penalised: false })
      return
    }
    const connection: Connection = new Connection(dial, {
      ...this.#options,
      interest: { ...this.#options.interest, logs: this.#logs, results: this.#results },
      attends: this.#attends,
      everyMs: this.#everyMs,
      emit: (event) => {
        if (event.kind === 'frame' && event.frame.t === 'welcome') this.#attempt = 0
        this.#emit(event)
      },
      ended: (end) => {
        // One that was stopped may end when the next one has begun.
        if (this.#current === connection) this.#ended(end)
      },
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
