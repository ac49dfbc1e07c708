import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { ClientOptions } from 'ws'

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
