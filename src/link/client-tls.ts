import { X509Certificate } from 'node:crypto'
import type { ConnectionOptions, PeerCertificate } from 'node:tls'
import type { OperatorIdentity } from '../identity/operator-identity.ts'

/** Which node an operator means: its name, and its site where the inventory says it. */
export interface WantedNode {
  readonly key: string
  readonly site?: string
}

/** Who a node is by its certificate. */
export interface CertifiedNode {
  readonly name: string
  readonly site: string
}

/** A server that is not the node that was meant; its message is a sentence for an operator. */
export class WrongNodeError extends Error {}

const MAX_CHAIN = 4

/**
 * TLS 1.3 as an operator to one node (requirement S2): roots are pinned, and the node is known by the name in its
 * certificate, never by the host name that it is reached under. `onKnown` is told who it is, and what it showed, before anything is sent.
 */
export function clientTls(
  identity: OperatorIdentity,
  wanted: WantedNode,
  {
    now,
    onKnown,
  }: { readonly now: () => number; readonly onKnown: (node: CertifiedNode, chain: readonly X509Certificate[]) => void },
): ConnectionOptions {
  return {
    ...identity.tls,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    checkServerIdentity: (_host, peer) => {
      const chain = chainOf(peer)
      const verdict = identity.judgeServer(chain, now())
      if (!verdict.ok) return new WrongNodeError(`its certificate does not count: ${verdict.msg}`)
      const { named } = verdict
      if (named.kind !== 'node') return new WrongNodeError(`a ${named.kind} answers there, and no node`)
      if (named.node !== wanted.key || (wanted.site !== undefined && named.site !== wanted.site)) {
        return new WrongNodeError(`it is ${named.site}/${named.node} by its certificate, not ${titleOf(wanted)}`)
      }
      onKnown({ name: named.node, site: named.site }, chain)
      return undefined
    },
  }
}

/** A slash in a name is part of the name, which looks like a site in front of it. */
function titleOf({ key, site }: WantedNode): string {
  if (site !== undefined) return `${site}/${key}`
  return key.includes('/') ? `a node whose name is "${key}": write its name alone, and its site as "site"` : key
}

function chainOf(peer: PeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = []
  for (let next: PeerCertificate | undefined = peer; next?.raw !== undefined && chain.length < MAX_CHAIN; ) {
    chain.push(new X509Certificate(next.raw))
    // The issuer of a root is the root itself.
    const issuer: PeerCertificate | undefined =
      'issuerCertificate' in next ? (next.issuerCertificate as PeerCertificate) : undefined
    next = issuer === next ? undefined : issuer
  }
  return chain
}
