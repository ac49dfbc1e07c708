import { createHash, createPublicKey, type KeyObject } from 'node:crypto'

/** A public key as OpenSSH writes it. */
export interface SshKey {
  readonly type: (typeof SSH_KEY_TYPES)[number]
  /** The whole key in OpenSSH's wire form; two keys are the same when this is. */
  readonly blob: Buffer
  readonly key: KeyObject
  /** What a security key was made for, e.g. `ssh:`; null for keys that live in no such device. */
  readonly application: string | null
}

/** Kinds of keys that may log in; those of `sk-` live in a security key that has to be touched. */
export const SSH_KEY_TYPES = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ssh-rsa',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
] as const

const MIN_RSA_BITS = 2048
const MAX_LINE_CHARS = 16_384

/** Read one line of a `.pub` file or of `authorized_keys` without options; a string says why it is not taken. */
export function readSshKey(line: string): SshKey | string {
  const [type = '', base64 = ''] = line.slice(0, MAX_LINE_CHARS).trim().split(/\s+/)
  if (type.endsWith('-cert-v01@openssh.com')) return 'certificates of SSH are not taken: give the plain public key'
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return 'expected a line such as "ssh-ed25519 AAAA… name"'
  const read = readSshBlob(Buffer.from(base64, 'base64'))
  if (typeof read === 'string' || read.type === type) return read
  return `the line says ${type} and its key is ${read.type}`
}

/** Read a public key in OpenSSH's wire form (RFC 4253 section 6.6, RFC 5656, RFC 8709); a string says why it is not taken. */
export function readSshBlob(blob: Buffer): SshKey | string {
  try {
    const read = new SshReader(blob)
    const named = read.text()
    const type = SSH_KEY_TYPES.find((known) => known === named)
    if (type === undefined) return `keys of the type ${named.slice(0, 40)} are not taken: use ed25519`
    const key = keyOf(type, read)
    const application = type.startsWith('sk-') ? read.text() : null
    if (!read.isAtEnd) return 'the key is damaged'
    const bits = key.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS
    return bits < MIN_RSA_BITS
      ? `the RSA key has ${bits} bits, ${MIN_RSA_BITS} are needed`
      : { type, blob, key, application }
  } catch {
    return 'the key is damaged'
  }
}

/** The name that `ssh-keygen -l` and `ssh-add -l` show: `SHA256:…`. */
export function sshFingerprintOf({ blob }: Pick<SshKey, 'blob'>): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

function keyOf(type: SshKey['type'], read: SshReader): KeyObject {
  if (type === 'ssh-rsa') {
    const [e, n] = [read.bytes(), read.bytes()].map((number) => withoutZeros(number).toString('base64url'))
    return createPublicKey({ key: { kty: 'RSA', e: e ?? '', n: n ?? '' }, format: 'jwk' })
  }
  if (type.includes('ed25519')) {
    return createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: read.bytes().toString('base64url') },
      format: 'jwk',
    })
  }
  const curve = read.text()
  const point = read.bytes()
  if (curve !== 'nistp256' || point.length !== 65 || point[0] !== 4) throw new RangeError('no point of P-256')
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString('base64url'))
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' }, format: 'jwk' })
}

/** A number of SSH without its sign byte. */
export function withoutZeros(number: Buffer): Buffer {
  const start = number.findIndex((byte) => byte !== 0)
  return start < 0 ? Buffer.alloc(0) : number.subarray(start)
}

/** Reads SSH's wire form (RFC 4251 section 5). Every method throws RangeError when the bytes end too early. */
export class SshReader {
  #at = 0
  readonly #from: Buffer

  constructor(from: Buffer) {
    this.#from = from
  }

  get isAtEnd(): boolean {
    return this.#at === this.#from.length
  }

  /** A string: its length in four bytes, then so many bytes. */
  bytes(): Buffer {
    return this.raw(this.number())
  }

  text(): string {
    return this.bytes().toString('utf8')
  }

  number(): number {
    return this.raw(4).readUInt32BE()
  }

  raw(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#from.length) throw new RangeError('cut')
    const part = this.#from.subarray(this.#at, end)
    this.#at = end
    return part
  }
}
