import { type ConnectionOptions, connect, createInbox, errors, type Msg, type NatsConnection } from 'nats'
import { messageOf } from '../../protocol/errors.ts'
import { SourceFault } from './contract.ts'

/** How a {@link BucketAsker} reaches a region. */
export interface BucketAskerOptions {
  /** For people. */
  readonly name: string
  /** Servers and credentials, read anew for each connection; may throw. */
  readonly connection: () => ConnectionOptions
  /** What goes before the calls of JetStream, e.g. `$JS.API`. */
  readonly api: () => string
  /** Longest that an answer, or the next part of one, may take. */
  readonly silenceMs: number
}

const NO_RESPONDERS = 503
const NOT_FOUND = 404
const END_OF_BATCH = 204

/** A connection for deliveries alone, so that megabytes never stand before what operators or the uplink say. */
export class BucketAsker {
  readonly #options: BucketAskerOptions
  #connection: NatsConnection | null = null
  /** Where answers may come. */
  #inboxPrefix = '_INBOX'
  readonly #refusals = new Set<(subject: string) => void>()

  constructor(options: BucketAskerOptions) {
    this.#options = options
  }

  /**
   * One question to JetStream; its answers come one by one, as many as were asked for. Nothing comes for what is not there.
   * @throws SourceFault `missing` when there is no such stream, `away` when no answer comes
   */
  async *ask(call: string, body: object | null, signal: AbortSignal): AsyncGenerator<Msg> {
    const connection = await this.#open()
    const subject = `${this.#options.api()}.${call}`
    const answers = new Answers(this.#options.silenceMs, signal)
    const subscription = connection.subscribe(createInbox(this.#inboxPrefix), {
      callback: (_error, message) => answers.push(message),
    })
    const refused = (of: string): void => {
      if (of === subject) answers.fail(this.#fault('away', `the credentials do not allow ${subject}`))
    }
    this.#refusals.add(refused)
    try {
      connection.publish(subject, body === null ? '' : JSON.stringify(body), { reply: subscription.getSubject() })
      for (;;) {
        const message = await answers.next()
        if (message === null) throw this.#fault('away', `no answer for ${this.#options.silenceMs} ms`)
        const code = message.headers?.code ?? 0
        if (code === NO_RESPONDERS) throw this.#fault('missing', 'it has no such bucket')
        if (code === NOT_FOUND || code === END_OF_BATCH) return
        if (code !== 0) throw this.#fault('away', message.headers?.description || `it answers ${code}`)
        yield message
        // Who asked for one message gets one, without a word that it was the last.
        if (message.headers?.has('Nats-Num-Pending') !== true) return
      }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof SourceFault) throw error
      throw this.#fault('away', messageOf(error), error)
    } finally {
      this.#refusals.delete(refused)
      subscription.unsubscribe()
    }
  }

  async close(): Promise<void> {
    const connection = this.#connection
    this.#connection = null
    await connection?.close()
  }

  async #open(): Promise<NatsConnection> {
    if (this.#connection !== null && !this.#connection.isClosed()) return this.#connection
    try {
      const options = this.#options.connection()
      this.#inboxPrefix = options.inboxPrefix ?? '_INBOX'
      const connection = await connect({
        ...options,
        reconnect: false,
        timeout: this.#options.silenceMs,
        maxPingOut: 2,
        ignoreClusterUpdates: true,
      })
      this.#connection = connection
      void this.#hearRefusals(connection)
      return connection
    } catch (error) {
      throw this.#fault('away', messageOf(error ?? 'the server closed the connection'), error)
    }
  }

  async #hearRefusals(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type !== 'error' || !(status.error instanceof errors.PermissionViolationError)) continue
      for (const tell of this.#refusals) tell(status.error.subject)
    }
  }

  #fault(kind: SourceFault['kind'], msg: string, cause?: unknown): SourceFault {
    return new SourceFault(kind, `${this.#options.name}: ${msg}`, cause)
  }
}

/** Messages in the order in which they came, for one who takes them one by one. */
class Answers {
  readonly #silenceMs: number
  readonly #signal: AbortSignal
  readonly #waiting: Msg[] = []
  #failure: Error | null = null
  #wake: (() => void) | null = null

  constructor(silenceMs: number, signal: AbortSignal) {
    this.#silenceMs = silenceMs
    this.#signal = signal
  }

  push(message: Msg): void {
    this.#waiting.push(message)
    this.#wake?.()
  }

  fail(error: Error): void {
    this.#failure = error
    this.#wake?.()
  }

  /** The next one; null when none came in time. */
  async next(): Promise<Msg | null> {
    if (this.#waiting.length === 0 && this.#failure === null) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      const timer = setTimeout(resolve, this.#silenceMs)
      this.#signal.addEventListener('abort', resolve as () => void)
      await promise
      this.#signal.removeEventListener('abort', resolve as () => void)
      clearTimeout(timer)
      this.#wake = null
    }
    this.#signal.throwIfAborted()
    if (this.#failure !== null) throw this.#failure
    return this.#waiting.shift() ?? null
  }
}
