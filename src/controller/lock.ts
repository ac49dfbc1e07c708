import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

const SQLITE_BUSY = 5

/**
 * Take sole ownership of a state folder: an exclusive SQLite transaction on a file that nothing else opens, since Node has
 * no flock. It is free again when the process dies, however it dies.
 * @returns frees it
 * @throws EdgeError `CONTROLLER_LOCKED` while another controller holds it, `CONFIG_UNSERVABLE` when it cannot be used
 */
export function lockFolder(dir: string): () => void {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(join(dir, 'lock.db'), { timeout: 0 })
    database.exec('PRAGMA journal_mode = MEMORY')
    database.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    database?.close()
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY) {
      const next = ['stop the other controller, or give this one its own state.dir']
      throw new EdgeError('CONTROLLER_LOCKED', { message: `another controller owns ${dir}`, next, cause })
    }
    throw new EdgeError('CONFIG_UNSERVABLE', {
      message: `the lock file in ${dir} cannot be used: ${messageOf(cause)}`,
      next: ['check that state.dir is on a local disk and may be written by this user'],
      cause,
    })
  }
  const held = database
  return () => held.close()
}
