import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
} from 'node:http'
import { request as secureRequest } from 'node:https'
import type { Socket } from 'node:net'
import { messageOf } from '../../protocol/errors.ts'
import { Backoff } from './backoff.ts'
import { createMeteredAgent, type HttpTls, type MeteredAgent } from './metered-agent.ts'
import { SENT_CLASSES, type SentClass } from './sent-bytes.ts'
import type { WireState } from './wire.ts'

/** How an {@link HttpLink} reaches its receiver. */
export interface HttpLinkOptions {
  readonly url: string
  /** How long one exchange may take, from connecting to the end of the answer. */
  readonly ackTimeoutMs: number
  /** What is believed and shown over HTTPS; the platform's authorities, and nothing, when it is left out. May throw. */
  readonly tls?: () => HttpTls
  /** How often a receiver that nothing was sent to is looked for. */
  readonly probeIntervalMs?: number
}

const PROBE_INTERVAL_MS = 10_000
const BACKOFF = { firstMs: 250, maxMs: 5000 } as const

/** What came back: a complete answer, or why there is none. */
export type HttpAnswer =
  | { readonly status: number; readonly headers: IncomingHttpHeaders }
  | { readonly status: null; readonly msg: string }

/** Whether an answer is from a receiver that was started again since the answer before, or replaced by another. */
export type AnswerSource = 'known' | 'restarted'

/** One request; `recordClass` says what its bytes are counted as, null for `control`. */
export interface HttpRequest {
  readonly method: 'POST' | 'HEAD'
  readonly recordClass: SentClass | null
  readonly headers: OutgoingHttpHeaders
  readonly body?: Buffer
}

/** A request under way, and where its socket's count stood when it began. */
interface Exchange {
  readonly recordClass: SentClass | null
  socket: Socket | null
  bytesBefore: number
}

/**
 * Requests to one URL over HTTP or HTTPS, with the bytes of each counted on its socket. A receiver that nothing was sent
 * to for a while is asked `HEAD`, so that the state is known; the link is up when anything answers. Redirects are not
 * followed.
 */
export class HttpLink {
  readonly #options: HttpLinkOptions
  readonly #url: URL
  readonly #metered: MeteredAgent
  readonly #requests = new Map<ClientRequest, Exchange>()
  readonly #sentBytes = new Map<SentClass, number>()
  readonly #backoff = new Backoff(BACKOFF)
  #state: WireState = 'connecting'
  #error: string | null = null
  #rttMs: number | null = null
  #probeTimer: NodeJS.Timeout | undefined
  #lastAnswerAtMs = Number.NEGATIVE_INFINITY
  #stopped = false
  #onChange: () => void = () => {}
  #onAnswer: (headers: IncomingHttpHeaders) => AnswerSource = () => 'known'

  constructor(options: HttpLinkOptions) {
    this.#options = options
    this.#url = new URL(options.url)
    this.#metered = createMeteredAgent(this.#url.protocol, options.tls)
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

  /** Where it goes, for people: without user and password. */
  get host(): string {
    return this.#url.host
  }

  /**
   * Begin to look for the receiver. `onAnswer` sees the headers of every answer before anybody is told of it; when it
   * finds that the receiver was restarted, the link counts as broken and up again.
   */
  start(onChange: () => void, onAnswer: (headers: IncomingHttpHeaders) => AnswerSource): void {
    this.#onChange = onChange
    this.#onAnswer = onAnswer
    void this.#probe()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#probeTimer)
    for (const open of [...this.#requests.keys()]) open.destroy(new Error('the uplink stops'))
    this.#metered.agent.destroy()
  }

  /** Cumulative bytes handed to the network, by record class and `control`. */
  sentBytes(): Record<string, number> {
    const sum: Record<string, number> = {}
    let claimedBytes = 0
    for (const recordClass of SENT_CLASSES) {
      let classBytes = this.#sentBytes.get(recordClass) ?? 0
      for (const exchange of this.#requests.values()) {
        if (exchange.recordClass === recordClass) classBytes += this.#bytesOf(exchange)
      }
      sum[recordClass] = classBytes
      claimedBytes += classBytes
    }
    sum.control = this.#metered.totalBytes() - claimedBytes
    return sum
  }

  /** Look whether the receiver is there; again later, sooner while it is not. */
  async #probe(): Promise<void> {
    const { probeIntervalMs = PROBE_INTERVAL_MS } = this.#options
    const quietMs = performance.now() - this.#lastAnswerAtMs
    if (this.#state !== 'up' || quietMs >= probeIntervalMs)
      await this.exchange({ method: 'HEAD', recordClass: null, headers: {} })
    if (this.#stopped) return
    const waitMs = this.#state === 'up' ? probeIntervalMs : this.#backoff.nextMs()
    clearTimeout(this.#probeTimer)
    this.#probeTimer = setTimeout(() => void this.#probe(), waitMs).unref()
  }

  /** One request and its complete answer within the time allowed. Never rejects. */
  async exchange({ method, recordClass, headers, body }: HttpRequest): Promise<HttpAnswer> {
    if (this.#stopped) return { status: null, msg: 'the uplink stops' }
    const { ackTimeoutMs } = this.#options
    const exchange: Exchange = { recordClass, socket: null, bytesBefore: 0 }
    const startedAtMs = performance.now()
    const send = this.#url.protocol === 'https:' ? secureRequest : request
    const outgoing = send(this.#url, { method, headers, agent: this.#metered.agent })
    this.#requests.set(outgoing, exchange)
    outgoing.once('socket', (socket) => {
      exchange.socket = socket
      exchange.bytesBefore = this.#metered.bytesOf(socket)
    })
    const timer = setTimeout(
      () => outgoing.destroy(new Error(`no complete answer within ${ackTimeoutMs} ms`)),
      ackTimeoutMs,
    )
    const answer = await answerTo(outgoing, body ?? null)
    clearTimeout(timer)
    if (recordClass !== null) {
      this.#sentBytes.set(recordClass, (this.#sentBytes.get(recordClass) ?? 0) + this.#bytesOf(exchange))
    }
    this.#requests.delete(outgoing)
    if (answer.status === null) this.#unreachable(answer.msg)
    else this.#reached(method, performance.now() - startedAtMs, answer.headers)
    return answer
  }

  #bytesOf(exchange: Exchange): number {
    return exchange.socket === null ? 0 : this.#metered.bytesOf(exchange.socket) - exchange.bytesBefore
  }

  #reached(method: HttpRequest['method'], tookMs: number, headers: IncomingHttpHeaders): void {
    const source = this.#onAnswer(headers)
    if (source === 'restarted' && this.#state === 'up') {
      this.#change('connecting', `${this.#url.host}: the receiver was started again`)
    }
    this.#lastAnswerAtMs = performance.now()
    // A post's time is that of its body too.
    if (method === 'HEAD' || this.#rttMs === null || tookMs < this.#rttMs) this.#rttMs = tookMs
    this.#backoff.reset()
    this.#change('up', null)
  }

  #unreachable(msg: string): void {
    this.#rttMs = null
    const wasUp = this.#state === 'up'
    this.#change('down', `${this.#url.host}: ${msg}`)
    if (!wasUp || this.#stopped) return
    clearTimeout(this.#probeTimer)
    this.#probeTimer = setTimeout(() => void this.#probe(), this.#backoff.nextMs()).unref()
  }

  #change(state: WireState, error: string | null): void {
    const changed = state !== this.#state
    this.#state = state
    this.#error = error
    if (changed) this.#onChange()
  }
}

/** Send the body and read the answer to its end; a cut anywhere is no answer (then Node emits an error and no end). */
function answerTo(outgoing: ClientRequest, body: Buffer | null): Promise<HttpAnswer> {
  return new Promise((resolve) => {
    const fail = (error: unknown): void => resolve({ status: null, msg: messageOf(error) })
    outgoing.on('error', fail)
    outgoing.once('close', () => fail('the connection was closed before the answer'))
    outgoing.once('response', (incoming: IncomingMessage) => {
      incoming.on('error', fail)
      incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers }))
      incoming.resume()
    })
    outgoing.end(body ?? undefined)
  })
}
