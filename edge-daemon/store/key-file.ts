import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { StoreKey, StoreKeys } from './seal.ts'

/** Name of the systemd credential that holds the keys: `LoadCredential=edgedeck-store-keys:/path`. */
export const KEY_CREDENTIAL = 'edgedeck-store-keys'

const KEY_BYTES = 32
const MAX_KEY_ID = 2 ** 32 - 1
const OTHERS = 0o007
const MAX_FILE_BYTES = 1024 * 1024

/** Where the keys of a store come from: `file` (a setting), else the systemd credential when there is one; null for a plain store. */
export function findKeyFile(file: string | null, env: Readonly<Record<string, string | undefined>>): string | null {
  if (file !== null) return file
  const folder = env.CREDENTIALS_DIRECTORY
  if (folder === undefined || folder === '') return null
  const credential = join(folder, KEY_CREDENTIAL)
  return existsSync(credential) ? credential : null
}

/**
 * Read a key file: one key a line, `ID:KEY` with 32 bytes as base64 or hex, the last one active; `ID:lost` for a key that
 * is gone for good; `#` begins a comment.
 * @throws EdgeError `STORE_KEYS_UNUSABLE`, without anything of the keys in its message.
 */
export function readKeyFile(path: string): StoreKeys {
  const keys = parseKeys(path, readPrivately(path))
  if (keys.keys.length > 0) return keys
  throw unusable(`${path} holds no key`, whereKeysAre(path))
}

/**
 * Add a new random key to a key file, which is made when it does not exist. Returns the number of the key.
 * @throws EdgeError `STORE_KEYS_UNUSABLE` when the file cannot be written, or what it holds is no key file.
 */
export function addKey(path: string): number {
  const text = existsSync(path)
    ? readPrivately(path)
    : '# Keys of an edgedeck store. Keep a copy: without them nothing can be read.\n'
  const { keys, lost } = parseKeys(path, text)
  const id = Math.max(0, ...keys.map((key) => key.id), ...lost) + 1
  const line = `${id}:${randomBytes(KEY_BYTES).toString('base64')}\n`
  replaceFile(path, `${text}${text.endsWith('\n') ? '' : '\n'}${line}`)
  return id
}

function parseKeys(path: string, text: string): StoreKeys {
  const keys: StoreKey[] = []
  const lost: number[] = []
  const seen = new Set<number>()
  for (const [position, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*/, '').trim()
    if (line === '') continue
    const [, number = '', value = ''] = /^(\d{1,10})\s*:\s*(\S+)$/.exec(line) ?? []
    const id = Number(number)
    const secret = value === 'lost' ? null : secretOf(value)
    if (id < 1 || id > MAX_KEY_ID || secret === undefined) {
      throw unusable(`${path}:${position + 1}: not a key`, [
        'write ID:KEY, a number from 1 up and 32 random bytes as base64 or hex',
      ])
    }
    if (seen.has(id)) {
      throw unusable(`${path}:${position + 1}: key ${id} stands there twice`, ['give each key a number of its own'])
    }
    seen.add(id)
    if (secret === null) lost.push(id)
    else keys.push({ id, secret })
  }
  return { keys, lost }
}

function secretOf(value: string): Uint8Array | undefined {
  const bytes = /^[0-9a-f]{64}$/i.test(value) ? Buffer.from(value, 'hex') : Buffer.from(value, 'base64')
  const isCanonical = bytes.length * 2 === value.length || bytes.toString('base64') === value
  // A copy of its own: small buffers share the memory of a pool, which would travel between threads as a whole.
  return bytes.length === KEY_BYTES && isCanonical ? new Uint8Array(bytes) : undefined
}

/** Text of a file that is closed to others. */
function readPrivately(path: string): string {
  try {
    const fd = openSync(path, 'r')
    try {
      const { mode, size } = fstatSync(fd)
      if ((mode & OTHERS) !== 0) {
        throw unusable(`${path} is open to every user of this machine`, [
          `run "chmod 600 ${path}", and add a new key if others may have read it`,
        ])
      }
      if (size > MAX_FILE_BYTES) throw unusable(`${path} is no key file`, ['give the path of a key file'])
      return readFileSync(fd, 'utf8')
    } finally {
      closeSync(fd)
    }
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause
    throw unusable(`the key file ${path} cannot be read: ${messageOf(cause)}`, [
      'check store.keyFile and its permissions',
      ...whereKeysAre(path),
    ])
  }
}

/** A new key opens nothing that is there, so the copy of the old ones comes first. */
function whereKeysAre(path: string): string[] {
  return [
    'put the copy of your keys back',
    `a store that was never sealed takes a new one: "edge-daemon keys new --key-file ${path}"`,
  ]
}

/** Write a file anew such that a crash leaves the old one or the new one, and that it is on the disk on return. */
function replaceFile(named: string, text: string): void {
  const path = existsSync(named) ? realpathSync(named) : named
  const draft = `${path}.new`
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx', flush: true })
    try {
      if (existsSync(path)) keepOwner(path, draft)
      renameSync(draft, path)
    } catch (error) {
      unlinkSync(draft)
      throw error
    }
    const folder = openSync(dirname(path), 'r')
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
  } catch (cause) {
    throw unusable(`the key file ${path} cannot be written: ${messageOf(cause)}`, [
      `check that its folder exists and may be written, and that no ${draft} was left behind`,
    ])
  }
}

/** Whoever could read the old file, as the daemon's own user, can read the new one. */
function keepOwner(path: string, draft: string): void {
  const { uid, gid, mode } = statSync(path)
  chownSync(draft, uid, gid)
  chmodSync(draft, mode & 0o770)
}

function unusable(message: string, next: readonly string[]): EdgeError {
  return new EdgeError('STORE_KEYS_UNUSABLE', { message, next })
}
