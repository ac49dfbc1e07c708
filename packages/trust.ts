import { readFile } from 'node:fs/promises'
import { type PackageSigner, readPackageSigners } from '../identity/package-signature.ts'
import { EdgeError, messageOf } from '../protocol/errors.ts'

const MAX_KEYS = 64
const MAX_FILE_CHARS = 64 * 1024
/** How the DER (SPKI) of every Ed25519 public key begins, in base64: no path begins so by accident. */
const DER_OF_ED25519 = 'MCowBQYDK2VwAyEA'

/**
 * Public keys as people name them: each entry is a PEM file of public keys, or one public key in base64.
 * @param what names the list in messages
 * @throws EdgeError of that code, with the entry that is no key.
 */
export async function readTrust(
  entries: readonly string[],
  { what, code }: { readonly what: string; readonly code: 'CONFIG_UNSERVABLE' | 'USAGE' },
): Promise<readonly PackageSigner[]> {
  const refused = (why: string, cause?: unknown): EdgeError =>
    new EdgeError(code, {
      message: `${what}: ${why}`,
      next: ['name the file NAME.pub that `edgedeck model keys new NAME` wrote, or the key that it printed'],
      cause,
    })
  const found = new Map<string, PackageSigner>()
  for (const entry of entries) {
    let text = entry
    try {
      if (!entry.startsWith(DER_OF_ED25519)) text = await readKeyFile(entry)
    } catch (error) {
      throw refused(`${entry} cannot be read: ${messageOf(error)}`, error)
    }
    const signers = readPackageSigners(text)
    if (signers === null) throw refused(`${JSON.stringify(entry.slice(0, 200))} holds no Ed25519 public keys`)
    for (const signer of signers) found.set(signer.id, signer)
  }
  if (found.size > MAX_KEYS) throw refused(`it names ${found.size} keys, and at most ${MAX_KEYS} are taken`)
  return [...found.values()]
}

async function readKeyFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8')
  if (text.length > MAX_FILE_CHARS) throw new RangeError('it is too large for a file of keys')
  return text
}
