import { chownSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import * as durable from '../../durable/durable-file.ts'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

const GROUP_AND_OTHERS = 0o077
const MAX_FILE_BYTES = 16 * 1024 * 1024

/**
 * Text of a file of the identity; null when there is none.
 * @param secretMask permission bits that a secret must not have; 0 for what everybody may read
 * @throws EdgeError `IDENTITY_UNUSABLE` when it cannot be read, is far too large, or is a secret that others can read
 */
export function readOwn(path: string, secretMask: number = GROUP_AND_OTHERS): string | null {
  try {
    const held = durable.readSmallFile(path, MAX_FILE_BYTES)
    if (held === null) return null
    if ((held.mode & secretMask) === 0) return held.text
    throw new EdgeError('IDENTITY_UNUSABLE', {
      message: `${path} can be read by other users of this machine`,
      next: [`run "chmod 600 ${path}", and join anew with a new key if others may have read it`],
    })
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause
    // A state folder that is none is for the store to refuse.
    if ((cause as NodeJS.ErrnoException).code === 'ENOTDIR') return null
    throw new EdgeError('IDENTITY_UNUSABLE', {
      message: `${path} cannot be read: ${messageOf(cause)}`,
      next: ['give it to the user that edge-daemon runs as'],
      cause,
    })
  }
}

/**
 * Write a file so that a crash at any point leaves the old one or the new one, and that it is on the disk on return. The
 * folder is made, for its owner alone. What root writes is given to whom the folder above belongs, as the daemon's user.
 * @param mode permission bits
 * @throws EdgeError `IDENTITY_UNUSABLE`
 */
export function replaceFile(path: string, text: string, mode = 0o600): void {
  try {
    const owner = makeFolder(dirname(path))
    durable.replaceFile(path, text, { mode, owner })
  } catch (cause) {
    throw new EdgeError('IDENTITY_UNUSABLE', {
      message: `${path} cannot be written: ${messageOf(cause)}`,
      next: ['run this as root or as the user that edge-daemon runs as, and check the disk'],
      cause,
    })
  }
}

/** Who is to own what is written there; null when that is whoever writes. */
function makeFolder(folder: string): { uid: number; gid: number } | null {
  makeFolderSync(dirname(folder))
  const { uid, gid } = statSync(dirname(folder))
  const owner = process.getuid?.() === 0 && uid !== 0 ? { uid, gid } : null
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return owner
  }
  if (owner !== null) chownSync(folder, owner.uid, owner.gid)
  durable.syncFolder(dirname(folder))
  return owner
}
