import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import { createServer as createSecureServer, Server as SecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { METRICS_CONTENT_TYPE } from '../health/metrics-text.ts'
import { announcedBytes, MemoryBudget } from './body.ts'
import { InferRoute, type InferRouteOptions } from './infer-route.ts'
import type { InferenceService } from './inference-service.ts'
import type { Keep } from './keep.ts'
import type { InferenceMeters } from './meters.ts'
import { OrderlyClose } from './orderly-close.ts'
import { reply, replyJson } from './replies.ts'

/** Whether the node takes requests, and if not, why. */
export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string }

/** What an {@link InferenceServer} is made of; times in ms. */
export interface InferenceServerOptions {
  readonly listen: { readonly host: string; readonly port: number }
  /** Certificate (leaf first) and key in PEM, for HTTPS by TLS 1.3; null, as when it is left out, for plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string } | null
  readonly nodeName: string
  readonly bodyLimitBytes: number
  readonly service: Pick<InferenceService, 'infer'>
  readonly keep: Keep
  readonly meters: InferenceMeters
  /** @see InferRouteOptions */
  readonly onAnswered?: InferRouteOptions['onAnswered']
  readonly isReady: () => Readiness
  /** Prometheus exposition, whole; null when it is not told here. */
  readonly metricsText: (() => string) | null
  /** Unix ms. */
  readonly now?: () => number
  /** Longest that a request's head, a whole request, an idle connection and the rest of a refused body may take. */
  readonly headTimeoutMs?: number
  readonly requestTimeoutMs?: number
  readonly idleTimeoutMs?: number
  readonly lingerMs?: number
}

const HEAD_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const IDLE_TIMEOUT_MS = 60_000
const LINGER_MS = 2000
const MAX_CONNECTIONS = 2000
/** Bodies that all requests together may hold, in bodies of the largest size; more are told to come back. */
const BODIES_IN_MEMORY = 12

/**
 * The HTTP listener for devices: `POST /infer`, `GET /healthz`, `GET /readyz`, `GET /metrics`. Slow senders are cut by
 * timeouts, large bodies by a limit each and a budget for all.
 */
export class InferenceServer {
  readonly #options: InferenceServerOptions
  readonly #route: InferRoute
  readonly #server: Server
  readonly #orderly: OrderlyClose
  readonly #now: () => number
  #isStopping = false

  constructor(options: InferenceServerOptions) {
    const {
      nodeName,
      service,
      keep,
      meters,
      onAnswered,
      bodyLimitBytes,
      now = Date.now,
      lingerMs = LINGER_MS,
    } = options
    const budget = new MemoryBudget(bodyLimitBytes * BODIES_IN_MEMORY)
    this.#options = options
    this.#now = now
    this.#route = new InferRoute({ nodeName, service, keep, meters, onAnswered, bodyLimitBytes, budget, lingerMs, now })
    const requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS
    const { tls = null } = options
    const limits = {
      headersTimeout: options.headTimeoutMs ?? HEAD_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
      connectionsCheckingInterval: Math.min(1000, requestTimeoutMs / 4),
    }
    this.#server =
      tls === null
        ? createServer(limits)
        : createSecureServer({ ...limits, ...tls, minVersion: 'TLSv1.3', handshakeTimeout: limits.headersTimeout })
    this.#server.on('tlsClientError', (_error: Error, socket: Duplex) => socket.destroy())
    this.#orderly = new OrderlyClose(this.#server)
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('request', (request, response) => this.#onRequest(request, response))
    this.#server.on('checkContinue', (request, response) => this.#onExpect(request, response))
    // After the start it tells of a connection that could not be accepted, which costs that one and not the daemon.
    this.#server.on('error', () => {})
    this.#server.on('clientError', (error, socket) => this.#onBroken(error, socket))
  }

  /** Go on with a certificate that was renewed; connections that are open keep theirs. */
  renewTls(tls: { readonly cert: string; readonly key: string }): void {
    if (this.#server instanceof SecureServer) this.#server.setSecureContext({ ...tls, minVersion: 'TLSv1.3' })
  }

  /**
   * Listen.
   * @throws EdgeError `PORT_IN_USE`, or `CONFIG_UNSERVABLE` when the address is not this machine's or not allowed.
   */
  async start(): Promise<{ url: string; port: number }> {
    const { host, port } = this.#options.listen
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen({ host, port }, resolve)
    try {
      await promise
    } catch (error) {
      throw listenError(error, `${host}:${port}`)
    }
    this.#server.off('error', reject)
    const bound = (this.#server.address() as AddressInfo).port
    const reachable =
      host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
    const scheme = this.#options.tls == null ? 'http' : 'https'
    return { url: `${scheme}://${reachable}:${bound}`, port: bound }
  }

  /** Take no more connections, finish the requests in flight, cut what is not finished after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    if (!this.#server.listening) return
    this.#isStopping = true
    await this.#orderly.close(graceMs)
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#orderly.began(response)
    const url = request.url ?? '/'
    const query = url.indexOf('?')
    const path = query === -1 ? url : url.slice(0, query)
    if (path === '/infer') {
      if (request.method === 'POST') void this.#route.handle(request, response)
      else this.#wrongMethod(response, 'POST')
    } else if (path === '/metrics' && this.#options.metricsText === null) {
      this.#error(response, 404, 'metrics are told on the control listener; metrics.serve says where')
    } else if (path !== '/healthz' && path !== '/readyz' && path !== '/metrics') {
      this.#error(response, 404, 'there is nothing here; POST /infer, GET /healthz, GET /readyz or GET /metrics')
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      this.#wrongMethod(response, 'GET, HEAD')
    } else if (path === '/metrics') {
      reply(response, 200, METRICS_CONTENT_TYPE, this.#options.metricsText?.() ?? '')
    } else if (path === '/healthz') {
      replyJson(response, 200, { status: 'ok' })
    } else {
      this.#tellReadiness(response)
    }
  }

  #tellReadiness(response: ServerResponse): void {
    const readiness = this.#isStopping ? STOPPING : this.#options.isReady()
    if (readiness.ready) replyJson(response, 200, { status: 'ready' })
    else this.#error(response, 503, readiness.reason)
  }

  /** A client that asks before it sends a body is told at once when the body is too large. */
  #onExpect(request: IncomingMessage, response: ServerResponse): void {
    if ((announcedBytes(request) ?? 0) > this.#options.bodyLimitBytes) response.shouldKeepAlive = false
    else response.writeContinue()
    this.#onRequest(request, response)
  }

  #wrongMethod(response: ServerResponse, allowed: string): void {
    response.setHeader('Allow', allowed)
    this.#error(response, 405, `this address takes ${allowed} only`)
  }

  #error(response: ServerResponse, status: number, msg: string): void {
    replyJson(response, status, this.#errorBody(status, msg))
  }

  #errorBody(status: number, msg: string): object {
    return { code: status, msg, node_id: this.#options.nodeName, timestamp: this.#now() }
  }

  /** Bytes that are not HTTP, or a request that took too long; no request object exists for them. */
  #onBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const [status, msg] = brokenReply(error.code)
    this.#options.meters.answered('malformed')
    const body = JSON.stringify(this.#errorBody(status, msg))
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    )
  }
}

const STOPPING: Readiness = { ready: false, reason: 'the node is stopping; ask another node' }

function brokenReply(code: string | undefined): [status: number, msg: string] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'the request took too long to arrive; send it faster']
  if (code === 'HPE_HEADER_OVERFLOW')
    return [431, 'the head of the request is too large; send fewer or shorter headers']
  return [400, 'this is not HTTP; send POST /infer']
}

function listenError(error: unknown, address: string): EdgeError {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EADDRINUSE') {
    return new EdgeError('PORT_IN_USE', {
      message: `another process listens on ${address}`,
      next: ['stop it, or set inference.listen to a free port (0 takes any)'],
      cause: error,
    })
  }
  return new EdgeError('CONFIG_UNSERVABLE', {
    message: `inference.listen ${address} cannot be opened: ${messageOf(error)}`,
    next: ['set inference.listen to an address of this machine and a port that this user may open'],
    cause: error,
  })
}
