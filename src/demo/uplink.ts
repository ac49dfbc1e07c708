import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'

/**
 * How a link is: `up` carries, `cut` resets every connection and refuses new ones, `silent` swallows everything and
 * says nothing, as a dead radio link does.
 */
export type LinkState = 'up' | 'cut' | 'silent'

/** A TCP link between a node and the cloud that can be cut and restored. Its own port stays the same all along. */
export class UplinkLink {
  readonly #target: () => { readonly host: string; readonly port: number } | null
  readonly #server = net.createServer({ allowHalfOpen: true }, (near) => this.#accept(near))
  readonly #sockets = new Set<net.Socket>()
  #state: LinkState = 'up'

  /** `target` says where the cloud is now; null refuses. */
  constructor(target: () => { readonly host: string; readonly port: number } | null) {
    this.#target = target
  }

  get state(): LinkState {
    return this.#state
  }

  /** Port on the loopback that the node connects to. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (!this.#server.listening) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    await promise
  }

  /** Cut the link: reset what is open, refuse what comes. */
  cut(): void {
    this.#state = 'cut'
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Keep connections open and carry nothing more. */
  silence(): void {
    this.#state = 'silent'
    for (const socket of this.#sockets) {
      socket.unpipe()
      socket.pause()
    }
  }

  /** Carry again. What was swallowed is lost, so connections of a silent time are reset. */
  restore(): void {
    if (this.#state === 'silent') for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#state = 'up'
  }

  #accept(near: net.Socket): void {
    const target = this.#target()
    if (this.#state === 'cut' || target === null) {
      near.on('error', () => undefined)
      near.resetAndDestroy()
      return
    }
    this.#keep(near)
    if (this.#state === 'silent') {
      near.pause()
      return
    }
    const far = net.connect({ ...target, allowHalfOpen: true })
    this.#keep(far)
    near.pipe(far)
    far.pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
  }
}
