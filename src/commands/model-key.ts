import type { KeyObject } from 'node:crypto'
import { existsSync } from 'node:fs'
import { pemOfKey } from '../../identity/keys.ts'
import {
  newPackageKey,
  packageKeyId,
  packageKeyPem,
  packageKeyText,
  readPackageKey,
} from '../../identity/package-signature.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { readText, replaceFile } from '../pki/durable-file.ts'
import { newPassphrase, type PassphraseSource, passphraseOf } from '../pki/passphrase.ts'
import { openSealedKey, sealKey } from '../pki/sealed-key.ts'

/** @see makeSigningKey */
export interface MadeKey {
  readonly keyFile: string
  readonly publicFile: string
  /** @see packageKeyId */
  readonly id: string
  /** The public key as one word. */
  readonly word: string
}

/**
 * Make a key pair that signs packages: `NAME.key`, for its owner alone and sealed by a passphrase unless that is null, and
 * `NAME.pub` for `models.trust`.
 * @throws EdgeError `OUTPUT_REFUSED` when one of them is there, those of `newPassphrase`
 */
export async function makeSigningKey(name: string, passphrase: PassphraseSource | null): Promise<MadeKey> {
  const [keyFile, publicFile] = [`${name}.key`, `${name}.pub`]
  for (const path of [keyFile, publicFile]) {
    if (!existsSync(path)) continue
    throw new EdgeError('OUTPUT_REFUSED', {
      message: `${path} is there already, and a key that is written over signs nothing any more`,
      next: ['take another name'],
    })
  }
  const key = newPackageKey()
  const text =
    passphrase === null
      ? pemOfKey(key)
      : sealKey(key, `packages, ${name}`.slice(0, 200), await newPassphrase(passphrase, keyFile))
  replaceFile(keyFile, text, 0o600)
  replaceFile(publicFile, packageKeyPem(key), 0o644)
  return { keyFile, publicFile, id: packageKeyId(key), word: packageKeyText(key) }
}

/**
 * The private key of a file that {@link makeSigningKey} wrote, or of an Ed25519 key in PKCS #8 PEM.
 * @throws EdgeError `PKI_UNUSABLE` when it is missing, open to others or no such key; `PASSPHRASE_WRONG`
 */
export async function openSigningKey(path: string, passphrase: PassphraseSource): Promise<KeyObject> {
  const text = readText(path, { secret: true })
  if (text === null) {
    throw new EdgeError('PKI_UNUSABLE', {
      message: `${path} is not there`,
      next: ['name the file NAME.key that `edgedeck model keys new NAME` wrote'],
    })
  }
  if (text.trimStart().startsWith('{')) {
    return openSealedKey(text, await passphraseOf(passphrase, path), path, readPackageKey)
  }
  const key = readPackageKey(text)
  if (key !== null) return key
  throw new EdgeError('PKI_UNUSABLE', {
    message: `${path} holds no Ed25519 private key`,
    next: ['name the file NAME.key that `edgedeck model keys new NAME` wrote, not NAME.pub'],
  })
}
