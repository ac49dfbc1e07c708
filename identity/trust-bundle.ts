import type { KeyObject, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../protocol/canonical-json.ts'
import { FINGERPRINT, fingerprintOf } from './fingerprint.ts'
import { FLEET_NAME } from './names.ts'
import { isSignedBy, signText } from './signing.ts'
import { readPem } from './verify.ts'

/**
 * The roots of a fleet, signed by a root that is trusted already. Whoever holds an older one takes a newer one only so; the
 * first one is believed by a pin. While roots are changed both stand in it, and both sign it (requirement S1).
 */
export const trustBundleSchema = z.strictObject({
  v: z.literal(1),
  fleet: z.string().regex(FLEET_NAME),
  /** Rises with every change. */
  version: z.int().positive(),
  roots: z.array(z.string().max(8192)).min(1).max(4),
  /** Issuing certificates that count no more, by {@link fingerprintOf}. */
  distrusted: z.array(z.strictObject({ issuing: z.string().regex(FINGERPRINT), why: z.string().max(200) })).max(16),
  /** By whom, as {@link fingerprintOf} of the root, over {@link trustText}. */
  signatures: z
    .array(z.strictObject({ root: z.string().regex(FINGERPRINT), signature: z.base64().max(1024) }))
    .min(1)
    .max(4),
})
/** @see trustBundleSchema */
export type TrustBundle = z.infer<typeof trustBundleSchema>
/** A bundle that is not signed yet. */
export type TrustBundleBody = Omit<TrustBundle, 'signatures'>

/** A bundle with its roots read, or why it is not taken; `msg` is a sentence for an operator. */
export type TrustRead =
  | { readonly ok: true; readonly bundle: TrustBundle; readonly roots: readonly X509Certificate[] }
  | { readonly ok: false; readonly why: 'damaged' | 'other_fleet' | 'untrusted' | 'older'; readonly msg: string }

/** A root and its private key. */
export interface RootSigner {
  readonly root: X509Certificate
  readonly key: KeyObject
}

/** The text that the signatures are over. */
export function trustText({ v, fleet, version, roots, distrusted }: TrustBundleBody): string {
  return `edgedeck trust v1\n${canonicalJson({ v, fleet, version, roots, distrusted })}`
}

/** Sign a bundle by one root or, while they are changed, by several. */
export function signTrustBundle(body: TrustBundleBody, signers: readonly RootSigner[]): TrustBundle {
  const text = trustText(body)
  const signatures = signers.map(({ root, key }) => ({ root: fingerprintOf(root), signature: signText(text, key) }))
  return { ...body, signatures }
}

/**
 * Whether a bundle may take the place of what is held. `trusted` are the roots believed so far, `held` the bundle they
 * come from (null at the first one). Taking the same bundle again is fine, going back to an older one is not.
 */
export function verifyTrustBundle(
  value: unknown,
  {
    fleet,
    trusted,
    held,
  }: { readonly fleet: string; readonly trusted: readonly X509Certificate[]; readonly held: TrustBundle | null },
): TrustRead {
  const read = open(value)
  if (!read.ok) return read
  const { bundle } = read
  if (bundle.fleet !== fleet)
    return refuse('other_fleet', `the trust bundle is of the fleet ${bundle.fleet}, not ${fleet}`)
  const text = trustText(bundle)
  const isSigned = bundle.signatures.some(({ root, signature }) => {
    const signer = trusted.find((candidate) => fingerprintOf(candidate) === root)
    return signer?.ca === true && isSignedBy(text, signature, signer.publicKey)
  })
  if (!isSigned) return refuse('untrusted', 'the trust bundle is not signed by a root that is trusted already')
  if (held === null || bundle.version > held.version) return read
  const isSame = bundle.version === held.version && text === trustText(held)
  return isSame
    ? read
    : refuse('older', `the trust bundle is of version ${bundle.version}, and ${held.version} is held`)
}

/**
 * Read the first bundle of a fleet: it must hold the root with this pin ({@link fingerprintOf}) and be signed by it.
 */
export function verifyPinnedBundle(
  value: unknown,
  { fleet, pin }: { readonly fleet: string; readonly pin: string },
): TrustRead {
  const read = open(value)
  if (!read.ok) return read
  const pinned = read.roots.filter((root) => fingerprintOf(root) === pin)
  if (pinned.length === 0) return refuse('untrusted', 'the trust bundle does not hold the pinned root')
  return verifyTrustBundle(read.bundle, { fleet, trusted: pinned, held: null })
}

/** Read the bundle that is held, in a file of one's own: it was verified when it was taken and only has to be whole. */
export function readHeldBundle(value: unknown): TrustRead {
  return open(value)
}

function open(value: unknown): TrustRead {
  const parsed = trustBundleSchema.safeParse(value)
  if (!parsed.success) return refuse('damaged', 'the trust bundle is damaged or of a later version of edgedeck')
  try {
    const roots = parsed.data.roots.map((pem) => readPem(pem))
    if (roots.every((one) => one.length === 1)) return { ok: true, bundle: parsed.data, roots: roots.flat() }
  } catch {
    // Told below.
  }
  return refuse('damaged', 'a root in the trust bundle is damaged')
}

function refuse(why: Exclude<TrustRead, { ok: true }>['why'], msg: string): TrustRead {
  return { ok: false, why, msg }
}
