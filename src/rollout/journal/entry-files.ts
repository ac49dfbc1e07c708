import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { syncFolder } from '../../../durable/durable-file.ts'
import { makeFolderSync } from '../../../durable/make-folder.ts'

/** Make a folder for this user alone and have it on the disk; one that is there already is fine. @throws what the system says */
export function makeFolder(dir: string): void {
  const made = makeFolderSync(dir, { mode: 0o700 })
  if (made !== undefined) syncFolder(dirname(made))
}

/**
 * Write a whole file under a name that nobody has taken yet, and have it on the disk on return: it is written and synced
 * beside it, then linked, which the kernel does for one of several alone. No lock is held, so whoever is stopped in the
 * middle holds up nobody, and no file is ever half there.
 * @returns false when the name was taken
 * @throws what the system says; then the name may be taken all the same by what was to be written
 */
export function claimFile(dir: string, name: string, text: string): boolean {
  const draft = join(dir, `.${randomBytes(8).toString('hex')}.new`)
  const fd = openSync(draft, 'wx', 0o600)
  try {
    writeFileSync(fd, text)
    fsyncSync(fd)
    linkSync(draft, join(dir, name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    closeSync(fd)
    unlinkSync(draft)
  }
  syncFolder(dir)
  return true
}
