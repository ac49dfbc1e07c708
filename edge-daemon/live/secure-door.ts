import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { ControlIdentity, LiveLog, Peer, Route, SessionWitness } from './contract.ts'

/** What becomes of those that try to come in. */
export interface DoorKeeper {
  readonly identity: ControlIdentity
  readonly route: Route
  readonly log: LiveLog
  readonly witness?: SessionWitness | undefined
  /** A byte stream arrived, before anything is known of it. */
  readonly onArrived: (stream: Duplex) => void
  /** The handshake is done and the peer is believed. */
  readonly onAdmitted: (socket: TLSSocket, peer: Peer) => void
}

const HANDSHAKE_TIMEOUT_MS = 10_000

/**
 * TLS 1.3 with certificates on both sides, over TCP or over any other stream of bytes (requirement S2). The handshake only
 * proves that the peer has its key; whether its certificate counts the identity judges, by a clock that can be trusted
 * more than the machine's. No session is resumed, so every connection is judged.
 *
 * It is no `tls.Server`: Node 24.21 loses what stands above the peer's certificate before a server is told of the
 * connection (nodejs/node#65579), and an intermediate that the node has not met yet would be unknown.
 */
export class SecureDoor {
  readonly server: Server
  readonly #keeper: DoorKeeper
  readonly #forget: () => void
  #context: SecureContext

  constructor(keeper: DoorKeeper) {
    const { identity } = keeper
    this.#keeper = keeper
    this.#context = contextOf(identity)
    this.#forget = identity.onChange(() => {
      this.#context = contextOf(identity)
    })
    this.server = createServer((socket) => this.take(socket))
  }

  /** Take in a stream of bytes, of a connection of the server's own or another. */
  take(stream: Duplex): void {
    const { identity, route, log, witness, onArrived, onAdmitted } = this.#keeper
    onArrived(stream)
    const address = route === 'nats' ? 'nats' : ((stream as Socket).remoteAddress ?? 'gone')
    const socket = new TLSSocket(stream as Socket, {
      isServer: true,
      secureContext: this.#context,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    })
    const giveUp = (msg: string): void => {
      log.info('live.handshake_failed', msg, { route, address })
      socket.destroy()
      stream.destroy()
    }
    const timer = setTimeout(() => giveUp('the peer did not finish the handshake in time'), HANDSHAKE_TIMEOUT_MS)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => clearTimeout(timer))
    // What goes wrong in TLS itself is only told here while no `tls.Server` stands behind the socket.
    socket.on('_tlsError', (error: Error) => giveUp(error.message))
    socket.once('secure', () => {
      clearTimeout(timer)
      const peer = identity.judge(socket, { route, address })
      if (typeof peer !== 'string') return onAdmitted(socket, peer)
      log.warn('live.peer_refused', peer, { route, address })
      witness?.notLetIn({ route, address, certificate: socket.getPeerX509Certificate() ?? null }, peer)
      // TLS 1.3 tells a client that it is in before its certificate was looked at: the answer says why it is not.
      const body = `${JSON.stringify({ error: peer })}\n`
      const head = `HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-type: application/json\r\n`
      socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
    })
  }

  /** Forget the identity. */
  close(): void {
    this.#forget()
    this.server.close()
  }
}

/** Without a context for sessions OpenSSL would fail whoever offers one; with one of its own it makes a full handshake. */
function contextOf(identity: ControlIdentity): SecureContext {
  return createSecureContext({ ...identity.tls(), minVersion: 'TLSv1.3', sessionIdContext: 'edgedeck live' })
}
