import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  statfsSync,
  unlinkSync,
  writevSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

/** The calls by which the log changes the disk; tests put a refusing one in its place. All throw what the system says. */
export interface Disk {
  /** Make a file that does not exist yet and return its descriptor. */
  create(path: string): number
  /** Open an existing file for writing. */
  open(path: string): number
  /** Write all buffers at a position, however many calls it takes. */
  write(fd: number, buffers: readonly Buffer[], position: number): void
  /** fdatasync. */
  sync(fd: number): void
  truncate(fd: number, sizeBytes: number): void
  close(fd: number): void
  unlink(path: string): void
  /** Give a file or folder another name, atomically. */
  rename(from: string, to: string): void
  /** Make a folder with its parents; one that is there already is fine. */
  makeFolder(path: string): void
  /** Make entries of a folder durable. */
  syncFolder(path: string): void
  /** What an ordinary user may still write on the disk that holds a path, in bytes. */
  freeBytes(path: string): number
}

/** The real disk. */
export const nodeDisk: Disk = {
  create: (path) => openSync(path, 'wx', 0o600),
  open: (path) => openSync(path, 'r+'),
  write(fd, buffers, position) {
    const total = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    let written = writevSync(fd, buffers, position)
    while (written < total) {
      const rest = Buffer.concat(buffers).subarray(written)
      const count = writevSync(fd, [rest], position + written)
      if (count === 0) throw Object.assign(new Error('the disk takes no more bytes'), { code: 'ENOSPC' })
      written += count
    }
  },
  sync: fdatasyncSync,
  truncate: ftruncateSync,
  close: closeSync,
  unlink: unlinkSync,
  rename: renameSync,
  makeFolder: (path) => makeFolderSync(path, { mode: 0o700 }),
  syncFolder(path) {
    const fd = openSync(path, 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  },
  freeBytes(path) {
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize
  },
}

/** The system's code of a refusal (`ENOSPC`, `EIO`, …), or its message when it has none. */
export function refusalOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : error instanceof Error ? error.message : String(error)
}

/** Sync a folder and its parent: they must outlive a power cut, or everything synced in them would not. */
export function syncFolders(disk: Disk, dir: string): void {
  for (const folder of [dir, dirname(dir)]) {
    try {
      disk.syncFolder(folder)
    } catch {
      // A parent that may be entered and not read cannot be synced; its entry is written back within seconds anyway.
    }
  }
}

/** What to tell when the folder of a store cannot be used. */
export function unusable(dir: string, error: unknown): EdgeError {
  return new EdgeError('STORE_UNUSABLE', {
    message: `the store in ${dir} cannot be used: ${messageOf(error)}`,
    next: [
      refusalOf(error) === 'EROFS'
        ? 'mount the disk of the folder writable, or set state.dir to a folder on another one'
        : 'check that the folder may be written by this user and that its disk has space',
    ],
    cause: error,
  })
}

/** Make the folder of a store. @throws EdgeError `STORE_UNUSABLE` */
export function makeStoreFolder(dir: string): void {
  try {
    makeFolderSync(dir, { mode: 0o700 })
  } catch (error) {
    throw unusable(dir, readOnlyDisk(dir) ?? error)
  }
}

/** What the system says of a folder to be made on a read-only disk, where `mkdir` says that there is none; else null. */
function readOnlyDisk(dir: string): unknown {
  let parent = dirname(dir)
  while (!existsSync(parent) && parent !== dirname(parent)) parent = dirname(parent)
  try {
    accessSync(parent, constants.W_OK)
    return null
  } catch (error) {
    return refusalOf(error) === 'EROFS' ? error : null
  }
}
