import type { Socket } from 'node:net'
import { connect, createInbox, headers, type Msg, type MsgHdrs, type NatsConnection } from 'nats'
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
  readonly #pending = new Map<string, (answer: Answer) => void>()
  readonly #bell = new Bell()
  readonly #backoff = new Backoff(BACKOFF)
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
      this.#pending.set(reply, (outcome) => {
        clearTimeout(timer)
        this.#pending.delete(reply)
        resolve(outcome)
      })
      try {
        for (const { subject, body, options } of framed) connection.publish(subject, body, options)
      } catch (error) {
        handedOver = false
        this.#pending.get(reply)?.({ message: null, msg: messageOf(error) })
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
    this.#pending.get(reply)?.({ message: null, msg })
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#serveOne()
      } catch (error) {
        // The client rejects with nothing when a server hangs up before its first word.
        this.#lose(error === undefined ? 'the server closed the connection' : messageOf(error))
      }
      if (!this.#stopped) await this.#bell.sleep(this.#backoff.nextMs())
    }
    this.#lose('stopped')
  }

  /** Connect and stay until the connection ends. */
  async #serveOne(): Promise<void> {
    const { servers, ackTimeoutMs, clientName, pingIntervalMs = PING_INTERVAL_MS } = this.#options
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
      return
    }
    this.#inbox = createInbox()
    connection.subscribe(`${this.#inbox}.*`, {
      callback: (_error, message) => this.#pending.get(message.subject)?.({ message }),
    })
    this.#connection = connection
    this.#backoff.reset()
    this.#change('up', null)
    const rttTimer = setInterval(() => void this.#measure(connection), RTT_INTERVAL_MS).unref()
    void this.#measure(connection)
    const reason = await ended
    clearInterval(rttTimer)
    this.#lose(reason === undefined ? 'the connection was closed' : messageOf(reason))
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
    for (const settle of [...this.#pending.values()]) settle({ message: null, msg: error ?? msg })
  }

  #change(state: WireState, error: string | null): void {
    this.#state = state
    this.#error = error
    this.#onChange()
  }
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
