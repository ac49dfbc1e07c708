import { createHash, type X509Certificate } from 'node:crypto'

/** What {@link fingerprintOf} writes. */
export const FINGERPRINT = /^[A-Za-z0-9_-]{43}$/

/** SHA-256 of a certificate, base64url: the pin in a join token, and how certificates are named in a trust bundle. */
export function fingerprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('base64url')
}
