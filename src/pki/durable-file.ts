import { dirname } from 'node:path'
import * as durable from '../../durable/durable-file.ts'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

const OTHERS = 0o077
const MAX_FILE_BYTES = 64 * 1024 * 1024

/**
 * Text of a file of an identity or authority; null when there is none.
 * @throws EdgeError `PKI_UNUSABLE` when it cannot be read, or is `secret` and open to others of this machine
 */
export function readText(path: string, { secret = false }: { readonly secret?: boolean } = {}): string | null {
  try {
    const held = durable.readSmallFile(path, MAX_FILE_BYTES)
    if (held !== null && secret && (held.mode & OTHERS) !== 0) throw exposed(path)
    return held?.text ?? null
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause
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
  try {
    makeFolderSync(dirname(path), { mode: 0o700 })
    durable.replaceFile(path, text, { mode })
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
    durable.appendLine(path, line, mode)
  } catch (cause) {
    throw refused(path, 'written', cause)
  }
}

/** Remove a file for good; one that is not there is fine. @throws EdgeError `PKI_UNUSABLE` */
export function removeFile(path: string): void {
  try {
    durable.removeFile(path)
  } catch (cause) {
    throw refused(path, 'removed', cause)
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
