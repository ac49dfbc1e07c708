import { readFileSync } from 'node:fs'
import ssh2, { type ParsedKey } from 'ssh2'
import { keyTypeOf } from './known-hosts.ts'

const MAGIC = 'openssh-key-v1\0'
/** Types that are signed with here. */
const USABLE = /^(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521))$/

/**
 * The public part of a key without its passphrase: of the file itself where that says it in plain, else of the `.pub` beside
 * it. A sentence when there is none, or none of a kind that can be used.
 */
export function readPublicPart(file: string, text: Buffer): { readonly blob: Buffer } | string {
  const blob = publicOf(text) ?? publicBeside(file)
  if (blob === null) {
    return /ENCRYPTED/.test(text.toString('latin1'))
      ? `its public part is sealed too: write it beside it (ssh-keygen -y -f ${file} > ${file}.pub)`
      : 'it holds no private key that is known here'
  }
  const type = keyTypeOf(blob) ?? ''
  if (type.startsWith('sk-')) return 'security keys are not known here: take an ed25519 key for shells'
  return USABLE.test(type) ? { blob } : `keys of the type ${type} are not used: take ed25519`
}

function publicOf(text: Buffer): Buffer | null {
  const sealed = publicOfOpenSsh(text)
  if (sealed !== null) return sealed
  if (text.length === 0) return null
  const read = ssh2.utils.parseKey(text) as ParsedKey | ParsedKey[] | Error
  const key = Array.isArray(read) ? read[0] : read
  return key === undefined || key instanceof Error || !key.isPrivateKey() ? null : key.getPublicSSH()
}

/** OpenSSH's own format has the public key before the sealed part (PROTOCOL.key). */
function publicOfOpenSsh(text: Buffer): Buffer | null {
  const [, base64] =
    /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/.exec(text.toString('latin1')) ?? []
  if (base64 === undefined) return null
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) return null
  let at = MAGIC.length
  const next = (): Buffer | null => {
    if (at + 4 > bytes.length) return null
    const length = bytes.readUInt32BE(at)
    const part = bytes.subarray(at + 4, at + 4 + length)
    at += 4 + length
    return part.length === length ? part : null
  }
  const [cipher, kdf, options] = [next(), next(), next()]
  at += 4
  return cipher && kdf && options && next()
}

function publicBeside(file: string): Buffer | null {
  try {
    const [, base64 = ''] = readFileSync(`${file}.pub`, 'utf8').trim().split(/\s+/)
    const blob = Buffer.from(base64, 'base64')
    return keyTypeOf(blob) === null ? null : blob
  } catch {
    return null
  }
}
