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
  /** Carry again; what hung is broken. */
  mend(): void
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
    if (state === 'cut') return client.destroy()
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
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    clientBytes: () => clientBytes,
    connections: () => connections,
    cut: () => {
      state = 'cut'
      breakAll()
    },
    hang: () => {
      state = 'hanging'
    },
    mend: () => {
      if (state === 'hanging') breakAll()
      state = 'carrying'
    },
    [Symbol.asyncDispose]: async () => {
      breakAll()
      server.close()
      await once(server, 'close')
    },
  }
}
