import { dirname } from 'node:path'
import * as durable from '../../durable/durable-file.ts'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

/** Far above what a key, a token or a configuration has. */
const MAX_FILE_BYTES = 16 * 1024 * 1024
/** Permission bits of whoever is not the owner. */
const OTHERS = 0o077

/**
 * Text of a secret file; null when there is none.
 * @throws EdgeError `BUS_UNUSABLE` when it cannot be read, or others of this machine may read it
 */
export function readSecret(path: string): string | null {
  try {
    const held = durable.readSmallFile(path, MAX_FILE_BYTES)
    if (held === null || (held.mode & OTHERS) === 0) return held?.text ?? null
    throw new EdgeError('BUS_UNUSABLE', {
      message: `${path} can be read by others of this machine`,
      next: [`chmod 600 ${path}`, 'and make the keys anew if others may have read them'],
    })
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause
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
    makeFolderSync(dirname(path), { mode: 0o700 })
    durable.replaceFile(path, text, { mode })
  } catch (cause) {
    throw new EdgeError('OUTPUT_REFUSED', {
      message: `${path} cannot be written: ${messageOf(cause)}`,
      next: ['name a folder that you may write'],
      cause,
    })
  }
}
