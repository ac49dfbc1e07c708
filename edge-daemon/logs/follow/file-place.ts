import {
  type BigIntStats,
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { CHECKED_BYTES, checkOf } from './splitter.ts'

/** A file as the file system knows it. */
export interface FileFacts {
  /** Device and inode: names a file among those that are there now, and may be used again for another. */
  readonly key: string
  readonly path: string
  readonly size: number
  readonly mtimeMs: number
}

/** A place in a file by what stands before it. */
export interface Place {
  readonly end: number
  readonly check: number
}

/** Rotated files that are compressed, or being so: their lines were read before. */
const COMPRESSED = /\.(?:gz|xz|zst|zstd|bz2|lz4|lzma|zip|Z|tmp|swp|part)$/
/** Most names of a folder that are looked through. */
const MAX_NAMES = 10_000
/** Looks at a folder that is being changed. */
const LOOKS = 10
/** First bytes by which a copy is told. */
const COMPARED_BYTES = 4096
/** How far back the end of a line is looked for. */
const LOOKED_BACK_BYTES = 65_536

/** Facts of the file that a path leads to; null when there is none. @throws the file system's error when it cannot be asked. */
export function factsOf(path: string): FileFacts | null {
  try {
    const stat = statSync(path, { bigint: true })
    return stat.isFile() ? factsIn(stat, path) : null
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

/** Facts of an open file. */
export function factsOfOpen(descriptor: number, path: string): FileFacts {
  return factsIn(fstatSync(descriptor, { bigint: true }), path)
}

/** The path without symbolic links; itself when it leads nowhere now. */
export function realPathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/**
 * Files beside one that its rotation may have made of it: its name with something behind it, not compressed; oldest first.
 * @param path real path of the file
 * @param followed the path that is followed: node-1.log and node-2.log are logs of two programs, but app-1.log and app-2.log are of
 * one where app.log is followed and leads to them
 */
export function siblingsOf(path: string, followed: string): FileFacts[] {
  const stem = stemOf(basename(path), basename(followed))
  const isSibling = (other: string): boolean =>
    other.length > stem.length &&
    other.startsWith(stem) &&
    '.-_'.includes(other[stem.length] ?? '') &&
    !COMPRESSED.test(other)
  return [...filesIn(dirname(path), isSibling).values()].sort((a, b) => a.mtimeMs - b.mtimeMs)
}

/** What the names of all files of a rotation begin with. */
function stemOf(name: string, followed: string): string {
  // What is rotated already keeps the name that it had: app.log.1 is a sibling of app.log.2.
  if (name === followed || ['.', '-', '_'].some((mark) => name.startsWith(`${followed}${mark}`))) return followed
  return name.replace(/[._-]\d[\d.:_TZ-]*(?:\.[a-z]+)?$/, '')
}

/** Where a file is now that was at `path` last: there, or beside it. Null when it is nowhere. */
export function locate(key: string, path: string): FileFacts | null {
  const here = factsOrNull(path)
  if (here?.key === key) return here
  return filesIn(dirname(path), () => true).get(key) ?? null
}

/** The file of a key among some paths, by its real path; null when none of them leads to it. */
export function factsOfKey(key: string, paths: readonly string[]): FileFacts | null {
  for (const path of paths) {
    const facts = factsOrNull(path)
    if (facts?.key === key) return { ...facts, path: realPathOf(path) }
  }
  return null
}

/**
 * Files of a folder by key. A rotation that goes on while names are read would hide a file, so it is looked until two looks
 * see the same; a file that any of them saw is there.
 */
function filesIn(folder: string, isWanted: (name: string) => boolean): Map<string, FileFacts> {
  const seen = new Map<string, FileFacts>()
  let before: ReadonlySet<string> | null = null
  for (let tries = 0; tries < LOOKS; tries += 1) {
    const now = new Set<string>()
    for (const name of namesIn(folder)) {
      const facts = isWanted(name) ? factsOrNull(join(folder, name)) : null
      if (facts === null) continue
      now.add(facts.key)
      seen.set(facts.key, facts)
    }
    if (before !== null && now.size === before.size && [...now].every((key) => before?.has(key))) break
    before = now
  }
  return seen
}

/** Whether a file still has at some places what it had. The start of a file is always the same. @throws when it cannot be read. */
export function holdsPlaces(facts: FileFacts, places: readonly Place[]): boolean {
  const descriptor = openAs(facts)
  if (descriptor === null) return false
  try {
    return places.every((place) => isPlaceIn(descriptor, place))
  } finally {
    closeSync(descriptor)
  }
}

/** The first bytes of a file; none when there is no file now. */
export function headOf(path: string): Buffer {
  try {
    const descriptor = openSync(path, 'r')
    try {
      return readHead(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (isGone(error)) return Buffer.alloc(0)
    throw error
  }
}

/** Whether a file begins with some bytes, or is a begin of them. */
export function beginsAs(facts: FileFacts, bytes: Buffer): boolean {
  const descriptor = openAs(facts)
  if (descriptor === null) return false
  try {
    const head = readHead(descriptor)
    const length = Math.min(head.length, bytes.length)
    return length > 0 && head.subarray(0, length).equals(bytes.subarray(0, length))
  } finally {
    closeSync(descriptor)
  }
}

function readHead(descriptor: number): Buffer {
  const head = Buffer.alloc(COMPARED_BYTES)
  return head.subarray(0, readSync(descriptor, head, 0, COMPARED_BYTES, 0))
}

/** Open a file wherever it is called by now; null when it is gone. */
function openAs({ key, path }: FileFacts): number | null {
  let at: string | undefined = path
  for (let tries = 0; tries < LOOKS && at !== undefined; tries += 1) {
    try {
      const descriptor = openSync(at, 'r')
      if (factsOfOpen(descriptor, at).key === key) return descriptor
      closeSync(descriptor)
    } catch (error) {
      if (!isGone(error)) throw error
    }
    at = locate(key, path)?.path
  }
  return null
}

/** As {@link holdsPlaces}, of an open file. */
export function isPlaceIn(descriptor: number, { end, check }: Place): boolean {
  if (end === 0) return true
  return checkBefore(descriptor, end) === check
}

/** The checksum of what stands before an offset; null when the file is shorter. */
export function checkBefore(descriptor: number, end: number): number | null {
  const from = Math.max(0, end - CHECKED_BYTES - 1)
  const bytes = Buffer.alloc(end - from)
  return readSync(descriptor, bytes, 0, bytes.length, from) < bytes.length ? null : checkOf(bytes)
}

/** The end of the last whole line of a file as it is now, or of the file where its last line is very long. @throws when it cannot be read. */
export function lastLineEnd({ path, size }: FileFacts): Place {
  const descriptor = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(Math.min(size, LOOKED_BACK_BYTES))
    const count = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length)
    const newline = bytes.subarray(0, count).lastIndexOf(0x0a)
    const end = newline < 0 ? size : size - bytes.length + newline + 1
    return { end, check: end === 0 ? 0 : (checkBefore(descriptor, end) ?? 0) }
  } finally {
    closeSync(descriptor)
  }
}

/** Whether an error of the file system says that there is no such file. */
export function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP'
}

function factsIn(stat: BigIntStats, path: string): FileFacts {
  return {
    key: `${stat.dev}:${stat.ino}`,
    path,
    size: Number(stat.size),
    mtimeMs: Number(stat.mtimeNs / 1000n) / 1000,
  }
}

function factsOrNull(path: string): FileFacts | null {
  try {
    return factsOf(path)
  } catch {
    return null
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).slice(0, MAX_NAMES)
  } catch {
    return []
  }
}
