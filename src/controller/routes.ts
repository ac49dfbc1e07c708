import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { z } from 'zod'
import { shownChain } from '../../identity/shown-chain.ts'
import { signText } from '../../identity/signing.ts'
import { verifyChain } from '../../identity/verify.ts'
import {
  CONTROLLER_PATHS,
  type EnrolmentAnswer,
  isNonce,
  joinRequestSchema,
  loginRequestSchema,
  MAX_HOLD_SEC,
  renewRequestSchema,
  type TimeAnswer,
  type TrustAnswer,
  timeText,
} from '../../protocol/enrolment.ts'
import { type ErrorCode, messageOf } from '../../protocol/errors.ts'
import type { AddressLimits } from './address-limits.ts'
import type { Authority } from './authority.ts'
import { readBody } from './body.ts'
import type { Counters, Work } from './counters.ts'
import type { DenyWaiters } from './deny-waiters.ts'
import type { Enrolment } from './enrolment.ts'
import type { ControllerLog } from './log.ts'
import type { Login } from './login.ts'
import { type Outcome, type Refusal, refuse, statusOf } from './outcome.ts'
import type { OwnCertificate } from './own-certificate.ts'

/** What {@link Routes} answers from. */
export interface RoutesOptions {
  readonly authority: Authority
  readonly enrolment: Enrolment
  readonly login: Login
  readonly own: () => OwnCertificate
  readonly waiters: DenyWaiters
  readonly addresses: AddressLimits
  /** How often one address may be refused. */
  readonly refusals: AddressLimits
  readonly counters: Counters
  readonly metricsText: () => string
  /** Why nothing can be given out; null when it can. */
  readonly fault: () => string | null
  readonly log: ControllerLog
  /** Unix ms. */
  readonly now: () => number
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
/** Refusals that may be an attempt to get in. */
const SUSPICIOUS: readonly ErrorCode[] = [
  'TOKEN_INVALID',
  'TOKEN_USED',
  'IDENTITY_REFUSED',
  'LOGIN_REFUSED',
  'REQUEST_MALFORMED',
]

const NO_NONCE = 'write nonce=N with 128 random bits in base64url'

/** The HTTP API of `protocol/enrolment.ts`, and health and metrics. */
export class Routes {
  readonly #options: RoutesOptions

  constructor(options: RoutesOptions) {
    this.#options = options
  }

  /** Answer a request of the TLS listener. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    this.#answer(request, response).catch((error: unknown) => {
      const isGone = request.destroyed && !request.complete
      if (!isGone) this.#options.log.log('error', 'request.failed', messageOf(error))
      if (response.headersSent || isGone) response.destroy()
      else this.#refuse(response, refuse('CONTROLLER_FAILING', 'the controller failed', 'try again later').refusal)
    })
  }

  /** Health and metrics alone, for the plain listener; whether the path was one of them. */
  open(request: IncomingMessage, response: ServerResponse): boolean {
    const { fault, metricsText } = this.#options
    const path = request.url?.split('?')[0]
    if (path === CONTROLLER_PATHS.health) send(response, 200, { status: 'ok' })
    else if (path === CONTROLLER_PATHS.ready) {
      const why = fault()
      if (why === null) send(response, 200, { status: 'ready' })
      else this.#refuse(response, refuse('CONTROLLER_FAILING', why).refusal)
    } else if (path === CONTROLLER_PATHS.metrics) sendText(response, METRICS_TYPE, metricsText())
    else return false
    return true
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { addresses, authority, enrolment, login } = this.#options
    const url = URL.parse(request.url ?? '/', 'https://controller')
    const address = request.socket.remoteAddress ?? 'gone'
    if (!addresses.take(address, performance.now())) {
      return this.#refuse(response, refuse('RATE_LIMITED', 'there are too many requests from your address').refusal)
    }
    if (url === null) return this.#refuse(response, refuse('REQUEST_MALFORMED', 'this is no path').refusal)
    const isPost = (['join', 'renew', 'login'] as const).some((work) => CONTROLLER_PATHS[work] === url.pathname)
    const methods = isPost ? ['POST'] : ['GET', 'HEAD']
    if (!Object.values<string>(CONTROLLER_PATHS).includes(url.pathname)) {
      const next = `the paths are ${Object.values(CONTROLLER_PATHS).join(', ')}`
      return this.#refuse(response, refuse('REQUEST_MALFORMED', 'there is nothing here', next).refusal, 404)
    }
    if (!methods.includes(request.method ?? '')) {
      response.setHeader('Allow', methods.join(', '))
      const wrong = refuse('REQUEST_MALFORMED', `this address takes ${methods.join(' and ')} only`)
      return this.#refuse(response, wrong.refusal, 405)
    }
    switch (url.pathname) {
      case CONTROLLER_PATHS.join:
        return this.#work('join', joinRequestSchema, (body) => enrolment.join(body, address), request, response)
      case CONTROLLER_PATHS.renew:
        return this.#work('renew', renewRequestSchema, (body) => enrolment.renew(body, address), request, response)
      case CONTROLLER_PATHS.login:
        return this.#work('login', loginRequestSchema, (body) => login.login(body, address), request, response)
      case CONTROLLER_PATHS.trust:
        return send(response, 200, { v: 1, trust: { ...authority.bundle } } satisfies TrustAnswer)
      case CONTROLLER_PATHS.time:
        return this.#time(url, response)
      case CONTROLLER_PATHS.deny:
        return this.#deny(url, request, response)
      case CONTROLLER_PATHS.metrics:
        if (this.#strange(request, response)) return
        break
    }
    this.open(request, response)
  }

  async #work<T>(
    work: Work,
    schema: z.ZodType<T>,
    run: (body: T) => Promise<Outcome<EnrolmentAnswer>>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { counters, refusals, fault } = this.#options
    const address = request.socket.remoteAddress ?? 'gone'
    const nowMs = performance.now()
    const why = fault()
    let outcome: Outcome<EnrolmentAnswer>
    if (why !== null) outcome = refuse('CONTROLLER_FAILING', why, 'look at the log of the controller')
    else if (refusals.isSpent(address, nowMs)) {
      outcome = refuse('RATE_LIMITED', 'too much from your address was refused', 'wait a minute')
    } else {
      const body = await readBody(request, schema)
      outcome = body.ok ? await run(body.body) : body
    }
    if (outcome.ok) {
      counters.done(work)
      return send(response, 200, outcome.body)
    }
    const { refusal } = outcome
    counters.refused(work, refusal.code)
    if (SUSPICIOUS.includes(refusal.code)) refusals.take(address, nowMs)
    if (!request.complete) response.shouldKeepAlive = false
    this.#refuse(response, refusal)
  }

  /** What time it is, signed for a nonce by the controller's own key. */
  #time(url: URL, response: ServerResponse): void {
    const { authority, own, now, fault } = this.#options
    const nonce = url.searchParams.get('nonce') ?? ''
    const why = fault()
    if (!isNonce(nonce) || why !== null) {
      const { refusal } = why === null ? refuse('REQUEST_MALFORMED', NO_NONCE) : refuse('CONTROLLER_FAILING', why)
      this.#refuse(response, refusal)
      return
    }
    const { key, chain } = own()
    const { fleet, denyVersion: deny, bundle } = authority
    const body = { v: 1, fleet, nonce, at: now(), deny, trust: bundle.version } as const
    const signature = signText(timeText(body), key)
    send(response, 200, { ...body, signature, chain: chain.map(base64Of) } satisfies TimeAnswer)
  }

  /** The deny list, at once or as soon as there is a later one. */
  async #deny(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { authority, waiters } = this.#options
    if (this.#strange(request, response)) return
    const after = url.searchParams.get('after')
    const hold = url.searchParams.get('hold') ?? String(MAX_HOLD_SEC)
    if (!/^\d{1,15}$/.test(after ?? '0') || !/^\d{1,3}$/.test(hold)) {
      return this.#refuse(response, refuse('REQUEST_MALFORMED', 'after and hold are whole numbers').refusal)
    }
    if (after !== null && authority.denyVersion === Number(after) && Number(hold) > 0) {
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      await waiters.wait(Math.min(Number(hold), MAX_HOLD_SEC) * 1000, gone.signal)
      if (gone.signal.aborted) return
    }
    // A version that is later than ours is told ours: somebody put an old copy of the authority back.
    if (after !== null && authority.denyVersion === Number(after)) {
      response.writeHead(304).end()
      return
    }
    send(response, 200, { ...authority.denyList() })
  }

  /** Refuse who shows no certificate of this fleet that is good now; whether it was. */
  #strange(request: IncomingMessage, response: ServerResponse): boolean {
    const { authority, now } = this.#options
    // Node gives a server the leaf alone (nodejs/node#65579): what issued it is known here.
    const shown = shownChain(request.socket as TLSSocket)
    const chain = shown.length === 0 ? [] : [...shown, ...authority.issuers.slice(0, MAX_CHAIN)]
    const verdict = verifyChain(chain, { trust: authority.trust, nowMs: now(), use: 'client' })
    if (verdict.ok) return false
    const code = verdict.why === 'revoked' ? 'IDENTITY_REVOKED' : 'IDENTITY_REFUSED'
    this.#refuse(response, refuse(code, verdict.msg, 'show a certificate of this fleet').refusal)
    return true
  }

  #refuse(response: ServerResponse, refusal: Refusal, status = statusOf(refusal.code)): void {
    if (status === 429) response.setHeader('Retry-After', '60')
    send(response, status, refusal)
  }
}

const MAX_CHAIN = 4

function base64Of(certificate: X509Certificate): string {
  return certificate.raw.toString('base64')
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  })
  response.end(text)
}

function sendText(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) })
  response.end(text)
}
