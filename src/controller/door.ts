import { constants } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { type AddressLimits, networkOf } from './address-limits.ts'
import type { ControllerConfig } from './config.ts'
import type { Counters } from './counters.ts'
import type { OwnCertificate } from './own-certificate.ts'

/** What a {@link Door} is made of. */
export interface DoorOptions {
  readonly listen: ControllerConfig['listen']
  readonly limits: ControllerConfig['limits']
  /** What one address may do. */
  readonly addresses: AddressLimits
  readonly counters: Counters
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void
}

const IDLE_MS = 60_000
const KEEP_ALIVE_MS = 5000
const MAX_HEAD_BYTES = 8192

/**
 * The HTTPS listener: TLS 1.3, certificates of clients asked for but not needed (a node that joins has none). Everything
 * that costs something is bounded: connections, also by address, how fast they come, and how long a handshake, a head or
 * a body may take, so that slow and many peers only lock out themselves.
 */
export class Door {
  readonly #options: DoorOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #byAddress = new Map<string, number>()
  #busy = 0
  #isClosing = false

  constructor(options: DoorOptions, own: OwnCertificate) {
    const { limits, counters } = options
    this.#options = options
    this.#server = createServer({
      ...tlsOf(own),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: limits.headTimeout,
      headersTimeout: limits.headTimeout,
      requestTimeout: limits.headTimeout * 2,
      connectionsCheckingInterval: Math.min(1000, limits.headTimeout / 2),
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEAD_BYTES,
      ALPNProtocols: ['http/1.1'],
    })
    this.#server.setTimeout(IDLE_MS)
    this.#server.prependListener('connection', (socket: Socket) => this.#onConnection(socket))
    this.#server.on('request', (request, response) => this.#onRequest(request, response))
    this.#server.on('clientError', (error, socket) => this.#onBroken(error, socket))
    this.#server.on('tlsClientError', (_error, socket) => {
      counters.dropped('handshake')
      socket.destroy()
    })
    // After the start it tells of a connection that could not be accepted, which costs that one alone.
    this.#server.on('error', () => {})
  }

  /** Open connections. */
  get connections(): number {
    return this.#sockets.size
  }

  /** Listen. @throws EdgeError `PORT_IN_USE` or `CONFIG_UNSERVABLE` */
  async start(): Promise<number> {
    const { host, port } = this.#options.listen
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen({ host, port }, resolve)
    await promise.catch((cause: unknown) => {
      throw listenError(cause, 'listen', `${host}:${port}`)
    })
    this.#server.off('error', reject)
    return (this.#server.address() as AddressInfo).port
  }

  /** Serve new connections with another certificate; those that there are go on. */
  use(own: OwnCertificate): void {
    this.#server.setSecureContext(tlsOf(own))
  }

  /** Take no more connections, finish what is being answered, and cut what is not finished in time. */
  async stop(graceMs: number): Promise<void> {
    if (!this.#server.listening) return
    this.#isClosing = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    const cut = setTimeout(() => this.#cutAll(), graceMs)
    if (this.#busy === 0) this.#cutAll()
    await closed
    clearTimeout(cut)
  }

  #onConnection(socket: Socket): void {
    const { limits, addresses, counters } = this.#options
    const network = networkOf(socket.remoteAddress ?? '')
    const fromThere = this.#byAddress.get(network) ?? 0
    const isFull = this.#sockets.size >= limits.connections || fromThere >= limits.connectionsPerAddress
    if (isFull || this.#isClosing || !addresses.take(socket.remoteAddress ?? '', performance.now())) {
      counters.dropped(isFull ? 'too_many' : 'rate')
      socket.on('error', () => {})
      socket.resetAndDestroy()
      return
    }
    this.#sockets.add(socket)
    this.#byAddress.set(network, fromThere + 1)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      const left = (this.#byAddress.get(network) ?? 1) - 1
      if (left > 0) this.#byAddress.set(network, left)
      else this.#byAddress.delete(network)
    })
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#busy += 1
    response.once('close', () => {
      this.#busy -= 1
      if (this.#isClosing && this.#busy === 0) this.#cutAll()
    })
    if (this.#isClosing) response.shouldKeepAlive = false
    this.#options.onRequest(request, response)
  }

  #cutAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Bytes that are no HTTP, or that come too slowly. */
  #onBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
    const isSlow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
    this.#options.counters.dropped(isSlow ? 'slow' : 'malformed')
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const status = isSlow ? '408 Request Timeout' : (BROKEN[error.code ?? ''] ?? '400 Bad Request')
    // Who is slow is not waited for again: the end of the answer is the end of the connection.
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy())
    setTimeout(() => socket.destroy(), LINGER_MS).unref()
  }
}

const LINGER_MS = 1000
const BROKEN: Readonly<Record<string, string>> = { HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large' }

function tlsOf({ chainPem, keyPem }: OwnCertificate) {
  // No session is resumed: a certificate is judged at every connection.
  return { cert: chainPem, key: keyPem, minVersion: 'TLSv1.3', secureOptions: constants.SSL_OP_NO_TICKET } as const
}

/** What is wrong with an address, by its setting. */
export function listenError(cause: unknown, setting: string, address: string): EdgeError {
  if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    const next = [`stop it, or set ${setting} to another port`]
    return new EdgeError('PORT_IN_USE', { message: `another process listens on ${address}`, next, cause })
  }
  return new EdgeError('CONFIG_UNSERVABLE', {
    message: `${setting} ${address} cannot be opened: ${messageOf(cause)}`,
    next: [`set ${setting} to an address of this machine and a port that this user may open`],
    cause,
  })
}
