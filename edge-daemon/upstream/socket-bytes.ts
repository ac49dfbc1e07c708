import type { Socket } from 'node:net'

/** Sum of the bytes that a changing set of TCP sockets handed to the network. */
export class SocketBytes {
  readonly #open = new Set<Socket>()
  #closedBytes = 0

  add(socket: Socket): void {
    this.#open.add(socket)
  }

  total(): number {
    let openBytes = 0
    for (const socket of this.#open) {
      if (socket.destroyed) {
        // No event tells of it: a library may take every listener off its socket before it closes it.
        this.#closedBytes += socket.bytesWritten
        this.#open.delete(socket)
      } else {
        openBytes += socket.bytesWritten
      }
    }
    return this.#closedBytes + openBytes
  }
}
