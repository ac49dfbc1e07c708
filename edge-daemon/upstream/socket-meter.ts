import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { SocketBytes } from './socket-bytes.ts'

/** Node's own channel that tells of every outgoing TCP socket (Node API, diagnostics_channel, `net.client.socket`). */
const CHANNEL = 'net.client.socket'

/**
 * Counts the bytes that reach the network on the sockets a library opens for itself. It sees the TCP socket under TLS,
 * so what is counted is what the link carries.
 */
export class SocketMeter {
  readonly #scope = new AsyncLocalStorage<(socket: Socket) => void>()
  readonly #bytes = new SocketBytes()
  readonly #onSocket = (message: unknown): void => {
    this.#scope.getStore()?.((message as { socket: Socket }).socket)
  }

  start(): void {
    subscribe(CHANNEL, this.#onSocket)
  }

  stop(): void {
    unsubscribe(CHANNEL, this.#onSocket)
  }

  /** Run what opens sockets; every one it opens is counted and handed to `onSocket`. */
  watch<T>(run: () => Promise<T>, onSocket: (socket: Socket) => void): Promise<T> {
    return this.#scope.run((socket) => {
      this.#bytes.add(socket)
      onSocket(socket)
    }, run)
  }

  /** Bytes handed to the network on all sockets since the start. */
  totalBytes(): number {
    return this.#bytes.total()
  }
}
