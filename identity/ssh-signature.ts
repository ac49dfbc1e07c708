import { createHash, verify } from 'node:crypto'
import { readSshBlob, type SshKey, SshReader, sshFingerprintOf, withoutZeros } from './ssh-key.ts'

/** Who signed, or a sentence on why the signature does not count. */
export type SshSignatureRead =
  | { readonly ok: true; readonly key: SshKey }
  | { readonly ok: false; readonly msg: string }

const MAGIC = 'SSHSIG'
const VERSION = 1
const HASHES: readonly string[] = ['sha256', 'sha512']
const MAX_SIGNATURE_CHARS = 16_384
/** Flag of a security key: somebody touched it. */
const TOUCHED = 0x01

/**
 * Check a signature that `ssh-keygen -Y sign -n NAMESPACE` made (OpenSSH `PROTOCOL.sshsig`) over a message, by one of the
 * keys. The namespace keeps it apart from everything else that the key signs, e.g. commits. Never throws.
 */
export function verifySshSignature(
  armored: string,
  {
    message,
    namespace,
    keys,
  }: { readonly message: string; readonly namespace: string; readonly keys: readonly SshKey[] },
): SshSignatureRead {
  const [, base64] = /-----BEGIN SSH SIGNATURE-----([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----/.exec(armored) ?? []
  if (base64 === undefined || armored.length > MAX_SIGNATURE_CHARS) return refuse('this is no signature of ssh-keygen')
  try {
    return check(new SshReader(Buffer.from(base64, 'base64')), { message, namespace, keys })
  } catch {
    return refuse('the SSH signature is damaged')
  }
}

function check(
  read: SshReader,
  {
    message,
    namespace,
    keys,
  }: { readonly message: string; readonly namespace: string; readonly keys: readonly SshKey[] },
): SshSignatureRead {
  if (read.raw(MAGIC.length).toString('latin1') !== MAGIC || read.number() !== VERSION) {
    return refuse('the SSH signature is of a version that is not known here')
  }
  const shown = readSshBlob(read.bytes())
  if (typeof shown === 'string') return refuse(shown)
  const [signedFor, reserved, hash] = [read.text(), read.bytes(), read.text()]
  const signature = read.bytes()
  if (signedFor !== namespace) return refuse(`the SSH signature is for ${signedFor.slice(0, 40)}, not ${namespace}`)
  if (!HASHES.includes(hash) || !read.isAtEnd) return refuse('the SSH signature is damaged')
  const key = keys.find(({ blob }) => blob.equals(shown.blob))
  if (key === undefined) return refuse(`the key ${sshFingerprintOf(shown)} is not one that may log in`)
  const digest = createHash(hash).update(message).digest()
  const signed = Buffer.concat([Buffer.from(MAGIC), packed(namespace), packed(reserved), packed(hash), packed(digest)])
  return isOver(signed, new SshReader(signature), key) ? { ok: true, key } : refuse('the SSH signature is wrong')
}

function isOver(signed: Buffer, read: SshReader, { type, key, application }: SshKey): boolean {
  const algorithm = read.text()
  const signature = read.bytes()
  if (type === 'ssh-rsa') {
    const hash = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' }[algorithm]
    return hash !== undefined && read.isAtEnd && verify(hash, signed, key, signature)
  }
  if (algorithm !== type) return false
  const over = application === null ? signed : bySecurityKey(signed, application, read)
  if (over === null || !read.isAtEnd) return false
  if (type.includes('ed25519')) return verify(null, over, key, signature)
  return verify('sha256', over, { key, dsaEncoding: 'ieee-p1363' }, pointOf(signature))
}

/** What a security key signs instead of the text (OpenSSH `PROTOCOL.u2f`); null when nobody touched it. */
function bySecurityKey(signed: Buffer, application: string, read: SshReader): Buffer | null {
  const flags = read.raw(1)
  const counter = read.raw(4)
  if ((flags.readUInt8() & TOUCHED) === 0) return null
  const digestOf = (part: string | Buffer): Buffer => createHash('sha256').update(part).digest()
  return Buffer.concat([digestOf(application), flags, counter, digestOf(signed)])
}

/** The two numbers of an ECDSA signature, 32 bytes each. */
function pointOf(signature: Buffer): Buffer {
  const read = new SshReader(signature)
  const numbers = [read.bytes(), read.bytes()].map(withoutZeros)
  if (!read.isAtEnd || numbers.some(({ length }) => length > 32)) throw new RangeError('no numbers of P-256')
  return Buffer.concat(numbers.flatMap((number) => [Buffer.alloc(32 - number.length), number]))
}

function packed(part: string | Buffer): Buffer {
  const bytes = Buffer.from(part as string)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

function refuse(msg: string): SshSignatureRead {
  return { ok: false, msg }
}
