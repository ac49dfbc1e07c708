import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** Sum of the bytes that a changing set of TCP sockets handed to the network. */
export class SocketBytes {
  readonly #open = new Set<Socket>()
  /** Before a socket is connected, what was written to it waits in memory, and Node counts it as written all the same. */
  readonly #connected = new WeakSet<Socket>()
  /** What the TCP connection under a TLS one had taken when it was last looked at: it is out of reach once it is closed. */
  readonly #underTls = new WeakMap<Socket, number>()
  #closedBytes = 0

  /** Count a socket that is about to connect. */
  add(socket: Socket): void {
    this.#open.add(socket)
    socket.once('connect', () => this.#connected.add(socket))
  }

  /** Bytes of one of the sockets; 0 until it is connected, and for ever when it never was. */
  of(socket: Socket): number {
    if (!this.#connected.has(socket)) return 0
    const bytes = Math.max(bytesUnderTls(socket) ?? socket.bytesWritten, this.#underTls.get(socket) ?? 0)
    if (!socket.destroyed) this.#underTls.set(socket, bytes)
    return bytes
  }

  total(): number {
    let openBytes = 0
    for (const socket of this.#open) {
      if (socket.destroyed) {
        // No event tells of it: a library may take every listener off its socket before it closes it.
        this.#closedBytes += this.of(socket)
        this.#open.delete(socket)
      } else {
        openBytes += this.of(socket)
      }
    }
    return this.#closedBytes + openBytes
  }
}

/**
 * What a TLS socket that made its TCP connection itself has handed to it; null for any other. `bytesWritten` of such a
 * socket is what was given to TLS, and Node has no public name for what came out of it.
 */
function bytesUnderTls(socket: Socket): number | null {
  const { _handle: handle } = socket as { _handle?: { _parent?: { bytesWritten?: unknown } } | null }
  const bytes = socket instanceof TLSSocket ? handle?._parent?.bytesWritten : undefined
  return typeof bytes === 'number' ? bytes : null
}
