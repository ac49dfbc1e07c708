import type { Socket } from 'node:net'
import { connect, createInbox, headers, type Msg, type MsgHdrs, type NatsConnection } from 'nats'
import { messageOf } from '../../protocol/errors.ts'
import { Backoff } from './backoff.ts'
import { Bell } from './bell.ts'
import type { Block } from './block.ts'
import { readPubAck } from './pub-ack.ts'
import { SentBytes } from './sent-bytes.ts'
import { SocketMeter } from './socket-meter.ts'
import type { Delivery, Wire, WireState } from './wire.ts'

/** How a {@link NatsWire} reaches its servers. */
export interface NatsWireOptions {
  /** Server URLs, tried in turn. */
  readonly servers: readonly string[]
  /** How long connecting, and an acknowledgement, may take. */
  readonly ackTimeoutMs: number
  /** Name the server shows for the connection. */
  readonly clientName: string
  /** Pings of the connection, and measurements of its round trip. */
  readonly pingIntervalMs?: number
}

const PING_INTERVAL_MS = 10_000
const RTT_INTERVAL_MS = 5000
const BACKOFF = { firstMs: 200, maxMs: 30_000 } as const
const encoder = new TextEncoder()

/** A publish that waits for its acknowledgement. */
interface Pending {
  readonly subject: string
  readonly settle: (delivery: Delivery) => void
}

/**
 * NATS JetStream. A connection is used until it breaks or an acknowledgement does not come in time, then replaced by a
 * new one: nothing that an old connection had buffered is ever sent behind the uplink's back. Each block is one message
 * with its own reply subject, so that its bytes on the wire are known exactly.
 */
export class NatsWire implements Wire {
  readonly kind = 'nats'
  readonly #options: NatsWireOptions
  readonly #meter = new SocketMeter()
  readonly #sent = new SentBytes(() => this.#meter.totalBytes())
  readonly #pending = new Map<string, Pending>()
  readonly #bell = new Bell()
  readonly #backoff = new Backoff(BACKOFF)
  #connection: NatsConnection | null = null
  #socket: Socket | null = null
  #inbox = ''
  #publishes = 0
  #state: WireState = 'connecting'
  #error: string | null = null
  #rttMs: number | null = null
  #stopped = false
  #running: Promise<void> | null = null
  #onChange: () => void = () => {}

  constructor(options: NatsWireOptions) {
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

  async send(block: Block): Promise<Delivery> {
    const connection = this.#connection
    if (connection === null) return { outcome: 'again', msg: this.#error ?? 'the link is down' }
    this.#publishes += 1
    const reply = `${this.#inbox}.${this.#publishes}`
    const messageHeaders = headers()
    for (const [name, value] of Object.entries(block.headers)) messageHeaders.set(name, value)
    const headerBytes = headerSize(messageHeaders)
    const limitBytes = connection.info?.max_payload ?? Number.POSITIVE_INFINITY
    if (headerBytes + block.body.length > limitBytes) {
      return { outcome: 'too_large', msg: `the server takes ${limitBytes} bytes a message` }
    }
    const landed = this.#sent.begin(block.recordClass, frameBytes(block, reply, headerBytes))
    let handedOver = true
    const delivery = await new Promise<Delivery>((resolve) => {
      const timer = setTimeout(() => this.#giveUp(connection, reply), this.#options.ackTimeoutMs)
      this.#pending.set(reply, {
        subject: block.subject,
        settle: (result) => {
          clearTimeout(timer)
          this.#pending.delete(reply)
          resolve(result)
        },
      })
      try {
        connection.publish(block.subject, block.body, { headers: messageHeaders, reply })
      } catch (error) {
        handedOver = false
        this.#pending.get(reply)?.settle({ outcome: 'again', msg: messageOf(error) })
      }
    })
    // An answer proves that the message left; else the loss of the connection has settled what did.
    if (handedOver && this.#connection === connection) landed()
    return delivery
  }

  /** No acknowledgement: the link may be half open, which only a new one can tell. */
  #giveUp(connection: NatsConnection, reply: string): void {
    const msg = `no acknowledgement within ${this.#options.ackTimeoutMs} ms`
    if (this.#connection === connection) {
      this.#error = msg
      this.#socket?.destroy()
    }
    this.#pending.get(reply)?.settle({ outcome: 'again', msg })
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
    connection.subscribe(`${this.#inbox}.*`, { callback: (_error, message) => this.#onAnswer(message) })
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

  #onAnswer(message: Msg): void {
    const pending = this.#pending.get(message.subject)
    pending?.settle(readPubAck(message.headers?.code, message.data, pending.subject))
  }

  #lose(msg: string): void {
    const gaveUp = this.#connection !== null && this.#error !== null
    this.#connection = null
    this.#socket = null
    this.#rttMs = null
    this.#sent.connectionLost()
    const error = gaveUp ? this.#error : `${this.#options.servers.map(withoutCredentials).join(', ')}: ${msg}`
    this.#change('down', error)
    for (const pending of [...this.#pending.values()]) pending.settle({ outcome: 'again', msg: error ?? msg })
  }

  #change(state: WireState, error: string | null): void {
    this.#state = state
    this.#error = error
    this.#onChange()
  }
}

/** A URL may carry a user and password, which a message must not. */
function withoutCredentials(server: string): string {
  return server.replace(/^(.*\/\/)?[^/]*@/, '$1')
}

/** Size of encoded headers as the NATS client protocol writes them: `NATS/1.0`, one line a header, an empty line. */
function headerSize(messageHeaders: MsgHdrs): number {
  let sizeBytes = 'NATS/1.0\r\n\r\n'.length
  for (const name of messageHeaders.keys()) {
    sizeBytes += encoder.encode(`${name}: ${messageHeaders.get(name)}\r\n`).length
  }
  return sizeBytes
}

/** Size of the whole `HPUB` frame (NATS client protocol, section HPUB). */
function frameBytes(block: Block, reply: string, headerBytes: number): number {
  const line = `HPUB ${block.subject} ${reply} ${headerBytes} ${headerBytes + block.body.length}\r\n`
  return line.length + headerBytes + block.body.length + 2
}
