import { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { request as secureRequest } from 'node:https'
import type { Socket } from 'node:net'
import { messageOf } from '../../protocol/errors.ts'
import { UPSTREAM_CLASSES, type UpstreamClass } from '../../protocol/subjects.ts'
import { Backoff } from './backoff.ts'
import type { Block } from './block.ts'
import { createMeteredAgent, type MeteredAgent } from './metered-agent.ts'
import type { Delivery, Holding, Wire, WireState } from './wire.ts'

/** Names the subject of a posted block; the path is the receiver's own. */
export const SUBJECT_HEADER = 'Edge-Subject'

/** How an {@link HttpWire} reaches its receiver. */
export interface HttpWireOptions {
  readonly url: string
  /** How long one exchange may take, from connecting to the end of the answer. */
  readonly ackTimeoutMs: number
  /** How often a receiver that nothing was sent to is looked for. */
  readonly probeIntervalMs?: number
}

const PROBE_INTERVAL_MS = 10_000
const BACKOFF = { firstMs: 250, maxMs: 5000 } as const

/** What came back: a status, or why nothing did. */
type Answer =
  | { readonly status: number; readonly retryAfterMs: number | null }
  | { readonly status: null; readonly msg: string }

/** A request under way, and where its socket's count stood when it began. */
interface Exchange {
  readonly recordClass: UpstreamClass | null
  socket: Socket | null
  bytesBefore: number
}

/**
 * HTTP and HTTPS: each block is one `POST` to the configured URL with the headers of a block and {@link SUBJECT_HEADER}.
 *
 * 2xx with a complete answer: the receiver holds it. 413: it is too large, and is split. Everything else is tried again,
 * not before `Retry-After` (seconds, five minutes at most) where there is one: a wrong path or credential is for the operator to mend, not a
 * reason to drop records. Redirects are not followed. A receiver that nothing was sent to for a while is asked `HEAD`,
 * so that the state is known; the link is up when anything answers.
 */
export class HttpWire implements Wire {
  readonly kind = 'http'
  readonly #options: HttpWireOptions
  readonly #url: URL
  readonly #metered: MeteredAgent
  readonly #requests = new Map<ClientRequest, Exchange>()
  readonly #sentBytes = new Map<UpstreamClass, number>()
  readonly #backoff = new Backoff(BACKOFF)
  #state: WireState = 'connecting'
  #error: string | null = null
  #rttMs: number | null = null
  #probeTimer: NodeJS.Timeout | undefined
  #lastAnswerAtMs = Number.NEGATIVE_INFINITY
  #stopped = false
  #onChange: () => void = () => {}

  constructor(options: HttpWireOptions) {
    this.#options = options
    this.#url = new URL(options.url)
    this.#metered = createMeteredAgent(this.#url.protocol)
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

  get maxBodyBytes(): number | null {
    return null
  }

  start(onChange: () => void): void {
    this.#onChange = onChange
    void this.#probe()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#probeTimer)
    for (const open of [...this.#requests.keys()]) open.destroy(new Error('the uplink stops'))
    this.#metered.agent.destroy()
  }

  /** Such a receiver does not say what it holds. */
  async holding(): Promise<Holding> {
    return {
      outcome: 'nothing',
      archive: this.#url.href,
      after: 0,
      lastPosition: null,
      foreignEpoch: null,
      keepsMarks: false,
    }
  }

  async send(block: Block): Promise<Delivery> {
    const answer = await this.#exchange('POST', block.recordClass, block.body, {
      ...block.headers,
      'Content-Length': block.body.length,
      [SUBJECT_HEADER]: block.subject,
    })
    if (answer.status === null) return { outcome: 'again', msg: answer.msg }
    if (answer.status >= 200 && answer.status < 300) return { outcome: 'held', position: 0, synced: false }
    const msg = `the receiver answered ${answer.status}${hintOf(answer.status)}`
    if (answer.status === 413) return { outcome: 'too_large', msg }
    return { outcome: 'again', msg, ...(answer.retryAfterMs === null ? {} : { retryAfterMs: answer.retryAfterMs }) }
  }

  sentBytes(): Record<string, number> {
    const sum: Record<string, number> = {}
    let claimedBytes = 0
    for (const recordClass of UPSTREAM_CLASSES) {
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
    if (this.#state !== 'up' || quietMs >= probeIntervalMs) await this.#exchange('HEAD', null, null, {})
    if (this.#stopped) return
    const waitMs = this.#state === 'up' ? probeIntervalMs : this.#backoff.nextMs()
    clearTimeout(this.#probeTimer)
    this.#probeTimer = setTimeout(() => void this.#probe(), waitMs).unref()
  }

  /** One request and its complete answer within the time allowed. Never rejects. */
  async #exchange(
    method: 'POST' | 'HEAD',
    recordClass: UpstreamClass | null,
    body: Buffer | null,
    headers: OutgoingHttpHeaders,
  ): Promise<Answer> {
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
    const answer = await answerTo(outgoing, body)
    clearTimeout(timer)
    if (recordClass !== null) {
      this.#sentBytes.set(recordClass, (this.#sentBytes.get(recordClass) ?? 0) + this.#bytesOf(exchange))
    }
    this.#requests.delete(outgoing)
    if (answer.status === null) this.#unreachable(answer.msg)
    else this.#reached(performance.now() - startedAtMs)
    return answer
  }

  #bytesOf(exchange: Exchange): number {
    return exchange.socket === null ? 0 : this.#metered.bytesOf(exchange.socket) - exchange.bytesBefore
  }

  #reached(tookMs: number): void {
    this.#lastAnswerAtMs = performance.now()
    this.#rttMs = tookMs
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
function answerTo(outgoing: ClientRequest, body: Buffer | null): Promise<Answer> {
  return new Promise((resolve) => {
    const fail = (error: unknown): void => resolve({ status: null, msg: messageOf(error) })
    outgoing.on('error', fail)
    outgoing.once('close', () => fail('the connection was closed before the answer'))
    outgoing.once('response', (incoming: IncomingMessage) => {
      incoming.on('error', fail)
      incoming.once('end', () => {
        const retryAfter = incoming.headers['retry-after'] ?? ''
        resolve({
          status: incoming.statusCode ?? 0,
          retryAfterMs: /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1000 : null,
        })
      })
      incoming.resume()
    })
    outgoing.end(body ?? undefined)
  })
}

function hintOf(status: number): string {
  if (status >= 300 && status < 400) return '; redirects are not followed, configure the final address'
  if (status === 401 || status === 403) return '; it does not let this node in'
  return status === 404 || status === 405 ? '; see that upstream.http.url takes POST' : ''
}
