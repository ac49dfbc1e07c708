import type { X509Certificate } from 'node:crypto'
import type { ClientOptions } from 'ws'
import type { IdentitySource } from '../identity/identity-source.ts'
import type { OperatorIdentity } from '../identity/operator-identity.ts'
import { type CertifiedNode, clientTls, type WantedNode } from './client-tls.ts'

/** How one connection to a node is made, and who is at its ends. */
export interface Dial {
  readonly url: string
  /** Options of the WebSocket that make it so; limits and timeouts are the connection's. */
  readonly socket: ClientOptions
  /** As whom this console speaks, and who signs what goes over it; null on a plain link. */
  readonly identity: OperatorIdentity | null
  /** Whom the node's certificate names; null before the handshake and on a plain link. */
  certified(): CertifiedNode | null
  /** That the node's certificate counts no more since the session stands, as a sentence; null while it does. Cheap while nothing is known anew. */
  revoked(): string | null
}

/** Straight to the node's control listener; a sentence when nobody can be let in there now. */
export function dialDirect(
  node: WantedNode & { readonly url: string },
  { identity: source, now }: { readonly identity: IdentitySource; readonly now: () => number },
): Dial | string {
  if (!node.url.startsWith('wss:'))
    return { url: node.url, socket: {}, identity: null, certified: () => null, revoked: () => null }
  return dialSecurely(node, { identity: source, now })
}

/**
 * By mutual TLS, whatever carries it: `socket` may add a `createConnection` that takes these options over another stream
 * than TCP. A sentence when the operator has no certificate that counts.
 */
export function dialSecurely(
  node: WantedNode & { readonly url: string },
  { identity: source, now }: { readonly identity: IdentitySource; readonly now: () => number },
): Dial | string {
  const state = source.current()
  if (state.kind === 'none') return state.reason
  const { identity } = state
  if (identity.untilMs <= now())
    return `your certificate ended ${agoOf(now() - identity.untilMs)} ago: run edgedeck login`
  let known: CertifiedNode | null = null
  let shown: readonly X509Certificate[] = []
  const onKnown = (certified: CertifiedNode, chain: readonly X509Certificate[]): void => {
    known = certified
    shown = chain
  }
  let judgedBy = identity
  const revoked = (): string | null => {
    const latest = source.current()
    if (latest.kind === 'none' || latest.identity === judgedBy || shown.length === 0) return null
    judgedBy = latest.identity
    const verdict = judgedBy.judgeServer(shown, now())
    // What else may be wrong, such as a clock that was set, is found at the next connection.
    return verdict.ok || verdict.why !== 'revoked' ? null : `its certificate does not count: ${verdict.msg}`
  }
  // The types of ws are wrong about `checkServerIdentity`: it is handed on to TLS as it is.
  const socket = clientTls(identity, node, { now, onKnown }) as unknown as ClientOptions
  return { url: node.url, socket, identity, certified: () => known, revoked }
}

function agoOf(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / 60_000))
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}
