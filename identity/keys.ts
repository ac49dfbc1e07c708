import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, type webcrypto } from 'node:crypto'

/** What every key of a fleet is: ECDSA over P-256, signing SHA-256. */
export const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
/** @see KEY_ALGORITHM */
export const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' } as const

/** A fresh private key. */
export function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: KEY_ALGORITHM.namedCurve }).privateKey
}

/** A private key as PKCS #8 in PEM, unencrypted. */
export function pemOfKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Inverse of {@link pemOfKey}; null when the text holds no such key of ours. */
export function readKey(pem: string): KeyObject | null {
  try {
    const key = createPrivateKey(pem)
    return isFleetKey(key) ? key : null
  } catch {
    return null
  }
}

/** Whether a key is of the one kind that a fleet uses. */
export function isFleetKey(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
}

/** Whether two public keys, or the public halves of private ones, are the same. */
export function isSameKey(a: KeyObject, b: KeyObject): boolean {
  return publicOf(a).equals(publicOf(b))
}

/** The public half of a private key; a public key as it is. */
export function publicOf(key: KeyObject): KeyObject {
  return key.type === 'private' ? createPublicKey(key) : key
}

/** A key as WebCrypto wants it: a private one to sign, a public one to verify. */
export function cryptoKeyOf(key: KeyObject): webcrypto.CryptoKey {
  return key.toCryptoKey(KEY_ALGORITHM, true, key.type === 'private' ? ['sign'] : ['verify'])
}

/** A key pair as WebCrypto wants it. */
export function cryptoPairOf(key: KeyObject): webcrypto.CryptoKeyPair {
  return { privateKey: cryptoKeyOf(key), publicKey: cryptoKeyOf(publicOf(key)) }
}
