import 'reflect-metadata'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator } from '@peculiar/x509'
import { cryptoPairOf, isFleetKey, SIGNING_ALGORITHM } from './keys.ts'

/** A request for a certificate that can be believed, or a sentence on what is wrong with it. */
export type RequestRead =
  | { readonly ok: true; readonly publicKey: KeyObject }
  | { readonly ok: false; readonly msg: string }

const MAX_REQUEST_CHARS = 8192

/**
 * A certificate signing request (PKCS #10, RFC 2986) in PEM for a private key. It only proves that the key is held: who
 * the certificate will name is said by who issues it, so the request names nobody.
 */
export async function makeRequest(key: KeyObject): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ['edgedeck'] }],
    keys: cryptoPairOf(key),
    signingAlgorithm: SIGNING_ALGORITHM,
  })
  return `${request.toString('pem')}\n`
}

/** Read a request in PEM and check that its signature is by the key it holds. What it asks to be called is not looked at. */
export async function readRequest(pem: string): Promise<RequestRead> {
  if (pem.length > MAX_REQUEST_CHARS) return refuse(`the request is over ${MAX_REQUEST_CHARS} characters`)
  const [block] =
    pem.match(/-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----[^-]+-----END (?:NEW )?CERTIFICATE REQUEST-----/) ?? []
  if (block === undefined) return refuse('this is no certificate signing request in PEM')
  try {
    const request = new Pkcs10CertificateRequest(Buffer.from(block.replace(/-----[^-]+-----|\s/g, ''), 'base64'))
    const publicKey = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' })
    if (!isFleetKey(publicKey)) return refuse('the key of the request is not ECDSA over P-256')
    if (!(await request.verify())) return refuse('the request is not signed by the key it holds')
    return { ok: true, publicKey }
  } catch {
    return refuse('the certificate signing request is damaged')
  }
}

function refuse(msg: string): RequestRead {
  return { ok: false, msg }
}
