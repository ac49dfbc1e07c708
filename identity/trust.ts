import type { X509Certificate } from 'node:crypto'
import { type DenyList, revokedBy } from './deny-list.ts'
import type { TrustBundle } from './trust-bundle.ts'
import type { Trust } from './verify.ts'

/** What a verified trust bundle and the deny list of its fleet (null = none yet) say of whom to believe. */
export function trustOf(
  { bundle, roots }: { readonly bundle: TrustBundle; readonly roots: readonly X509Certificate[] },
  denied: DenyList | null,
): Trust {
  const distrusted = bundle.distrusted.map(({ issuing }) => issuing)
  return { roots, fleet: bundle.fleet, distrusted, revoked: revokedBy(denied) }
}
