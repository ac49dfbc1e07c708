import { randomBytes } from 'node:crypto'
import {
  chownSync,
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { chown, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What a small file holds, and who may read it. */
export interface HeldText {
  readonly text: string
  /** Permission bits. */
  readonly mode: number
}

/** How a file is put in place. */
export interface Placing {
  /** Permission bits, whatever the umask is; 0o600 unless told. */
  readonly mode?: number
  /** To whom it is given; null for whoever writes. */
  readonly owner?: { readonly uid: number; readonly gid: number } | null
  /** Nobody else writes it: what a crash left beside it is then written over instead of lying there for ever. */
  readonly isSole?: boolean
}

/**
 * Text of a small file with the permissions that it had when it was opened; null when there is none.
 * @throws what the system says, or a RangeError for one over `maxBytes`
 */
export function readSmallFile(path: string, maxBytes: number): HeldText | null {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const { mode, size } = fstatSync(fd)
    if (size > maxBytes) throw new RangeError(`it is far too large, over ${maxBytes} bytes`)
    return { text: readFileSync(fd, 'utf8'), mode: mode & 0o7777 }
  } finally {
    closeSync(fd)
  }
}

/**
 * Write a small file so that a crash at any point leaves the old one or the new one, and that it is on the disk on return:
 * written beside, synced, renamed, the folder synced. The folder must be there.
 * @throws what the system says; the old file is then untouched, and nothing lies beside it
 */
export function replaceFile(path: string, data: string | Uint8Array, placing: Placing = {}): void {
  const { mode = 0o600, owner = null, isSole = false } = placing
  const draft = isSole ? `${path}.new` : `${path}.${randomBytes(6).toString('hex')}.new`
  const fd = openSync(draft, isSole ? 'w' : 'wx', mode)
  try {
    fchmodSync(fd, mode)
    writeFileSync(fd, data)
    fsyncSync(fd)
    if (owner !== null) chownSync(draft, owner.uid, owner.gid)
    renameSync(draft, path)
  } catch (error) {
    unlinkSync(draft)
    throw error
  } finally {
    closeSync(fd)
  }
  syncFolder(dirname(path))
}

/**
 * As {@link replaceFile}, in the same order, while other threads wait for the disk: for a thread that answers devices.
 * Two at once for one `isSole` file are a mistake of who calls.
 * @throws what the system says; the old file is then untouched, and nothing lies beside it
 */
export async function putFile(path: string, data: string | Uint8Array, placing: Placing = {}): Promise<void> {
  const { mode = 0o600, owner = null, isSole = false } = placing
  const draft = isSole ? `${path}.new` : `${path}.${randomBytes(6).toString('hex')}.new`
  const file = await open(draft, isSole ? 'w' : 'wx', mode)
  try {
    await file.chmod(mode)
    await file.writeFile(data)
    await file.sync()
    if (owner !== null) await chown(draft, owner.uid, owner.gid)
    await rename(draft, path)
  } catch (error) {
    await unlink(draft)
    throw error
  } finally {
    await file.close()
  }
  await putFolder(dirname(path))
}

/** As {@link syncFolder}, while other threads wait for the disk. @throws what the system says */
export async function putFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * Append a line and have it on the disk on return. A line that a crash cut off before it is ended first, so that it spoils no
 * other. @throws what the system says
 */
export function appendLine(path: string, line: string, mode = 0o600): void {
  const fd = openSync(path, 'a+', mode)
  try {
    const { size } = fstatSync(fd)
    const last = Buffer.alloc(1)
    const isWhole = size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last.toString() === '\n')
    writeFileSync(fd, `${isWhole ? '' : '\n'}${line}\n`)
    fsyncSync(fd)
    if (size === 0) syncFolder(dirname(path))
  } finally {
    closeSync(fd)
  }
}

/** Remove a file for good; one that is not there is fine. @throws what the system says */
export function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  syncFolder(dirname(path))
}

/** Have on the disk what was made, renamed or removed in a folder. @throws what the system says */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
