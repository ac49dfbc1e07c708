import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

const OTHERS = 0o077
const MAX_FILE_BYTES = 64 * 1024 * 1024

/**
 * Text of a file of an identity or authority; null when there is none.
 * @throws EdgeError `PKI_UNUSABLE` when it cannot be read, or is `secret` and open to others of this machine
 */
export function readText(path: string, { secret = false }: { readonly secret?: boolean } = {}): string | null {
  try {
    const fd = openSync(path, 'r')
    try {
      const { mode, size } = fstatSync(fd)
      if (secret && (mode & OTHERS) !== 0) throw exposed(path)
      if (size > MAX_FILE_BYTES) throw new Error('it is far too large')
      return readFileSync(fd, 'utf8')
    } finally {
      closeSync(fd)
    }
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw refused(path, 'read', cause)
  }
}

/**
 * Write a file such that a crash leaves the old one or the new one, and that it is on the disk on return. Its folder is
 * made, for its owner alone.
 * @param mode permission bits
 * @throws EdgeError `PKI_UNUSABLE`
 */
export function replaceFile(path: string, text: string, mode = 0o644): void {
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const fd = openSync(draft, 'wx', mode)
    try {
      fchmodSync(fd, mode)
      writeFileSync(fd, text)
      fsyncSync(fd)
      renameSync(draft, path)
    } catch (error) {
      unlinkSync(draft)
      throw error
    } finally {
      closeSync(fd)
    }
    syncFolder(dirname(path))
  } catch (cause) {
    throw refused(path, 'written', cause)
  }
}

/**
 * Append a line and have it on the disk on return. A line that a crash cut off before it is ended first, so that it spoils
 * no other.
 * @throws EdgeError `PKI_UNUSABLE`
 */
export function appendLine(path: string, line: string, mode = 0o600): void {
  try {
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
  } catch (cause) {
    throw refused(path, 'written', cause)
  }
}

/** Remove a file for good; one that is not there is fine. @throws EdgeError `PKI_UNUSABLE` */
export function removeFile(path: string): void {
  try {
    unlinkSync(path)
    syncFolder(dirname(path))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw refused(path, 'removed', cause)
  }
}

function syncFolder(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function exposed(path: string): EdgeError {
  return new EdgeError('PKI_UNUSABLE', {
    message: `${path} is open to other users of this machine`,
    next: [`run "chmod 600 ${path}"`, 'take another key when others may have read it'],
  })
}

function refused(path: string, what: string, cause: unknown): EdgeError {
  return new EdgeError('PKI_UNUSABLE', {
    message: `${path} cannot be ${what}: ${messageOf(cause)}`,
    next: ['check that the folder is there, is yours and is not full'],
    cause,
  })
}
