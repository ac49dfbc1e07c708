import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'

/** Certificates that are looked at of a peer, however many it sends. */
const MAX_CHAIN = 4

/**
 * What the other end of a finished handshake showed, leaf first; nothing for whoever showed nothing. Node gives away what
 * stands above the leaf only to the first who asks (nodejs/node#65579).
 */
export function shownChain(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = []
  let next = socket.getPeerX509Certificate()
  while (next !== undefined && chain.length < MAX_CHAIN) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}
