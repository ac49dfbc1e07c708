import { digestOfStatement, type PackageSigner, signersOf } from '../../identity/package-signature.ts'
import type { Item } from '../../protocol/change.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { parseSignedPackage, type SignedPackage } from '../../protocol/package.ts'

/**
 * Read `package.sig` as it came from outside, before anything that it names is fetched or opened.
 * @throws EdgeError `PACKAGE_INVALID` when it is not the statement of this item, `PACKAGE_UNTRUSTED` when none of the keys
 * that are trusted signed it
 */
export function readStatement(bytes: Uint8Array, item: Item, trusted: readonly PackageSigner[]): SignedPackage {
  const signed = parseSignedPackage(Buffer.from(bytes).toString(), `the statement of ${nameOf(item)}`)
  const { kind, name, version, files } = signed.statement
  if (digestOfStatement(signed.statement) !== item.digest) {
    throw invalid(`the statement that came for ${nameOf(item)} has another digest`)
  }
  if (kind !== item.kind || name !== item.name || version !== item.version) {
    throw invalid(`the package with the digest of ${nameOf(item)} is ${kind} ${name}@${version}`)
  }
  const sizes = new Map(files.map(({ sha256, bytes: size }) => [sha256, size]))
  if (files.some(({ sha256, bytes: size }) => sizes.get(sha256) !== size)) {
    throw invalid(`the statement of ${nameOf(item)} gives one content two sizes`)
  }
  if (signersOf(signed, trusted).length > 0) return signed
  throw new EdgeError('PACKAGE_UNTRUSTED', {
    message:
      trusted.length === 0
        ? `this node trusts no key for packages, so it does not take ${nameOf(item)}`
        : `${nameOf(item)} is signed by none of the ${trusted.length} keys that this node trusts`,
    next: ['sign it with edgedeck model sign, and name the public key in models.trust of the node'],
  })
}

function nameOf({ kind, name, version }: Item): string {
  return `${kind} ${name}@${version}`
}

function invalid(message: string): EdgeError {
  return new EdgeError('PACKAGE_INVALID', { message, next: ['push the package again from where it was made'] })
}
