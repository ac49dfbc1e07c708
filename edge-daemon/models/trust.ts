import { readFile } from 'node:fs/promises'
import { type PackageSigner, readPackageSigners } from '../../identity/package-signature.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

const MAX_KEYS = 64
/** How the DER (SPKI) of every Ed25519 public key begins, in base64: no path begins so by accident. */
const DER_OF_ED25519 = 'MCowBQYDK2VwAyEA'

/**
 * The keys of `models.trust`: each entry is a PEM file of public keys, or one public key in base64. An empty list means
 * that this node takes no packages from elsewhere.
 * @throws EdgeError `CONFIG_UNSERVABLE` with the entry that is no key.
 */
export async function readPackageTrust(entries: readonly string[]): Promise<readonly PackageSigner[]> {
  const found = new Map<string, PackageSigner>()
  for (const entry of entries) {
    const text = entry.startsWith(DER_OF_ED25519) ? entry : await readKeyFile(entry)
    const signers = readPackageSigners(text)
    if (signers === null)
      throw unservable(`models.trust: ${JSON.stringify(entry.slice(0, 200))} holds no Ed25519 public keys`)
    for (const signer of signers) found.set(signer.id, signer)
  }
  if (found.size > MAX_KEYS)
    throw unservable(`models.trust names ${found.size} keys, and at most ${MAX_KEYS} are taken`)
  return [...found.values()]
}

async function readKeyFile(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8')
    if (text.length <= 64 * 1024) return text
    throw new RangeError('it is too large for a file of keys')
  } catch (error) {
    throw unservable(`models.trust: ${path} cannot be read: ${messageOf(error)}`, error)
  }
}

function unservable(message: string, cause?: unknown): EdgeError {
  return new EdgeError('CONFIG_UNSERVABLE', {
    message,
    next: ['name the file NAME.pub that `edgedeck model keys new NAME` wrote, or the key that it printed'],
    cause,
  })
}
