import { z } from 'zod'
import { unixMs } from './bounds.ts'
import { canonicalJson } from './canonical-json.ts'

/** Longest that a signed command may be valid, ms. */
export const ENVELOPE_LIFE_MS = 300_000
/** How far in the future a command may have been signed, ms: clocks differ. */
export const ENVELOPE_SKEW_MS = 120_000

const name = z.string().min(1).max(253)

/**
 * What somebody wants, as they signed it (architecture decision 7): the verb, a digest of its arguments, the one node it
 * is meant for, a nonce that is used once, and until when. `why` is theirs, for the audit.
 * @example {"v":1,"verb":"resend","args":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","site":"plant-a","node":"n1","nonce":"q83vASNFZ4mrze8BI0VniQ","issuedAt":1793000000000,"expiresAt":1793000060000,"signature":"c2lnbmF0dXJl"}
 */
export const envelopeSchema = z.strictObject({
  v: z.literal(1),
  verb: z.string().min(1).max(64),
  /** SHA-256 of the canonical JSON of the arguments, hex. */
  args: z.string().regex(/^[0-9a-f]{64}$/),
  site: name,
  node: name,
  /** 128 random bits, base64url. */
  nonce: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  /** Unix ms. */
  issuedAt: unixMs,
  /** Unix ms. */
  expiresAt: unixMs,
  why: z.string().max(200).optional(),
  /** Over {@link signedText}, base64; by the key of the certificate in `chain`, or else of the session. */
  signature: z.base64().max(1024),
  /** Certificate of who signed and its issuers, DER in base64, when it is not whose session this is. */
  chain: z.array(z.base64().max(8192)).min(1).max(4).optional(),
})
/** @see envelopeSchema */
export type Envelope = z.infer<typeof envelopeSchema>
/** An envelope that is not signed yet. */
export type EnvelopeBody = Omit<Envelope, 'signature' | 'chain'>

/** The text that a signature is over. Its first line keeps it apart from all else that the key may sign. */
export function signedText(body: EnvelopeBody): string {
  const { v, verb, args, site, node, nonce, issuedAt, expiresAt, why } = body
  const said = { v, verb, args, site, node, nonce, issuedAt, expiresAt, ...(why === undefined ? {} : { why }) }
  return `edgedeck command v1\n${canonicalJson(said)}`
}
