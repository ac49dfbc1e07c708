import type { Server, ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'

/** Devices that keep a connection open send their next request within this time, or are told to come again. */
const QUIET_MS = 250

/**
 * Closes an HTTP server without breaking a request: `http.Server.close` cuts kept-alive connections at once, also one
 * whose next request is on its way, and leaves those that answer just now open until they time out. Here every answer
 * from the close on ends its connection, and a connection is cut only after it was quiet for a moment.
 */
export class OrderlyClose {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #responses = new Set<ServerResponse>()
  #isClosing = false

  constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  /** Note a request that begins; before its response is touched. */
  began(response: ServerResponse): void {
    if (this.#isClosing) response.shouldKeepAlive = false
    this.#responses.add(response)
    response.once('close', () => this.#responses.delete(response))
  }

  /** Take no more connections, finish the requests in flight, cut what is not finished after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true
    const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(this.#server, () => resolve()))
    for (const response of this.#responses) if (!response.headersSent) response.shouldKeepAlive = false
    let look: NodeJS.Immediate | undefined
    // A process that was held up meanwhile has yet to read what came: it does so between the timer and the look.
    const quiet = setTimeout(() => {
      look = setImmediate(() => this.#cutQuiet())
    }, QUIET_MS)
    const cut = setTimeout(() => this.#server.closeAllConnections(), graceMs)
    await closed
    clearTimeout(quiet)
    clearImmediate(look)
    clearTimeout(cut)
    // All is closed; this ends the timer by which it looked for slow requests.
    this.#server.close()
  }

  #cutQuiet(): void {
    const busy = new Set([...this.#responses].map(({ socket }) => otherEnd(socket)))
    for (const socket of this.#sockets) if (!busy.has(otherEnd(socket))) socket.destroy()
  }
}

/** What a connection and the TLS over it, which are two sockets, have in common. */
function otherEnd(socket: Socket | null): string {
  return `${socket?.remoteAddress} ${socket?.remotePort}`
}
