import type { Socket } from 'node:net'

/** Sum of the bytes that a changing set of TCP sockets handed to the network. */
export class SocketBytes {
  readonly #open = new Set<Socket>()
  /** Before a socket is connected, what was written to it waits in memory, and Node counts it as written all the same. */
  readonly #connected = new WeakSet<Socket>()
  #closedBytes = 0

  /** Count a socket that is about to connect. */
  add(socket: Socket): void {
    this.#open.add(socket)
    socket.once('connect', () => this.#connected.add(socket))
  }

  /** Bytes of one of the sockets; 0 until it is connected, and for ever when it never was. */
  of(socket: Socket): number {
    return this.#connected.has(socket) ? socket.bytesWritten : 0
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
