import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP link a test can count, cut, hang and mend; it stands between a client and a server on loopback. */
export interface TcpLink {
  readonly port: number
  /** Bytes that came from the client so far. */
  clientBytes(): number
  /** Connections that were made so far. */
  connections(): number
  /** Break every connection and refuse new ones until {@link mend}. */
  cut(): void
  /** Keep connections open and carry nothing any more, as a half-open link does. New ones hang too. */
  hang(): void
  /** Carry again, on the same port; what hung is broken. */
  mend(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Open a link to a port on loopback. */
export async function tcpLink(targetPort: number): Promise<TcpLink> {
  let state: 'carrying' | 'cut' | 'hanging' = 'carrying'
  let clientBytes = 0
  let connections = 0
  const open = new Set<Socket>()
  const breakAll = (): void => {
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
    const target = connect(targetPort, '127.0.0.1')
    keep(target)
    client.on('data', (chunk) => {
      clientBytes += chunk.length
      if (state === 'carrying') target.write(chunk)
    })
    target.on('data', (chunk) => {
      if (state === 'carrying') client.write(chunk)
    })
    client.on('close', () => target.destroy())
    target.on('close', () => client.destroy())
  })
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const port = await listen(0)
  return {
    port,
    clientBytes: () => clientBytes,
    connections: () => connections,
    cut: () => {
      state = 'cut'
      // Refused, not accepted and dropped: what a kernel took in for nobody would count as sent.
      server.close()
      breakAll()
    },
    hang: () => {
      state = 'hanging'
    },
    mend: async () => {
      const was = state
      state = 'carrying'
      if (was === 'hanging') breakAll()
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
