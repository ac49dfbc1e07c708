import { createCipheriv, createDecipheriv, type KeyObject, randomBytes, scryptSync } from 'node:crypto'
import { z } from 'zod'
import { pemOfKey, readKey } from '../../identity/keys.ts'
import { canonicalJson } from '../../protocol/canonical-json.ts'
import { EdgeError } from '../../protocol/errors.ts'

/** Cost of guessing one passphrase: 128 MiB and a good part of a second (RFC 7914). */
const COST = { n: 2 ** 17, r: 8, p: 1 } as const
/** What is still worked out for a file of others, so that a changed one cannot eat the machine. */
const MAX_N = 2 ** 20
const SCRYPT_MAX_BYTES = 2 ** 31 - 1
const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32

const base64 = z.base64().max(8192)

/** A private key at rest, sealed by a passphrase. Everything beside `data` and `tag` is authenticated with it. */
const schema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('edgedeck-key'),
  /** Whose key it is, for people. */
  holder: z.string().max(200),
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    n: z
      .int()
      .min(COST.n)
      .max(MAX_N)
      .refine((n) => Number.isInteger(Math.log2(n))),
    r: z.literal(COST.r),
    p: z.literal(COST.p),
    salt: base64,
  }),
  cipher: z.strictObject({ name: z.literal(CIPHER), iv: base64 }),
  tag: base64,
  data: base64,
})
type SealedKey = z.infer<typeof schema>

/** Shortest passphrase that is taken for a new key: what was sealed can be guessed at offline. */
export const MIN_PASSPHRASE_CHARS = 12

/** Seal a private key; the text is the whole file. */
export function sealKey(key: KeyObject, holder: string, passphrase: string): string {
  const salt = randomBytes(16)
  const iv = randomBytes(12)
  const head = {
    v: 1,
    kind: 'edgedeck-key',
    holder,
    kdf: { name: 'scrypt', ...COST, salt: salt.toString('base64') },
    cipher: { name: CIPHER, iv: iv.toString('base64') },
  } as const
  const cipher = createCipheriv(CIPHER, stretch(passphrase, salt, COST.n), iv).setAAD(Buffer.from(canonicalJson(head)))
  const data = Buffer.concat([cipher.update(pemOfKey(key), 'utf8'), cipher.final()]).toString('base64')
  const sealed: SealedKey = { ...head, tag: cipher.getAuthTag().toString('base64'), data }
  return `${JSON.stringify(sealed, null, 2)}\n`
}

/**
 * Open what {@link sealKey} wrote; `file` is for messages, `read` makes the key of its PEM.
 * @throws EdgeError `PASSPHRASE_WRONG`, or `PKI_UNUSABLE` when the file holds no sealed key
 */
export function openSealedKey(
  text: string,
  passphrase: string,
  file: string,
  read: (pem: string) => KeyObject | null = readKey,
): KeyObject {
  const sealed = parse(text)
  if (sealed === null) {
    throw new EdgeError('PKI_UNUSABLE', {
      message: `${file} holds no sealed key`,
      next: ['put the copy of it back that you made after "edgedeck pki init"'],
    })
  }
  const { tag, data, ...head } = sealed
  try {
    const key = stretch(passphrase, Buffer.from(head.kdf.salt, 'base64'), head.kdf.n)
    const cipher = createDecipheriv(CIPHER, key, Buffer.from(head.cipher.iv, 'base64'), { authTagLength: 16 })
    cipher.setAAD(Buffer.from(canonicalJson(head))).setAuthTag(Buffer.from(tag, 'base64'))
    const pem = Buffer.concat([cipher.update(Buffer.from(data, 'base64')), cipher.final()]).toString('utf8')
    const opened = read(pem)
    if (opened !== null) return opened
  } catch {
    // A wrong passphrase and a damaged file look alike: that is what the seal is for.
  }
  throw new EdgeError('PASSPHRASE_WRONG', {
    message: `the passphrase does not open ${file}`,
    next: ['type it again; when it is surely right the file is damaged: put its copy back'],
  })
}

function parse(text: string): SealedKey | null {
  try {
    const parsed = schema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

function stretch(passphrase: string, salt: Buffer, n: number): Buffer {
  const { r, p } = COST
  // Letters that can be written in several ways have to be the same passphrase on every keyboard.
  return scryptSync(passphrase.normalize('NFC'), salt, KEY_BYTES, { N: n, r, p, maxmem: SCRYPT_MAX_BYTES })
}
