import type { NatsConnection } from 'nats'
import { messageOf } from '../protocol/errors.ts'

/** A message that came over the bus. */
export interface BusMessage {
  readonly subject: string
  readonly data: Uint8Array
  /** Where an answer is wanted; absent when none is. */
  readonly reply?: string
}

/** The bus while it is connected. */
export interface Bus {
  /** Hand over a message. @throws when the connection has ended */
  publish(subject: string, data: Uint8Array): void
  /** Hear messages on a subject until the answer is called or the connection ends. */
  subscribe(subject: string, take: (message: BusMessage) => void): () => void
  /** Ask and wait for one answer. Rejects when none comes in time. */
  request(subject: string, data: Uint8Array, timeoutMs: number): Promise<BusMessage>
}

/** How a connection to the bus is kept up. */
export interface BusConnectionOptions {
  /** Connect once, without the client's own reconnecting; reads credentials anew each time. */
  readonly open: () => Promise<NatsConnection>
  /** Wait before the next attempt, ms; `attempt` counts from 1 since the last connection. */
  readonly waitMs: (attempt: number) => number
  /** The bus is there; the answer is called when it is gone again. */
  readonly onUp: (bus: Bus) => (reason: string) => void
  /** An attempt failed, or the server refuses a subject. */
  readonly onFault?: (reason: string) => void
}

/**
 * A connection to the bus for as long as it is wanted: one that breaks takes all that ran over it along, and a new one
 * begins with nothing, so that no byte of a tunnel is ever sent behind its back.
 */
export class BusConnection {
  readonly #options: BusConnectionOptions
  #connection: NatsConnection | null = null
  #stopped = false
  #running: Promise<void> | null = null
  #wake: (() => void) | null = null

  constructor(options: BusConnectionOptions) {
    this.#options = options
  }

  /** Begin to connect, and go on until stopped. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** End for good. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake?.()
    const connection = this.#connection
    if (connection !== null) await connection.close().catch(() => undefined)
    await this.#running
  }

  /** Give up the connection of now, for one with other credentials. */
  renew(): void {
    void this.#connection?.close().catch(() => undefined)
  }

  async #run(): Promise<void> {
    let attempt = 0
    while (!this.#stopped) {
      attempt += 1
      try {
        const connection = await this.#options.open()
        attempt = 0
        await this.#serve(connection)
      } catch (error) {
        // The client rejects with nothing when a server hangs up before its first word.
        this.#options.onFault?.(error === undefined ? 'the server closed the connection' : messageOf(error))
      }
      if (!this.#stopped) await this.#pause(this.#options.waitMs(Math.max(1, attempt)))
    }
  }

  async #serve(connection: NatsConnection): Promise<void> {
    this.#connection = connection
    if (this.#stopped) return void (await connection.close())
    const down = this.#options.onUp(busOver(connection, (reason) => this.#options.onFault?.(reason)))
    const reason = await connection.closed()
    this.#connection = null
    down(reason === undefined ? 'the connection to the bus was closed' : messageOf(reason))
  }

  #pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function busOver(connection: NatsConnection, onFault: (reason: string) => void): Bus {
  return {
    publish: (subject, data) => connection.publish(subject, data),
    subscribe: (subject, take) => {
      const subscription = connection.subscribe(subject, {
        callback: (error, message) => {
          if (error !== null) return onFault(messageOf(error))
          // Nothing of ours has headers here. What a stream answered somebody who gave this subject as where to answer has.
          if (message.headers === undefined) take(message)
        },
      })
      return () => subscription.unsubscribe()
    },
    request: (subject, data, timeoutMs) => connection.request(subject, data, { timeout: timeoutMs, noMux: true }),
  }
}
