import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { fitsAny } from './patterns.ts'

/** A line of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly marker: 'revoked' | 'cert-authority' | null
  /** Names and patterns, or the one name that was hashed. */
  readonly names: { readonly patterns: readonly string[] } | { readonly salt: Buffer; readonly digest: Buffer }
  /** As the line says it, such as `ssh-ed25519`. */
  readonly keyType: string
  /** The key in SSH's wire form. */
  readonly key: Buffer
}

/** What the files say about a key that a server shows. */
export type HostKeyVerdict =
  | { readonly kind: 'known' }
  /** No file has a key of it. `authorities` would vouch for it by certificates, which are not looked at here. */
  | { readonly kind: 'unknown'; readonly authorities: readonly KnownHost[] }
  /** Files have other keys of it. */
  | { readonly kind: 'changed'; readonly known: readonly KnownHost[] }
  | { readonly kind: 'revoked'; readonly by: KnownHost }

const MAX_LINE_CHARS = 65_536
const HASHED = /^\|1\|([A-Za-z0-9+/]+={0,2})\|([A-Za-z0-9+/]+={0,2})$/
const DEFAULT_PORT = 22

/** Read a file of known keys. Lines that are none are passed over, as OpenSSH does: others may write into that file too. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((line, index) => {
    const read = parseLine(line, file, index + 1)
    return read === null ? [] : [read]
  })
}

/** The name that keys of a server are under; its port is part of it where it is not the usual one. */
export function knownName(name: string, port: number | null): string {
  return port === null || port === DEFAULT_PORT ? name : `[${name}]:${port}`
}

/**
 * Lines that can say anything about a server. Hashed names cost a hash each, thousands of them time: what is asked about a
 * server is asked of these.
 */
export function linesAboutServer(
  entries: readonly KnownHost[],
  { name, port }: { readonly name: string; readonly port: number | null },
): readonly KnownHost[] {
  const withPort = knownName(name, port)
  const found = new Set(linesAbout(entries, withPort))
  if (withPort !== name) for (const entry of linesAbout(entries, name)) found.add(entry)
  return [...found]
}

/** Lines about a name, in the order of the files. */
export function linesAbout(entries: readonly KnownHost[], name: string): readonly KnownHost[] {
  const lower = name.toLowerCase()
  return entries.filter(({ names }) =>
    'patterns' in names ? fitsAny(lower, names.patterns) : timingSafeEqual(hashOf(lower, names.salt), names.digest),
  )
}

/**
 * Judge the key that a server shows. A server on another port than the usual one may also be known by its name alone, as
 * OpenSSH has it, where that has the very same key.
 */
export function judgeHostKey(
  entries: readonly KnownHost[],
  server: { readonly name: string; readonly port: number | null },
  key: Buffer,
): HostKeyVerdict {
  const isSame = (entry: KnownHost): boolean => entry.key.equals(key)
  const lines = linesAbout(entries, knownName(server.name, server.port))
  const byName = linesAbout(entries, server.name)
  const revoked = [...lines, ...byName].find((entry) => entry.marker === 'revoked' && isSame(entry))
  if (revoked !== undefined) return { kind: 'revoked', by: revoked }
  const known = lines.filter(({ marker }) => marker === null)
  if (known.some(isSame)) return { kind: 'known' }
  if (known.length > 0) return { kind: 'changed', known }
  if (byName.some((entry) => entry.marker === null && isSame(entry))) return { kind: 'known' }
  return { kind: 'unknown', authorities: lines.filter(({ marker }) => marker === 'cert-authority') }
}

/** Types of the keys that are known of a server, each once. */
export function knownKeyTypes(
  entries: readonly KnownHost[],
  server: { readonly name: string; readonly port: number | null },
): readonly string[] {
  const lines = linesAbout(entries, knownName(server.name, server.port)).filter(({ marker }) => marker === null)
  return [...new Set(lines.map(({ keyType }) => keyType))]
}

/** A line to write down for a key, its name hashed when `hashNames`. */
export function knownHostLine(name: string, key: Buffer, hashNames: boolean): string {
  const lower = name.toLowerCase()
  const salt = randomBytes(20)
  const written = hashNames ? `|1|${salt.toString('base64')}|${hashOf(lower, salt).toString('base64')}` : lower
  return `${written} ${keyTypeOf(key) ?? ''} ${key.toString('base64')}`
}

/** The type that a key in SSH's wire form says of itself; null when it is none. */
export function keyTypeOf(key: Buffer): string | null {
  if (key.length < 4) return null
  const length = key.readUInt32BE(0)
  const type = key.subarray(4, 4 + length).toString('latin1')
  return type.length === length && /^[\w@.-]{1,64}$/.test(type) ? type : null
}

function hashOf(name: string, salt: Buffer): Buffer {
  return createHmac('sha1', salt).update(name).digest()
}

function parseLine(text: string, file: string, line: number): KnownHost | null {
  if (text.length > MAX_LINE_CHARS) return null
  const words = text.trim().split(/[ \t]+/)
  if (words[0] === '' || words[0]?.startsWith('#')) return null
  const marker = words[0]?.startsWith('@') ? words.shift()?.slice(1) : null
  if (marker !== null && marker !== 'revoked' && marker !== 'cert-authority') return null
  const [names = '', keyType = '', base64 = ''] = words
  const key = Buffer.from(base64, 'base64')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || keyTypeOf(key) !== keyType) return null
  const read = namesOf(names)
  return read && { file, line, marker, names: read, keyType, key }
}

function namesOf(text: string): KnownHost['names'] | null {
  if (!text.startsWith('|')) return { patterns: text.toLowerCase().split(',') }
  const [, salt = '', digest = ''] = HASHED.exec(text) ?? []
  const hashed = { salt: Buffer.from(salt, 'base64'), digest: Buffer.from(digest, 'base64') }
  // SHA-1, as the scheme `|1|` has it.
  return hashed.digest.length === 20 ? hashed : null
}
