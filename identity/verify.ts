import { X509Certificate } from 'node:crypto'
import { type Named, readUri } from './names.ts'

/** Whom to believe: roots of one fleet, and what was taken back. */
export interface Trust {
  readonly roots: readonly X509Certificate[]
  /** Name of the fleet; certificates of another one under the same root are refused. */
  readonly fleet: string
  /** Why a certificate counts no more; null when it does. */
  readonly revoked: (leaf: X509Certificate, named: Named) => string | null
}

/** Why a certificate is not taken. */
export type Distrust =
  | 'untrusted'
  /** Its time is over by the clock that was asked. */
  | 'expired'
  | 'not_yet_valid'
  /** It names nobody, or is not for this use. */
  | 'misused'
  | 'revoked'

/** Whom a chain stands for, or why it is not believed; `msg` is a sentence for an operator. */
export type Verdict =
  | { readonly ok: true; readonly named: Named; readonly leaf: X509Certificate }
  | { readonly ok: false; readonly why: Distrust; readonly msg: string }

/** What a certificate is shown for: extended key usages of RFC 5280 section 4.2.1.12. */
const USAGES = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' } as const
const MAX_CHAIN = 4

/**
 * Whether a chain (leaf first, then issuers in any order) leads to one of the roots, is valid at `nowMs`, is for this use
 * and names somebody of the fleet. Time is an argument because a node's own clock may be wrong (requirement S1). Checks
 * what RFC 5280 section 6 asks of such short chains: signatures, names, CA flags, validity, usage.
 */
export function verifyChain(
  chain: readonly X509Certificate[],
  { trust, nowMs, use }: { readonly trust: Trust; readonly nowMs: number; readonly use: keyof typeof USAGES },
): Verdict {
  const [leaf, ...others] = chain
  if (leaf === undefined) return refuse('untrusted', 'no certificate was shown')
  const path = pathOf(leaf, [...trust.roots, ...others].slice(0, 16), trust.roots)
  if (path === null) return refuse('untrusted', 'the certificate is not from this fleet')
  for (const certificate of path) {
    const { validFromDate, validToDate } = certificate
    if (nowMs < validFromDate.getTime()) {
      return refuse(
        'not_yet_valid',
        `the certificate is valid from ${iso(validFromDate)}, and it is ${iso(nowMs)} here`,
      )
    }
    if (nowMs > validToDate.getTime()) {
      return refuse('expired', `the certificate ended at ${iso(validToDate)}, and it is ${iso(nowMs)} here`)
    }
  }
  if (leaf.ca || !(leaf.keyUsage ?? []).includes(USAGES[use])) {
    return refuse('misused', `the certificate is not for a ${use}`)
  }
  const named = namedBy(leaf)
  if (named === null) return refuse('misused', 'the certificate names nobody')
  if (named.fleet !== trust.fleet) return refuse('untrusted', `the certificate is from the fleet ${named.fleet}`)
  const reason = trust.revoked(leaf, named)
  return reason === null ? { ok: true, named, leaf } : refuse('revoked', reason)
}

/** Whom a certificate names by its one URI of ours; null when it names nobody or several. Says nothing of trust. */
export function namedBy(leaf: X509Certificate): Named | null {
  const uris = (leaf.subjectAltName ?? '')
    .split(', ')
    .filter((entry) => entry.startsWith('URI:'))
    .map((entry) => entry.slice('URI:'.length))
  const [uri] = uris
  return uri === undefined || uris.length > 1 ? null : readUri(uri)
}

/** Certificates in a PEM text, in order. @throws Error when one of them is damaged. */
export function readPem(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

/** From the leaf to a root; null when there is no such path. */
function pathOf(
  leaf: X509Certificate,
  pool: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): X509Certificate[] | null {
  const path = [leaf]
  for (let current = leaf; path.length <= MAX_CHAIN; ) {
    if (path.length > 1 && roots.some((root) => root.raw.equals(current.raw))) return path
    const issuer = pool.find((candidate) => !path.includes(candidate) && isIssuer(candidate, current))
    if (issuer === undefined) return null
    path.push(issuer)
    current = issuer
  }
  return null
}

function isIssuer(candidate: X509Certificate, of: X509Certificate): boolean {
  return candidate.ca && of.checkIssued(candidate) && of.verify(candidate.publicKey)
}

function refuse(why: Distrust, msg: string): Verdict {
  return { ok: false, why, msg }
}

function iso(time: Date | number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z')
}
