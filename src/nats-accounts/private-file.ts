import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

/** Permission bits of whoever is not the owner. */
const OTHERS = 0o077

/**
 * Text of a secret file; null when there is none.
 * @throws EdgeError `BUS_UNUSABLE` when it cannot be read, or others of this machine may read it
 */
export function readSecret(path: string): string | null {
  try {
    const { mode } = statSync(path)
    if ((mode & OTHERS) !== 0) {
      throw new EdgeError('BUS_UNUSABLE', {
        message: `${path} can be read by others of this machine`,
        next: [`chmod 600 ${path}`, 'and make the keys anew if others may have read them'],
      })
    }
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new EdgeError('BUS_UNUSABLE', {
      message: `${path} cannot be read: ${messageOf(cause)}`,
      next: ['see who owns it'],
      cause,
    })
  }
}

/**
 * Write a file such that a crash leaves the old one or the new one. Its folder is made, for its owner alone.
 * @param mode permission bits: a secret has 0o600
 * @throws EdgeError `OUTPUT_REFUSED`
 */
export function replaceFile(path: string, text: string, mode: number): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const draft = `${path}.${randomBytes(6).toString('hex')}.new`
    const fd = openSync(draft, 'wx', mode)
    try {
      writeFileSync(fd, text)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(draft, path)
    const folder = openSync(dirname(path), 'r')
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
  } catch (cause) {
    throw new EdgeError('OUTPUT_REFUSED', {
      message: `${path} cannot be written: ${messageOf(cause)}`,
      next: ['name a folder that you may write'],
      cause,
    })
  }
}
