import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { type SignedPackage, type Statement, statementText } from '../protocol/package.ts'
import { publicOf } from './keys.ts'

/** A public key whose packages are taken. */
export interface PackageSigner {
  /** @see packageKeyId */
  readonly id: string
  readonly key: KeyObject
}

/** A fresh private key (Ed25519) that signs packages. */
export function newPackageKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey
}

/** A private key in PKCS #8 PEM; null for what is no Ed25519 key, or is sealed and this is not its passphrase. */
export function readPackageKey(pem: string, passphrase?: string): KeyObject | null {
  try {
    const key = createPrivateKey({ key: pem, format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) })
    return key.asymmetricKeyType === 'ed25519' ? key : null
  } catch {
    return null
  }
}

/** How `package.sig` names a key: SHA-256 over the DER (SPKI) of its public half, hex. */
export function packageKeyId(key: KeyObject): string {
  return createHash('sha256').update(derOf(key)).digest('hex')
}

/** The public half as one word: its DER (SPKI) in base64. */
export function packageKeyText(key: KeyObject): string {
  return derOf(key).toString('base64')
}

/** The public half as PEM. */
export function packageKeyPem(key: KeyObject): string {
  return publicOf(key).export({ type: 'spki', format: 'pem' }).toString()
}

/** The public keys of a text: PEM, one after the other, or one in base64 of its DER; null when it holds anything else. */
export function readPackageSigners(text: string): readonly PackageSigner[] | null {
  const blocks = text.match(/-----BEGIN [A-Z ]+-----[^-]*-----END [A-Z ]+-----/g)
  if (blocks === null) {
    const word = text.trim()
    if (!/^[A-Za-z0-9+/]{40,100}={0,2}$/.test(word)) return null
    const one = signer(() => createPublicKey({ key: Buffer.from(word, 'base64'), format: 'der', type: 'spki' }))
    return one.length === 1 ? one : null
  }
  const found: PackageSigner[] = []
  for (const block of blocks) {
    // A private key has a public half too: it has no business in a list that is copied to every node.
    if (!block.startsWith('-----BEGIN PUBLIC KEY-----')) return null
    found.push(...signer(() => createPublicKey(block)))
  }
  return found.length === blocks.length ? found : null
}

function signer(read: () => KeyObject): PackageSigner[] {
  try {
    const key = read()
    return key.asymmetricKeyType === 'ed25519' ? [{ id: packageKeyId(key), key }] : []
  } catch {
    return []
  }
}

/** A package's digest: what it is asked for by. Two with the same digest hold the same files, byte for byte. */
export function digestOfStatement(statement: Statement): string {
  return createHash('sha256').update(statementText(statement)).digest('hex')
}

/** Sign a statement; a signature of the same key that was there is replaced. */
export function signPackage({ statement, signatures }: SignedPackage, key: KeyObject): SignedPackage {
  const id = packageKeyId(key)
  const signature = sign(null, Buffer.from(statementText(statement)), key).toString('base64')
  return { statement, signatures: [...signatures.filter((other) => other.key !== id), { key: id, signature }] }
}

/** Ids of those of the given keys that truly signed this statement; of others a package tells, but nobody knows. */
export function signersOf({ statement, signatures }: SignedPackage, trusted: readonly PackageSigner[]): string[] {
  const text = Buffer.from(statementText(statement))
  return trusted
    .filter(({ id, key }) =>
      signatures.some((held) => held.key === id && verify(null, text, key, Buffer.from(held.signature, 'base64'))),
    )
    .map(({ id }) => id)
}

function derOf(key: KeyObject): Buffer {
  return publicOf(key).export({ type: 'spki', format: 'der' })
}
