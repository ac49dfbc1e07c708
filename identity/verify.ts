import { X509Certificate } from 'node:crypto'
import { type Extensions, readExtensions } from './extensions.ts'
import { fingerprintOf } from './fingerprint.ts'
import { type Named, readUri } from './names.ts'

/** Whom to believe: roots of one fleet, and what was taken back. */
export interface Trust {
  readonly roots: readonly X509Certificate[]
  /** Name of the fleet; certificates of another one under the same root are refused. */
  readonly fleet: string
  /** Issuing certificates that count no more, by {@link fingerprintOf}. */
  readonly distrusted?: readonly string[]
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

/** Why something is refused; `msg` is a sentence for an operator. */
export interface Refused {
  readonly ok: false
  readonly why: Distrust
  readonly msg: string
}

/** Whom a chain stands for, or why it is not believed. */
export type Verdict = { readonly ok: true; readonly named: Named; readonly leaf: X509Certificate } | Refused

/** What a certificate is shown for: extended key usages of RFC 5280 section 4.2.1.12. */
const USAGES = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' } as const
const MAX_CHAIN = 4
const MAX_POOL = 16
/** Signatures that are checked for one chain, whatever a peer sends. */
const MAX_SIGNATURES = 24

/**
 * Whether a chain (leaf first, then issuers in any order) leads to one of the roots, is valid at `nowMs`, is for this use
 * and names somebody of the fleet. Time is an argument because a node's own clock may be wrong (requirement S1). Checks
 * what RFC 5280 section 6 asks of such short chains: signatures, names, CA flags and their path lengths, validity, usage,
 * and that no critical extension is unknown. Of several paths one that is good is enough.
 */
export function verifyChain(
  chain: readonly X509Certificate[],
  { trust, nowMs, use }: { readonly trust: Trust; readonly nowMs: number; readonly use: keyof typeof USAGES },
): Verdict {
  const [leaf] = chain
  if (leaf === undefined) return refuse('untrusted', 'no certificate was shown')
  const refused = verifyPath(chain, { trust, nowMs, firstIs: 'holder' })
  if (refused !== null) return refused
  const usage = readExtensions(leaf)?.keyUsage ?? null
  if (leaf.ca || !(leaf.keyUsage ?? []).includes(USAGES[use]) || usage?.signs === false) {
    return refuse('misused', `the certificate is not for a ${use}`)
  }
  const named = namedBy(leaf)
  if (named === null) return refuse('misused', 'the certificate names nobody')
  if (named.fleet !== trust.fleet) return refuse('untrusted', `the certificate is from the fleet ${named.fleet}`)
  const reason = trust.revoked(leaf, named)
  return reason === null ? { ok: true, named, leaf } : refuse('revoked', reason)
}

/**
 * Whether the first certificate of a chain is an authority below one of the roots and was valid at `nowMs`, so that what
 * it signed for the fleet counts; null when it is.
 */
export function verifyIssuer(
  chain: readonly X509Certificate[],
  { trust, nowMs }: { readonly trust: Omit<Trust, 'revoked'>; readonly nowMs: number },
): Refused | null {
  const [issuer] = chain
  if (issuer === undefined) return refuse('untrusted', 'no certificate was shown')
  const extensions = readExtensions(issuer)
  if (extensions === null || !isAuthority(extensions)) return refuse('misused', 'the certificate is no authority')
  return verifyPath(chain, { trust, nowMs, firstIs: 'authority' })
}

/** Whom a certificate names by its one URI of ours; null when it names nobody or several. Says nothing of trust. */
export function namedBy(leaf: X509Certificate): Named | null {
  const uris = readExtensions(leaf)?.uris ?? []
  const [uri] = uris
  return uri === undefined || uris.length > 1 ? null : readUri(uri)
}

/** Certificates in a PEM text, in order. @throws Error when one of them is damaged. */
export function readPem(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

interface PathQuestion {
  readonly trust: Omit<Trust, 'revoked'>
  readonly nowMs: number
  /** What the first certificate of the chain is shown for: its holder's name, or what it signed. */
  readonly firstIs: 'holder' | 'authority'
}

/** Null when one of the paths to a root is good; else why the first of them is not. */
function verifyPath(
  [leaf, ...others]: readonly X509Certificate[],
  { trust, nowMs, firstIs }: PathQuestion,
): Refused | null {
  if (leaf === undefined) return refuse('untrusted', 'no certificate was shown')
  const pool = [...trust.roots, ...others].slice(0, MAX_POOL)
  let first: Refused | null = null
  for (const path of pathsOf(leaf, pool, trust.roots)) {
    const refused = faultOf(path, { trust, nowMs, firstIs })
    if (refused === null) return null
    first ??= refused
  }
  return first ?? refuse('untrusted', 'the certificate is not from this fleet')
}

/** Every way from the leaf to a root. */
function* pathsOf(
  leaf: X509Certificate,
  pool: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): Generator<readonly X509Certificate[]> {
  let signatures = 0
  const waiting: (readonly X509Certificate[])[] = [[leaf]]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const current = path.at(-1)
    if (current === undefined) continue
    if (path.length > 1 && roots.some((root) => root.raw.equals(current.raw))) {
      yield path
      continue
    }
    if (path.length >= MAX_CHAIN) continue
    for (const candidate of pool.toReversed()) {
      if (path.some((held) => held.raw.equals(candidate.raw)) || !candidate.ca || !current.checkIssued(candidate))
        continue
      signatures += 1
      if (signatures > MAX_SIGNATURES) return
      if (current.verify(candidate.publicKey)) waiting.push([...path, candidate])
    }
  }
}

/** The first thing that is wrong with a path whose signatures are right; null when nothing is. */
function faultOf(path: readonly X509Certificate[], { trust, nowMs, firstIs }: PathQuestion): Refused | null {
  for (const [at, certificate] of path.entries()) {
    const extensions = readExtensions(certificate)
    if (extensions === null) return refuse('untrusted', 'the certificate is damaged')
    if (extensions.strange.length > 0)
      return refuse('untrusted', 'the certificate asks for more than is understood here')
    const isBelow = at > 0
    if (isBelow && !isAuthority(extensions))
      return refuse('untrusted', 'the certificate was signed by one that may not sign')
    // Authorities below this one: a holder at the end is not counted (RFC 5280 section 4.2.1.9), one that signs is.
    const authorities = firstIs === 'authority' ? at : at - 1
    if (isBelow && extensions.pathLength !== null && authorities > extensions.pathLength) {
      return refuse('untrusted', 'the certificate is further from its root than that allows')
    }
    if (trust.distrusted?.includes(fingerprintOf(certificate)) === true) {
      return refuse('revoked', 'the certificate was issued by one that counts no more')
    }
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
  return null
}

function isAuthority({ isAuthority: may, keyUsage }: Extensions): boolean {
  return may && keyUsage?.signsCertificates !== false
}

function refuse(why: Distrust, msg: string): Refused {
  return { ok: false, why, msg }
}

function iso(time: Date | number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z')
}
