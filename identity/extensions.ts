import type { X509Certificate } from 'node:crypto'

/**
 * What a certificate's extensions say that Node does not tell, or tells in a text that would have to be parsed again
 * (RFC 5280 section 4.2).
 */
export interface Extensions {
  /** URIs in the subject alternative name. */
  readonly uris: readonly string[]
  /** Whether it may sign certificates at all, after its basic constraints. */
  readonly isAuthority: boolean
  /** How many authorities may stand below this one; null = any number. */
  readonly pathLength: number | null
  /** Null when it does not say what its key is for. */
  readonly keyUsage: { readonly signs: boolean; readonly signsCertificates: boolean } | null
  /** Ids of critical extensions that nobody here understands, in hex: whoever meets one has to refuse. */
  readonly strange: readonly string[]
}

/** One element of DER: its tag and where its contents lie. */
interface Element {
  readonly tag: number
  readonly body: Buffer
}

const SEQUENCE = 0x30
const OID = 0x06
const BOOLEAN = 0x01
const INTEGER = 0x02
const OCTETS = 0x04
const BITS = 0x03
/** `[3]` of a TBSCertificate. */
const EXTENSIONS = 0xa3
/** `[6]` of a GeneralName. */
const URI = 0x86

const BASIC_CONSTRAINTS = '551d13'
const KEY_USAGE = '551d0f'
const ALTERNATIVE_NAMES = '551d11'
/** Extended key usage, which Node reads. */
const EXTENDED_USAGE = '551d25'
const UNDERSTOOD: readonly string[] = [BASIC_CONSTRAINTS, KEY_USAGE, ALTERNATIVE_NAMES, EXTENDED_USAGE]

const MAX_EXTENSIONS = 32
const SIGNS = 0x80
const SIGNS_CERTIFICATES = 0x04

/** Read the extensions of a certificate; null when they are damaged or one stands there twice. */
export function readExtensions(certificate: X509Certificate): Extensions | null {
  try {
    return understand(listOf(certificate.raw))
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

function understand(listed: readonly { id: string; critical: boolean; value: Buffer }[]): Extensions {
  const elementOf = (id: string): Element | null => {
    const found = listed.find((extension) => extension.id === id)
    return found === undefined ? null : only(found.value)
  }
  const constraints = elementOf(BASIC_CONSTRAINTS)
  const [first, second] = constraints === null ? [] : elements(constraints.body)
  const isAuthority = first?.tag === BOOLEAN && first.body.some((byte) => byte !== 0)
  const length = first?.tag === INTEGER ? first : second
  const names = elementOf(ALTERNATIVE_NAMES)
  const usage = elementOf(KEY_USAGE)
  return {
    uris:
      names === null
        ? []
        : elements(names.body).flatMap(({ tag, body }) => (tag === URI ? [body.toString('latin1')] : [])),
    isAuthority,
    pathLength: length === undefined ? null : smallNumber(length),
    keyUsage: usage === null ? null : bitsOf(usage),
    strange: listed.flatMap(({ id, critical }) => (critical && !UNDERSTOOD.includes(id) ? [id] : [])),
  }
}

function listOf(der: Buffer): { id: string; critical: boolean; value: Buffer }[] {
  const [signed] = elements(only(der).body)
  if (signed === undefined) throw new RangeError('no certificate')
  const wrapped = elements(signed.body).find(({ tag }) => tag === EXTENSIONS)
  if (wrapped === undefined) return []
  const listed = elements(only(wrapped.body).body).map(({ tag, body }) => {
    const [id, ...rest] = elements(body)
    const value = rest.at(-1)
    if (tag !== SEQUENCE || id?.tag !== OID || value?.tag !== OCTETS || rest.length > 2)
      throw new RangeError('no extension')
    const critical = rest.length === 2 && rest[0]?.tag === BOOLEAN && rest[0].body.some((byte) => byte !== 0)
    return { id: id.body.toString('hex'), critical, value: value.body }
  })
  const ids = new Set(listed.map(({ id }) => id))
  if (ids.size !== listed.length || listed.length > MAX_EXTENSIONS) throw new RangeError('extensions stand there twice')
  return listed
}

function bitsOf({ tag, body }: Element): Extensions['keyUsage'] {
  if (tag !== BITS || body.length < 2) throw new RangeError('no bits')
  const bits = body[1] ?? 0
  return { signs: (bits & SIGNS) !== 0, signsCertificates: (bits & SIGNS_CERTIFICATES) !== 0 }
}

function smallNumber({ tag, body }: Element): number {
  if (tag !== INTEGER || body.length !== 1 || (body[0] ?? 0) > 127) throw new RangeError('no small number')
  return body[0] ?? 0
}

function only(der: Buffer): Element {
  const [element, more] = elements(der)
  if (element === undefined || more !== undefined) throw new RangeError('not one element')
  return element
}

/** The elements of a DER text beside each other. @throws RangeError when it is cut or of a form that DER forbids. */
function elements(der: Buffer): Element[] {
  const found: Element[] = []
  for (let at = 0; at < der.length; ) {
    const tag = der.readUInt8(at)
    const head = der.readUInt8(at + 1)
    const lengthBytes = head < 0x80 ? 0 : head & 0x7f
    if ((tag & 0x1f) === 0x1f || head === 0x80 || lengthBytes > 3)
      throw new RangeError('not of a form that is read here')
    const length = lengthBytes === 0 ? head : der.readUIntBE(at + 2, lengthBytes)
    const start = at + 2 + lengthBytes
    if (start + length > der.length) throw new RangeError('cut')
    found.push({ tag, body: der.subarray(start, start + length) })
    at = start + length
  }
  return found
}
