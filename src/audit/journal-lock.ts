import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'

const SQLITE_BUSY = 5
const RETRY_MS = 10

/**
 * Do something while no other console of this user does, by an exclusive SQLite transaction on a file of its own, since
 * Node has no flock; the lock is free again when the process dies, however it dies.
 * @throws Error when the file cannot be used, or others hold it for `timeoutMs`
 */
export async function withLock<T>(path: string, work: () => T, timeoutMs = 5000): Promise<T> {
  const untilMs = performance.now() + timeoutMs
  for (;;) {
    const database = new DatabaseSync(path, { timeout: 0 })
    try {
      database.exec('PRAGMA journal_mode = MEMORY')
      database.exec('BEGIN EXCLUSIVE')
      return work()
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY || performance.now() > untilMs) throw error
    } finally {
      database.close()
    }
    await pause(RETRY_MS)
  }
}
