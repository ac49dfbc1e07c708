import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { connect, errors, headers, type Msg, type MsgHdrs, type NatsConnection } from 'nats'
import { type BusAccess, busOptionsOf, OPEN_BUS, refusalMsg } from '../../identity/bus-access.ts'
import { messageOf } from '../../protocol/errors.ts'
import { Backoff } from './backoff.ts'
import { Bell } from './bell.ts'
import { SentBytes, type SentClass } from './sent-bytes.ts'
import { SocketMeter } from './socket-meter.ts'
import type { WireState } from './wire.ts'

/** How a {@link NatsLink} reaches its servers. */
export interface NatsLinkOptions {
  /** Server URLs, tried in turn. */
  readonly servers: readonly string[]
  /** How long connecting, and an answer, may take. */
  readonly ackTimeoutMs: number
  /** Name the server shows for the connection. */
  readonly clientName: string
  /** Pings of the connection, and measurements of its round trip. */
  readonly pingIntervalMs?: number
  /** What is shown to the servers and believed of them, asked before each connection; may throw. Without, nothing. */
  readonly access?: () => BusAccess
}

/** One message to be published. */
export interface Outgoing {
  readonly subject: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** What came back: a message, or why none did. */
export type Answer = { readonly message: Msg } | { readonly message: null; readonly msg: string }

const PING_INTERVAL_MS = 10_000
const RTT_INTERVAL_MS = 5000
const BACKOFF = { firstMs: 200, maxMs: 30_000 } as const
/** A refusal changes only when credentials do, which takes long: servers are not asked more often. */
const REFUSED_BACKOFF = { firstMs: 5000, maxMs: 30_000 } as const
const CURE = 'let the node renew its identity, or name others with upstream.nats.credentials'
const encoder = new TextEncoder()

/**
 * A connection to NATS that is used until it breaks or an answer does not come in time, then replaced by a new one:
 * nothing that an old connection had buffered is ever sent behind the uplink's back. Every exchange has its own reply
 * subject, so that its bytes on the wire are known exactly.
 */
export class NatsLink {
  readonly #options: NatsLinkOptions
  readonly #meter = new SocketMeter()
  readonly #sent = new SentBytes(() => this.#meter.totalBytes())
  /** What waits for an answer, by reply subject, and the subjects that it was published on. */
  readonly #pending = new Map<
    string,
    { readonly settle: (answer: Answer) => void; readonly subjects: readonly string[] }
  >()
  readonly #bell = new Bell()
  readonly #backoff = new Backoff(BACKOFF)
  readonly #refusedBackoff = new Backoff(REFUSED_BACKOFF)
  #access: BusAccess = OPEN_BUS
  #connection: NatsConnection | null = null
  #socket: Socket | null = null
  #inbox = ''
  #exchanges = 0
  #state: WireState = 'connecting'
  #error: string | null = null
  #rttMs: number | null = null
  #stopped = false
  #running: Promise<void> | null = null
  #onChange: () => void = () => {}

  constructor(options: NatsLinkOptions) {
    this.#options = options
  }

  get state(): WireState {
    return this.#state
  }

  get error(): string | null {
    return this.#error
  }

  get rttMs(): number | null {
    return this.#rttMs
  }

  /** Largest message that the server takes, headers included; infinite while there is no connection. */
  get maxPayloadBytes(): number {
    return this.#connection?.info?.max_payload ?? Number.POSITIVE_INFINITY
  }

  start(onChange: () => void): void {
    this.#onChange = onChange
    this.#meter.start()
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#bell.ring()
    this.#socket?.destroy()
    await this.#running
    this.#meter.stop()
  }

  sentBytes(): Record<string, number> {
    return this.#sent.snapshot()
  }

  /**
   * Publish messages in one go and wait for the answer to the last. Their bytes count for `recordClass`, as `control`
   * when it is null. Never rejects.
   */
  async exchange(messages: readonly Outgoing[], recordClass: SentClass | null): Promise<Answer> {
    const connection = this.#connection
    if (connection === null) return { message: null, msg: this.#error ?? 'the link is down' }
    this.#exchanges += 1
    const reply = `${this.#inbox}.${this.#exchanges}`
    const framed = messages.map((message, position) => frameOf(message, position === messages.length - 1 ? reply : ''))
    const sizeBytes = framed.reduce((sum, { frameBytes }) => sum + frameBytes, 0)
    const landed = recordClass === null ? () => {} : this.#sent.begin(recordClass, sizeBytes)
    let handedOver = true
    const answer = await new Promise<Answer>((resolve) => {
      const timer = setTimeout(() => this.#giveUp(connection, reply), this.#options.ackTimeoutMs)
      const settle = (outcome: Answer): void => {
        clearTimeout(timer)
        this.#pending.delete(reply)
        resolve(outcome)
      }
      this.#pending.set(reply, { settle, subjects: framed.map(({ subject }) => subject) })
      try {
        for (const { subject, body, options } of framed) connection.publish(subject, body, options)
      } catch (error) {
        handedOver = false
        this.#pending.get(reply)?.settle({ message: null, msg: messageOf(error) })
      }
    })
    // An answer proves that the messages left; else the loss of the connection has settled what did.
    if (handedOver && this.#connection === connection) landed()
    return answer
  }

  /** No answer: the link may be half open, which only a new one can tell. */
  #giveUp(connection: NatsConnection, reply: string): void {
    const msg = `no acknowledgement within ${this.#options.ackTimeoutMs} ms`
    if (this.#connection === connection) {
      this.#error = msg
      this.#socket?.destroy()
    }
    this.#pending.get(reply)?.settle({ message: null, msg })
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let reason: unknown
      try {
        this.#access = this.#options.access?.() ?? OPEN_BUS
        reason = await this.#serveOne()
      } catch (error) {
        // The client rejects with nothing when a server hangs up before its first word.
        reason = error ?? 'the server closed the connection'
      }
      const isRefused = isRefusal(reason)
      this.#lose(isRefused ? refusalMsg(this.#access, { nowMs: Date.now(), cure: CURE }) : messageOf(reason))
      const wait = isRefused ? this.#refusedBackoff : this.#backoff
      if (!this.#stopped) await this.#bell.sleep(wait.nextMs())
    }
    this.#lose('stopped')
  }

  /** JetStream domain that the credentials of the connection ask for; null for none. */
  get domain(): string | null {
    return this.#access.credentials?.domain ?? null
  }

  /** Connect and stay until the connection ends. Resolves with why it did. */
  async #serveOne(): Promise<unknown> {
    const { servers, ackTimeoutMs, clientName, pingIntervalMs = PING_INTERVAL_MS } = this.#options
    const options = busOptionsOf(servers, this.#access, 'node')
    const connection = await this.#meter.watch(
      () =>
        connect({
          servers: [...servers],
          name: clientName,
          reconnect: false,
          timeout: ackTimeoutMs,
          pingInterval: pingIntervalMs,
          maxPingOut: 2,
          ignoreClusterUpdates: true,
          ...options,
        }),
      (socket) => {
        this.#socket = socket
        if (this.#stopped) socket.destroy()
      },
    )
    const ended = connection.closed()
    if (this.#stopped) {
      this.#socket?.destroy()
      await ended
      return 'stopped'
    }
    // Whoever knows it could send answers into it: a server does not look where an answer to somebody's request goes.
    this.#inbox = `${options.inboxPrefix ?? '_INBOX'}.${randomBytes(16).toString('base64url')}`
    connection.subscribe(`${this.#inbox}.*`, {
      callback: (_error, message) => this.#pending.get(message.subject)?.settle({ message }),
    })
    this.#connection = connection
    this.#backoff.reset()
    this.#refusedBackoff.reset()
    this.#change('up', null)
    const rttTimer = setInterval(() => void this.#measure(connection), RTT_INTERVAL_MS).unref()
    void this.#measure(connection)
    void this.#hearRefusals(connection)
    const reason = await ended
    clearInterval(rttTimer)
    return reason ?? 'the connection was closed'
  }

  /** What the permissions do not allow is answered by nobody: who waits for it is told at once. */
  async #hearRefusals(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type !== 'error' || !(status.error instanceof errors.PermissionViolationError)) continue
      const { subject } = status.error
      const msg = `the credentials do not allow ${subject}`
      for (const { settle, subjects } of [...this.#pending.values()]) {
        if (subjects.includes(subject)) settle({ message: null, msg })
      }
    }
  }

  async #measure(connection: NatsConnection): Promise<void> {
    try {
      const rttMs = await connection.rtt()
      if (this.#connection === connection) this.#rttMs = rttMs
    } catch {
      // The connection is ending, which its own promise tells.
    }
  }

  #lose(msg: string): void {
    const gaveUp = this.#connection !== null && this.#error !== null
    this.#connection = null
    this.#socket = null
    this.#rttMs = null
    this.#sent.connectionLost()
    const error = gaveUp ? this.#error : `${this.#options.servers.map(withoutCredentials).join(', ')}: ${msg}`
    this.#change('down', error)
    for (const { settle } of [...this.#pending.values()]) settle({ message: null, msg: error ?? msg })
  }

  #change(state: WireState, error: string | null): void {
    this.#state = state
    this.#error = error
    this.#onChange()
  }
}

/** Whether it is who we are that a server did not take, then or any more. */
function isRefusal(reason: unknown): boolean {
  return reason instanceof errors.AuthorizationError || reason instanceof errors.UserAuthenticationExpiredError
}

/** Size of a message's headers and body together, which is what a server's `max_payload` bounds. */
export function payloadBytes(message: Outgoing): number {
  return headerSize(messageHeadersOf(message)) + message.body.length
}

/** A URL may carry a user and password, which a message must not. */
function withoutCredentials(server: string): string {
  return server.replace(/^(.*\/\/)?[^/]*@/, '$1')
}

function messageHeadersOf({ headers: pairs }: Outgoing): MsgHdrs {
  const made = headers()
  for (const [name, value] of Object.entries(pairs)) made.set(name, value)
  return made
}

/** Size of encoded headers as the NATS client protocol writes them: `NATS/1.0`, one line a header, an empty line. */
function headerSize(messageHeaders: MsgHdrs): number {
  let sizeBytes = 'NATS/1.0\r\n\r\n'.length
  for (const name of messageHeaders.keys()) {
    sizeBytes += encoder.encode(`${name}: ${messageHeaders.get(name)}\r\n`).length
  }
  return sizeBytes
}

/** What the client is given for a message, and the size of the frame it writes (NATS client protocol, `PUB` and `HPUB`). */
function frameOf(message: Outgoing, reply: string) {
  const { subject, body } = message
  const target = reply === '' ? subject : `${subject} ${reply}`
  const replyOption = reply === '' ? {} : { reply }
  if (Object.keys(message.headers).length === 0) {
    const line = `PUB ${target} ${body.length}\r\n`
    return { subject, body, options: replyOption, frameBytes: line.length + body.length + 2 }
  }
  const made = messageHeadersOf(message)
  const headerBytes = headerSize(made)
  const line = `HPUB ${target} ${headerBytes} ${headerBytes + body.length}\r\n`
  const frameBytes = line.length + headerBytes + body.length + 2
  return { subject, body, options: { ...replyOption, headers: made }, frameBytes }
}
