import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { shownChain } from '../../identity/shown-chain.ts'
import {
  CONTROLLER_PATHS,
  CONTROLLER_PORT,
  type EnrolmentAnswer,
  enrolmentAnswerSchema,
  enrolmentErrorSchema,
  type JoinRequest,
  MAX_ANSWER_BYTES,
  MAX_HOLD_SEC,
  type RenewRequest,
  type TimeAnswer,
  timeAnswerSchema,
  trustAnswerSchema,
} from '../../protocol/enrolment.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

/** How a {@link ControllerClient} reaches a controller. */
export interface ControllerClientOptions {
  /** E.g. `https://controller.example:5444`. */
  readonly url: string
  /** Why the certificate chain that the controller shows is not believed, as a sentence; null when it is. Asked before anything is sent. */
  readonly judge: (chain: readonly X509Certificate[]) => string | null
  /** What the node shows of itself, PEM; null while it has nothing. Asked for every connection. */
  readonly own: () => { readonly key: string; readonly cert: string } | null
  readonly timeoutMs?: number
}

/** An answer that is no success, in a controller's own words; `code` is one of `protocol/errors.ts` where it is known here. */
export class ControllerRefusal extends Error {
  readonly code: string
  readonly next: readonly string[]

  constructor(code: string, message: string, next: readonly string[]) {
    super(message)
    this.name = 'ControllerRefusal'
    this.code = code
    this.next = next
  }
}

const TIMEOUT_MS = 10_000

/**
 * The HTTP API of a controller as a node asks it, over TLS 1.3 on one connection that is kept. Whether the controller's
 * certificate counts is judged by the caller and its clock, since the machine's may be wrong; nothing is written before.
 * Everything throws EdgeError `CONTROLLER_UNREACHABLE` when there is no answer of this fleet's controller, and
 * {@link ControllerRefusal} when there is one and it says no.
 */
export class ControllerClient {
  readonly url: URL
  readonly #options: ControllerClientOptions
  readonly #agent: Agent

  constructor(options: ControllerClientOptions) {
    this.#options = options
    this.url = new URL(options.url)
    this.#agent = Object.assign(new Agent({ keepAlive: true, maxSockets: 2, timeout: (MAX_HOLD_SEC + 10) * 1000 }), {
      createConnection: (_options: object, done: (error: Error | null, socket?: TLSSocket) => void) => {
        this.#open().then(
          (socket) => done(null, socket),
          (error: Error) => done(error),
        )
        return undefined
      },
    }) as Agent
  }

  /** The signed trust bundle, which is still to be verified. */
  async trust(): Promise<unknown> {
    return this.#parsed(trustAnswerSchema, await this.#ask('GET', CONTROLLER_PATHS.trust)).trust
  }

  /** The signed time, which is still to be verified. */
  async time(nonce: string): Promise<TimeAnswer> {
    return this.#parsed(timeAnswerSchema, await this.#ask('GET', `${CONTROLLER_PATHS.time}?nonce=${nonce}`))
  }

  async join(body: JoinRequest): Promise<EnrolmentAnswer> {
    return this.#parsed(enrolmentAnswerSchema, await this.#ask('POST', CONTROLLER_PATHS.join, { body }))
  }

  async renew(body: RenewRequest): Promise<EnrolmentAnswer> {
    return this.#parsed(enrolmentAnswerSchema, await this.#ask('POST', CONTROLLER_PATHS.renew, { body }))
  }

  /**
   * The deny list that is in force, as soon as it is another than of this version; null when it is not within `holdSec`.
   * Still to be verified.
   */
  async deny(after: number | null, holdSec: number, signal?: AbortSignal): Promise<unknown> {
    const query = after === null ? `hold=${holdSec}` : `after=${after}&hold=${holdSec}`
    const { timeoutMs = TIMEOUT_MS } = this.#options
    return this.#ask('GET', `${CONTROLLER_PATHS.deny}?${query}`, {
      timeoutMs: timeoutMs + holdSec * 1000,
      ...(signal === undefined ? {} : { signal }),
    })
  }

  /** Give up the connection, e.g. since the own certificate is another now. */
  close(): void {
    this.#agent.destroy()
  }

  /** The JSON of an answer; null for a 304. */
  async #ask(
    method: 'GET' | 'POST',
    path: string,
    { body, timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS, signal }: AskOptions = {},
  ): Promise<unknown> {
    const text = body === undefined ? null : JSON.stringify(body)
    try {
      const deadline = AbortSignal.timeout(timeoutMs)
      const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
        const asked = request(
          {
            agent: this.#agent,
            host: hostOf(this.url),
            port: portIn(this.#options.url),
            method,
            path,
            signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
            headers: {
              host: this.url.host,
              ...(text === null
                ? {}
                : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
            },
          },
          (response) =>
            bodyOf(response).then((whole) => resolve({ status: response.statusCode ?? 0, text: whole }), reject),
        )
        asked.on('error', (error) => reject(deadline.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error))
        asked.end(text ?? undefined)
      })
      if (answer.status === 304) return null
      const value = JSON.parse(answer.text) as unknown
      if (answer.status === 200) return value
      const said = enrolmentErrorSchema.safeParse(value)
      if (!said.success) throw new Error(`it answered ${answer.status}, not as a controller does`)
      throw new ControllerRefusal(said.data.code, said.data.message, said.data.next)
    } catch (error) {
      if (error instanceof ControllerRefusal) throw error
      throw this.#unreachable(
        error instanceof SyntaxError ? new Error('it does not answer as a controller does') : error,
      )
    }
  }

  #parsed<T>(schema: { safeParse(value: unknown): { success: boolean; data?: T } }, value: unknown): T {
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed.data as T
    throw this.#unreachable(new Error('its answer is not of the protocol; it may be of another version'))
  }

  /** A connection to whoever is believed. */
  #open(): Promise<TLSSocket> {
    const { judge, own, timeoutMs = TIMEOUT_MS } = this.#options
    const host = hostOf(this.url)
    return new Promise((resolve, reject) => {
      const socket = connect({
        host,
        port: portIn(this.#options.url),
        ...(isIP(host) === 0 ? { servername: host } : {}),
        ...own(),
        minVersion: 'TLSv1.3',
        // Judged below, by a clock that is trusted more than the machine's.
        rejectUnauthorized: false,
        ALPNProtocols: ['http/1.1'],
      })
      const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs)
      socket.once('error', reject)
      socket.once('close', () => {
        clearTimeout(timer)
        reject(new Error('the connection was closed'))
      })
      socket.once('secureConnect', () => {
        clearTimeout(timer)
        const why = judge(shownChain(socket))
        if (why === null) return resolve(socket)
        socket.destroy()
        reject(new Error(why))
      })
    })
  }

  #unreachable(cause: unknown): EdgeError {
    return new EdgeError('CONTROLLER_UNREACHABLE', {
      message: `${this.url.origin}: ${messageOf(cause)}`,
      next: [`check that a controller of this fleet listens on ${this.url.host} and that the way there is open`],
      cause,
    })
  }
}

interface AskOptions {
  readonly body?: object
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

/** As it was written: `URL` forgets a 443 that somebody chose. */
function portIn(url: string): number {
  return Number(/:(\d{1,5})\/?$/.exec(url)?.[1] ?? CONTROLLER_PORT)
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    sizeBytes += part.length
    if (sizeBytes > MAX_ANSWER_BYTES) throw new Error('its answer is too large')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
