import { createHash, type KeyObject, randomBytes, sign, verify } from 'node:crypto'
import { canonicalJson, type Json } from '../protocol/canonical-json.ts'
import { type EnvelopeBody, signedText } from '../protocol/envelope.ts'

/** SHA-256 of a value's canonical JSON, hex. */
export function digestOf(value: Json): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

/** A nonce of 128 random bits, base64url. */
export function newNonce(): string {
  return randomBytes(16).toString('base64url')
}

/** Sign a text with SHA-256 and the key (ECDSA P-256); base64. */
export function signText(text: string, key: KeyObject): string {
  return sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64')
}

/** Whether a signature of {@link signText} is over this text and by this key. Never throws. */
export function isSignedBy(text: string, signature: string, key: KeyObject): boolean {
  try {
    return verify('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64'))
  } catch {
    return false
  }
}

/** Sign a command. */
export function signEnvelope(body: EnvelopeBody, key: KeyObject): EnvelopeBody & { readonly signature: string } {
  return { ...body, signature: signText(signedText(body), key) }
}
