import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { shownChain } from '../../identity/shown-chain.ts'

/** What the other ends of finished handshakes showed, remembered since it can be asked for only once. */
export class PeerChains {
  readonly #chains = new WeakMap<TLSSocket, readonly X509Certificate[]>()

  of(socket: TLSSocket): readonly X509Certificate[] {
    const known = this.#chains.get(socket)
    if (known !== undefined) return known
    const chain = shownChain(socket)
    this.#chains.set(socket, chain)
    return chain
  }
}
