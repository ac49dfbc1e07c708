import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { ClientOptions } from 'ws'
import type { Origin } from '../../protocol/bus-subjects.ts'
import type { IdentitySource } from '../identity/identity-source.ts'
import { type Dial, dialSecurely } from './dial.ts'
import type { FleetBus } from './fleet-bus.ts'

/** A WebSocket needs some address; nobody looks it up. */
const TUNNEL_URL = 'wss://tunnel.invalid/live'
const OPEN_TIMEOUT_MS = 4000

/** Through the bus to a node, by the same mutual TLS as straight; a sentence when it cannot be tried now. */
export function dialBus(
  bus: FleetBus,
  origin: Origin | string,
  how: { readonly identity: IdentitySource; readonly now: () => number },
): Dial | string {
  if (bus.fault !== null) return bus.fault
  if (typeof origin === 'string') return origin
  const dial = dialSecurely({ key: origin.node, site: origin.site, url: TUNNEL_URL }, how)
  if (typeof dial === 'string') return dial
  const through = overStream(() => bus.openTunnel(origin, OPEN_TIMEOUT_MS))
  return { ...dial, socket: { ...dial.socket, ...through } }
}

/**
 * Options of a WebSocket that run TLS through another stream than TCP, with the same certificates as on a connection.
 * The stream is opened for each handshake; when none can be, the handshake fails with its reason.
 */
export function overStream(open: () => Promise<Duplex>): Pick<ClientOptions, 'createConnection'> {
  const createConnection = (
    options: ConnectionOptions,
    done: (error: Error | null, socket?: TLSSocket) => void,
  ): undefined => {
    open().then(
      (stream) => {
        const socket = connect({ ...options, socket: stream })
        // A stream that fails ends what runs in it; TLS alone would only see that nothing comes any more.
        stream.once('close', () => socket.destroy(stream.errored ?? undefined))
        done(null, socket)
      },
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    )
  }
  // ws hands it to the HTTP request as it is, which takes the callback form too (Node API, http.Agent.createConnection).
  return { createConnection: createConnection as unknown as NonNullable<ClientOptions['createConnection']> }
}
