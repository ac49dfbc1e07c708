import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer, type Server, type TLSSocket } from 'node:tls'
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
 */
export class SecureDoor {
  readonly server: Server
  readonly #forget: () => void

  constructor({ identity, route, log, witness, onArrived, onAdmitted }: DoorKeeper) {
    this.server = createServer({
      ...identity.tls(),
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      ALPNProtocols: ['http/1.1'],
    })
    this.#forget = identity.onChange(() => this.server.setSecureContext({ ...identity.tls(), minVersion: 'TLSv1.3' }))
    this.server.prependListener('connection', (stream: Socket) => onArrived(stream))
    this.server.on('tlsClientError', (error, socket) => {
      log.info('live.handshake_failed', error.message, { route })
      socket.destroy()
    })
    this.server.on('secureConnection', (socket) => {
      const address = route === 'nats' ? 'nats' : (socket.remoteAddress ?? 'gone')
      const peer = identity.judge(socket, { route, address })
      if (typeof peer !== 'string') return onAdmitted(socket, peer)
      log.warn('live.peer_refused', peer, { route, address })
      witness?.notLetIn({ route, address, certificate: socket.getPeerX509Certificate() ?? null }, peer)
      socket.on('error', () => socket.destroy())
      // TLS 1.3 tells a client that it is in before its certificate was looked at: the answer says why it is not.
      const body = `${JSON.stringify({ error: peer })}\n`
      const head = `HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-type: application/json\r\n`
      socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
    })
  }

  /** Take in a stream that is no TCP connection of the server's own. */
  take(stream: Duplex): void {
    this.server.emit('connection', stream)
  }

  /** Forget the identity. */
  close(): void {
    this.#forget()
    this.server.close()
  }
}
