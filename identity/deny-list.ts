import { type KeyObject, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { unixMs } from '../protocol/bounds.ts'
import { canonicalJson } from '../protocol/canonical-json.ts'
import { FLEET_NAME, type Named, pathOf } from './names.ts'
import { isSignedBy, signText } from './signing.ts'
import { type Trust, verifyIssuer } from './verify.ts'

const why = z.string().max(200)

/**
 * What counts no more though its time is not over (requirement S3). Signed by the issuing certificate; `version` rises with
 * every change of what is denied, and the same version is signed again with a later `issuedAt` so that its age can be told.
 */
export const denyListSchema = z.strictObject({
  v: z.literal(1),
  fleet: z.string().regex(FLEET_NAME),
  version: z.int().nonnegative(),
  /** Unix ms. */
  issuedAt: unixMs,
  /** Single certificates: serial number in upper-case hex as Node shows it; from `until` (Unix ms) on the entry may be dropped. */
  serials: z.array(z.strictObject({ serial: z.string().regex(/^[0-9A-F]{1,64}$/), until: unixMs, why })).max(20_000),
  /** All certificates of a name, as `pathOf` writes it, that are valid from before a time (Unix ms). */
  names: z.array(z.strictObject({ name: z.string().min(1).max(2048), before: z.int().nonnegative(), why })).max(20_000),
  /** Over {@link denyText}, base64, by the first certificate of `chain`. */
  signature: z.base64().max(1024),
  /** The issuing certificate and, while roots are changed, what leads to another root; DER in base64. */
  chain: z.array(z.base64().max(8192)).min(1).max(4),
})
/** @see denyListSchema */
export type DenyList = z.infer<typeof denyListSchema>
/** A list that is not signed yet. */
export type DenyListBody = Omit<DenyList, 'signature' | 'chain'>

/** A list that counts, or why it does not; `msg` is a sentence for an operator. */
export type DenyRead =
  | { readonly ok: true; readonly list: DenyList }
  | { readonly ok: false; readonly why: 'damaged' | 'other_fleet' | 'untrusted' | 'older'; readonly msg: string }

/** The text that the signature is over. */
export function denyText({ v, fleet, version, issuedAt, serials, names }: DenyListBody): string {
  return `edgedeck deny v1\n${canonicalJson({ v, fleet, version, issuedAt, serials, names })}`
}

/** Sign a list with the key of the issuing certificate, the first of `chain`. */
export function signDenyList(
  body: DenyListBody,
  issuer: { readonly chain: readonly X509Certificate[]; readonly key: KeyObject },
): DenyList {
  const chain = issuer.chain.map(({ raw }) => raw.toString('base64'))
  return { ...body, signature: signText(denyText(body), issuer.key), chain }
}

/**
 * Whether a list may take the place of the held one (null = none yet). It must be signed by an issuing certificate of the
 * fleet that was valid when the list says it was issued. Neither `version` nor `issuedAt` goes back, and one version
 * denies one thing: so a stolen issuing key whose time is over cannot give rights back. A held list whose issuer counts no
 * more holds up no other: a taken controller may have written any version and any time into it.
 */
export function verifyDenyList(
  value: unknown,
  { trust, held }: { readonly trust: Omit<Trust, 'revoked'>; readonly held: DenyList | null },
): DenyRead {
  const parsed = denyListSchema.safeParse(value)
  if (!parsed.success) return refuse('damaged', 'the deny list is damaged or of a later version of edgedeck')
  const list = parsed.data
  if (list.fleet !== trust.fleet)
    return refuse('other_fleet', `the deny list is of the fleet ${list.fleet}, not ${trust.fleet}`)
  const chain = readChain(list.chain)
  const [issuer] = chain
  if (issuer === undefined) return refuse('damaged', 'the certificate of the deny list is damaged')
  const refused = verifyIssuer(chain, { trust, nowMs: list.issuedAt })
  if (refused !== null) return refuse('untrusted', `the deny list is not signed by this fleet: ${refused.msg}`)
  if (!isSignedBy(denyText(list), list.signature, issuer.publicKey)) {
    return refuse('untrusted', 'the signature of the deny list is wrong')
  }
  if (held === null || !isIssuerGood(held, trust)) return { ok: true, list }
  if (list.version < held.version || list.issuedAt < held.issuedAt) {
    return refuse('older', `the deny list is of version ${list.version}, and ${held.version} is held`)
  }
  if (list.version === held.version && saysElse(list, held)) {
    return refuse('older', `another deny list of version ${list.version} is held`)
  }
  return { ok: true, list }
}

/**
 * Read the list that is held, in a file of one's own: it was verified when it was taken and only has to be whole. Its issuer
 * may count no more since, and what was revoked stays so until there is another list.
 */
export function readHeldDenyList(value: unknown, fleet: string): DenyRead {
  const parsed = denyListSchema.safeParse(value)
  if (!parsed.success) return refuse('damaged', 'the deny list is damaged or of a later version of edgedeck')
  const list = parsed.data
  if (list.fleet !== fleet) return refuse('other_fleet', `the deny list is of the fleet ${list.fleet}, not ${fleet}`)
  const [issuer] = readChain(list.chain)
  const isWhole = issuer !== undefined && isSignedBy(denyText(list), list.signature, issuer.publicKey)
  return isWhole ? { ok: true, list } : refuse('damaged', 'the signature of the deny list is wrong')
}

/** Whether what signed a list still counts. */
export function isIssuerGood({ chain, issuedAt }: DenyList, trust: Omit<Trust, 'revoked'>): boolean {
  return verifyIssuer(readChain(chain), { trust, nowMs: issuedAt }) === null
}

/** What a list says of a certificate; null lists say nothing. Fits {@link Trust.revoked}. */
export function revokedBy(list: Pick<DenyListBody, 'serials' | 'names'> | null): Trust['revoked'] {
  const serials = new Map(list?.serials.map((entry) => [entry.serial, entry.why]))
  const names = new Map<string, { readonly before: number; readonly why: string }>()
  for (const { name, before, why: reason } of list?.names ?? []) {
    if (before > (names.get(name)?.before ?? -1)) names.set(name, { before, why: reason })
  }
  return (leaf: X509Certificate, named: Named): string | null => {
    const reason = serials.get(leaf.serialNumber)
    if (reason !== undefined) return `the certificate was revoked: ${reason}`
    const denied = names.get(pathOf(named))
    if (denied === undefined || leaf.validFromDate.getTime() >= denied.before) return null
    return `${pathOf(named)} was revoked: ${denied.why}`
  }
}

function saysElse(a: DenyList, b: DenyList): boolean {
  return denyText({ ...a, issuedAt: 0 }) !== denyText({ ...b, issuedAt: 0 })
}

function readChain(chain: readonly string[]): X509Certificate[] {
  try {
    return chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  } catch {
    return []
  }
}

function refuse(reason: Exclude<DenyRead, { ok: true }>['why'], msg: string): DenyRead {
  return { ok: false, why: reason, msg }
}
