import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readHeldDenyList } from '../../identity/deny-list.ts'
import { isSameKey, readKey } from '../../identity/keys.ts'
import { trustOf } from '../../identity/trust.ts'
import { readHeldBundle, type TrustRead } from '../../identity/trust-bundle.ts'
import { namedBy, readPem } from '../../identity/verify.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { OperatorIdentity } from './operator-identity.ts'

const OTHERS = 0o077
const MAX_FILE_BYTES = 16 * 1024 * 1024

/** Files in the folder of a context's identity. */
export const IDENTITY_FILES = {
  key: 'key.pem',
  cert: 'cert.pem',
  trust: 'trust.json',
  deny: 'deny.json',
  credentials: 'nats.creds',
} as const

/**
 * Read who the operator is in a fleet; null when nobody logged in there yet.
 * @throws EdgeError `IDENTITY_UNUSABLE` for files that are damaged, do not fit each other, or a key that others can read.
 */
export function readIdentityFolder(dir: string): OperatorIdentity | null {
  const path = (name: keyof typeof IDENTITY_FILES): string => join(dir, IDENTITY_FILES[name])
  const cert = readOwn(path('cert'))
  if (cert === null) return null
  const certificate = firstOf(cert)
  const named = certificate === null ? null : namedBy(certificate)
  if (certificate === null || named?.kind !== 'operator') {
    throw unusable(`${path('cert')} is not the certificate of an operator`)
  }
  const keyPem = readOwn(path('key'), OTHERS)
  const key = keyPem === null ? null : readKey(keyPem)
  if (keyPem === null || key === null) throw unusable(`${path('key')} is missing or holds no key of a fleet`)
  if (!isSameKey(key, certificate.publicKey)) throw unusable(`${path('key')} does not belong to ${path('cert')}`)
  const held: TrustRead = readHeldBundle(jsonOf(path('trust')))
  if (!held.ok) throw unusable(`${path('trust')}: ${held.msg}`)
  if (held.bundle.fleet !== named.fleet) throw unusable(`${path('trust')} is of another fleet than ${path('cert')}`)
  const deny = jsonOf(path('deny'))
  const read = deny === null ? null : readHeldDenyList(deny, held.bundle.fleet)
  if (read?.ok === false) throw unusable(`${path('deny')}: ${read.msg}`)
  return new OperatorIdentity({
    named,
    certificate,
    key,
    tls: { key: keyPem, cert, ca: held.bundle.roots.join('\n') },
    trust: trustOf(held, read?.list ?? null),
  })
}

/** Text of a file; null when there is none. `secretMask` are permission bits that it must not have. */
function readOwn(path: string, secretMask = 0): string | null {
  try {
    const fd = openSync(path, 'r')
    try {
      const { mode, size } = fstatSync(fd)
      if ((mode & secretMask) !== 0) {
        throw new EdgeError('IDENTITY_UNUSABLE', {
          message: `${path} can be read by other users of this machine`,
          next: [`run "chmod 600 ${path}", and log in anew if others may have read it`],
        })
      }
      if (size > MAX_FILE_BYTES) throw new Error('it is far too large')
      return readFileSync(fd, 'utf8')
    } finally {
      closeSync(fd)
    }
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unusable(`${path} cannot be read: ${messageOf(cause)}`)
  }
}

function firstOf(pem: string) {
  try {
    return readPem(pem)[0] ?? null
  } catch {
    return null
  }
}

function jsonOf(path: string): unknown {
  const text = readOwn(path)
  try {
    return text === null ? null : JSON.parse(text)
  } catch {
    throw unusable(`${path} is not JSON`)
  }
}

function unusable(message: string): EdgeError {
  return new EdgeError('IDENTITY_UNUSABLE', { message, next: ['log in anew: edgedeck login'] })
}
