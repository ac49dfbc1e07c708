import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { freePort } from './free-port.ts'
import { type LinkShape, ShapedFlow } from './shaped-flow.ts'

/** A TCP link a test can count, slow down, cut, hang and mend; it stands between a client and a server on loopback. */
export interface TcpLink {
  readonly port: number
  /** Bytes that came from the client so far. */
  clientBytes(): number
  /** Bytes of the client that were handed to the server so far. */
  carriedBytes(): number
  /** Connections that were made so far. */
  connections(): number
  /** Carry slower from now on, in both directions: what is not named goes back to no delay and full speed. */
  shape(shape: Partial<LinkShape>): void
  /** Break every connection and refuse new ones until {@link mend}. */
  cut(): void
  /**
   * Keep connections open and carry nothing any more, as a half-open link does. New ones hang too. With `answers` what
   * the client says still arrives, and only what the server says is swallowed.
   */
  hang(what?: 'all' | 'answers'): void
  /** Carry again, on the same port; what hung is broken. */
  mend(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Open a link to a port on loopback; what says it is asked for each connection, since a server that starts anew may have another. */
export async function tcpLink(target: number | (() => number)): Promise<TcpLink> {
  const targetPort = (): number => (typeof target === 'number' ? target : target())
  let state: 'carrying' | 'cut' | 'hanging' | 'mute' = 'carrying'
  let clientBytes = 0
  let connections = 0
  const open = new Set<Socket>()
  const [up, down] = [new ShapedFlow(), new ShapedFlow()]
  const breakAll = (): void => {
    up.clear()
    down.clear()
    for (const socket of open) socket.destroy()
  }
  const keep = (socket: Socket): void => {
    open.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => open.delete(socket))
  }
  const server = createServer((client) => {
    connections += 1
    keep(client)
    const far = connect(targetPort(), '127.0.0.1')
    keep(far)
    client.on('data', (chunk) => {
      clientBytes += chunk.length
      if (state === 'carrying' || state === 'mute') up.carry(client, far, chunk)
    })
    far.on('data', (chunk) => {
      if (state === 'carrying') down.carry(far, client, chunk)
    })
    client.on('close', () => far.destroy())
    far.on('close', () => client.destroy())
  })
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  // The same again after a cut, which must not be another server's meanwhile.
  const port = await listen(await freePort())
  return {
    port,
    clientBytes: () => clientBytes,
    carriedBytes: () => up.carriedBytes,
    connections: () => connections,
    cut: () => {
      state = 'cut'
      // Refused, not accepted and dropped: what a kernel took in for nobody would count as sent.
      server.close()
      breakAll()
    },
    shape: ({ delayMs = 0, kbitPerSec = null }) => {
      up.shape({ delayMs, kbitPerSec })
      down.shape({ delayMs, kbitPerSec })
    },
    hang: (what = 'all') => {
      state = what === 'all' ? 'hanging' : 'mute'
    },
    mend: async () => {
      const was = state
      state = 'carrying'
      if (was === 'hanging' || was === 'mute') breakAll()
      if (was === 'cut') await listen(port)
    },
    [Symbol.asyncDispose]: async () => {
      breakAll()
      if (state === 'cut') return
      server.close()
      await once(server, 'close')
    },
  }
}
