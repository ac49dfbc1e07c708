import { DatabaseSync } from 'node:sqlite'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

/** A held lock; it is free again when released or when the process dies, however it dies. */
export interface StoreLock {
  release(): void
}

/**
 * Take sole ownership of a store: an exclusive SQLite transaction on a file that nothing else opens, since Node has no
 * flock, and since any other descriptor on that file in this process would drop the lock when closed.
 * @throws EdgeError `STORE_LOCKED` while another daemon holds it, `STORE_UNUSABLE` when the file cannot be used.
 */
export function takeLock(path: string): StoreLock {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: 0 })
    // A journal on disk would need space, and a node with a full disk must start too.
    database.exec('PRAGMA journal_mode = MEMORY')
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database?.close()
    const SQLITE_BUSY = 5
    const SQLITE_NOTADB = 26
    const { errcode } = error as { errcode?: number }
    if (errcode === SQLITE_BUSY) {
      throw new EdgeError('STORE_LOCKED', {
        message: `another daemon owns the store at ${path.replace(/\/[^/]*$/, '')}`,
        next: ['stop the other edge-daemon, or give this one its own --state-dir'],
        cause: error,
      })
    }
    throw new EdgeError('STORE_UNUSABLE', {
      message: `the lock file ${path} cannot be used: ${messageOf(error)}`,
      next: [
        errcode === SQLITE_NOTADB
          ? 'remove that file, it holds nothing'
          : 'check that the state directory exists, is on a local disk and may be written by this user',
      ],
      cause: error,
    })
  }
  const held = database
  return { release: () => held.close() }
}
