import { decodeToken, encodeToken } from './subjects.ts'

/**
 * Subjects by which a node is reached and heard through the bus, none of them held by a stream. `rpc` takes requests to
 * open a tunnel; the bytes of one go to the node on `rpc.in.<session>` and come from it on `rpc.out.<who>.<session>`,
 * so that the permissions of the bus let each operator hear what is meant for them and nobody else.
 */
export interface Origin {
  readonly site: string
  readonly node: string
}

/** 128 random bits in base64url, which is also a subject token: who does not know it cannot speak in a tunnel. */
export const SESSION_TOKEN = /^[A-Za-z0-9_-]{22}$/

/** Whoever speaks here asks every node for a heartbeat at once; nothing in the message counts. */
export const ROLL_CALL_SUBJECT = 'edge.rollcall'

const headOf = ({ site, node }: Origin): string => `edge.${encodeToken(site)}.${encodeToken(node)}`

/** Where a node hears that somebody wants a tunnel. */
export function rpcSubject(origin: Origin): string {
  return `${headOf(origin)}.rpc`
}

/** Bytes to the node. */
export function tunnelInSubject(origin: Origin, session: string): string {
  return `${headOf(origin)}.rpc.in.${session}`
}

/** Bytes from the node to whoever opened the tunnel; `who` is their name on the bus, a token already. */
export function tunnelOutSubject(origin: Origin, who: string, session: string): string {
  return `${headOf(origin)}.rpc.out.${who}.${session}`
}

/** Where a node's heartbeats are; without names those of every site or of every node of a site. */
export function statusSubject(site: string | null, node: string | null): string {
  return `edge.${site === null ? '*' : encodeToken(site)}.${node === null ? '*' : encodeToken(node)}.status`
}

/** Whose heartbeat is on a subject; null for another one. Names come from here, never from what a node says. */
export function readStatusSubject(subject: string): Origin | null {
  const [edge, siteToken = '', nodeToken = '', tail, ...more] = subject.split('.')
  const site = decodeToken(siteToken)
  const node = decodeToken(nodeToken)
  if (edge !== 'edge' || tail !== 'status' || more.length > 0 || site === null || node === null) return null
  return { site, node }
}
