import { chmodSync, lstatSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { Quarantine } from './quarantine.ts'

const NAME = /^lock(?:\.(\d+))?\.db$/
const SQLITE_BUSY = 5
/** What SQLite says of a file that it could read, and so lock for a moment, and that is no database. */
const NO_DATABASE: readonly number[] = [1, 11, 26]
const MOST_FILES = 16

/** A held lock; it is free again when released or when the process dies, however it dies. */
export interface StoreLock {
  release(): void
}

/**
 * Take sole ownership of a store: an exclusive SQLite transaction on a file that nothing else opens, since Node has no
 * flock, and since any other descriptor on that file in this process would drop the lock when closed.
 *
 * A damaged lock file is neither repaired nor removed: it is passed over for one of the next name, and this never weakens
 * the guarantee. An owner holds every lock file that can be held; a file whose content was found damaged was not held by
 * anybody, since SQLite asks for the lock before it reads; and whoever comes later finds the other files held.
 * @param dir folder of the store
 * @param quarantine takes what stands in the way
 * @throws EdgeError `STORE_LOCKED` while another daemon holds it, `STORE_UNUSABLE` when no file can be used.
 */
export function takeLock(dir: string, quarantine: Pick<Quarantine, 'file'>): StoreLock {
  const held: DatabaseSync[] = []
  const release = (): void => {
    for (const database of held.splice(0)) database.close()
  }
  try {
    const tried = new Set<string>()
    for (;;) {
      // Looked for again until there is no other: one that appeared meanwhile may be another's.
      const names = lockNames(dir).filter((name) => !tried.has(name))
      if (names.length === 0) {
        if (held.length > 0) return { release }
        if (tried.size >= MOST_FILES) throw unusable(dir, 'none of the lock files can be used')
        names.push(nameOf(tried.size))
      }
      for (const name of names) {
        tried.add(name)
        // Never the file itself: only what stands where SQLite looks for its journals, and is none.
        for (const suffix of ['-journal', '-wal', '-shm']) quarantine.file(join(dir, `${name}${suffix}`))
        const database = hold(join(dir, name))
        if (database !== null) held.push(database)
      }
    }
  } catch (error) {
    release()
    throw error
  }
}

/** Lock files that there are, and the first of them in any case. */
function lockNames(dir: string): string[] {
  const numbered = readdirSync(dir).flatMap((name) => {
    const match = NAME.exec(name)
    return match === null ? [] : [Number(match[1] ?? 0)]
  })
  return [...new Set([0, ...numbered])].sort((a, b) => a - b).map(nameOf)
}

function nameOf(n: number): string {
  return n === 0 ? 'lock.db' : `lock.${n}.db`
}

/** Hold a lock file; null when it is no file that anybody could hold. */
function hold(path: string): DatabaseSync | null {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat !== undefined && !stat.isFile()) return null
  let database: DatabaseSync | undefined
  try {
    if (stat !== undefined && (stat.mode & 0o600) !== 0o600) chmodSync(path, 0o600)
    database = new DatabaseSync(path, { timeout: 0 })
    // A journal on disk would need space, and a node with a full disk must start too.
    database.exec('PRAGMA journal_mode = MEMORY')
    database.exec('BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    database?.close()
    const { errcode } = error as { errcode?: number }
    if (errcode === SQLITE_BUSY) {
      throw new EdgeError('STORE_LOCKED', {
        message: `another daemon owns the store at ${dirname(path)}`,
        next: ['stop the other edge-daemon, or give this one its own --state-dir'],
        cause: error,
      })
    }
    if (errcode !== undefined && NO_DATABASE.includes(errcode)) return null
    throw unusable(path, messageOf(error), error)
  }
}

function unusable(path: string, why: string, cause?: unknown): EdgeError {
  return new EdgeError('STORE_UNUSABLE', {
    message: `the lock file ${path} cannot be used: ${why}`,
    next: ['check that the state directory exists, is on a local disk and may be written by this user'],
    cause,
  })
}
