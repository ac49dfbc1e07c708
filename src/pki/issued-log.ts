import { createHash, type KeyObject, type X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { publicOf } from '../../identity/keys.ts'
import { type Named, pathOf, uriOf } from '../../identity/names.ts'
import { appendLine, readText } from './durable-file.ts'

/** How somebody came by a certificate. */
export const ISSUED_HOW = ['pki', 'join', 'renew', 'login', 'own'] as const

/** One certificate that was issued. */
export const issuedRecordSchema = z.object({
  v: z.literal(1),
  /** Unix ms. */
  at: z.int(),
  serial: z.string(),
  /** As `pathOf` writes it: `node/plant-a/press-4`. */
  name: z.string(),
  uri: z.string(),
  /** SHA-256 of the public key, base64url. */
  key: z.string(),
  /** Subject of the issuing certificate. */
  issuer: z.string(),
  /** Unix ms. */
  notBefore: z.int(),
  notAfter: z.int(),
  how: z.enum(ISSUED_HOW),
  /** Public key on the bus that credentials were given out for with it; they count until the certificate's end. */
  bus: z.string().max(64).optional(),
})
/** A line of `issued.ndjson`: one certificate that was issued. */
export type IssuedRecord = z.infer<typeof issuedRecordSchema>

/** SHA-256 of a public key, base64url: whether two certificates are of one key. */
export function keyDigestOf(key: KeyObject): string {
  return createHash('sha256')
    .update(publicOf(key).export({ type: 'spki', format: 'der' }))
    .digest('base64url')
}

/** What is written down of a certificate. */
export function issuedRecord(
  certificate: X509Certificate,
  {
    named,
    nowMs,
    how,
    bus = null,
  }: {
    readonly named: Named
    readonly nowMs: number
    readonly how: IssuedRecord['how']
    readonly bus?: string | null
  },
): IssuedRecord {
  return {
    v: 1,
    at: nowMs,
    serial: certificate.serialNumber,
    name: pathOf(named),
    uri: uriOf(named),
    key: keyDigestOf(certificate.publicKey),
    issuer: certificate.issuer,
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
    how,
    ...(bus === null ? {} : { bus }),
  }
}

/** Write down a certificate, on the disk on return; before it is handed out. @throws EdgeError `PKI_UNUSABLE` */
export function recordIssued(file: string, record: IssuedRecord): void {
  appendLine(file, JSON.stringify(record))
}

/** Every certificate that was written down, oldest first; `damaged` lines are counted and passed over. */
export function readIssued(file: string): { readonly records: readonly IssuedRecord[]; readonly damaged: number } {
  const lines = (readText(file) ?? '').split('\n').filter((line) => line !== '')
  const records = lines.flatMap((line) => {
    const parsed = issuedRecordSchema.safeParse(parse(line))
    return parsed.success ? [parsed.data] : []
  })
  return { records, damaged: lines.length - records.length }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
