import { closeSync, fstatSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { type KnownHost, parseKnownHosts } from './known-hosts.ts'

const MAX_FILE_BYTES = 64 * 1024 * 1024

/** All lines of some files; one that does not exist has none. @throws EdgeError `SSH_CONFIG_INVALID` when one cannot be read */
export function readKnownHosts(files: readonly string[]): readonly KnownHost[] {
  return files.flatMap((file) => {
    try {
      const fd = openSync(file, 'r')
      try {
        if (fstatSync(fd).size > MAX_FILE_BYTES) throw new Error('it is far too large')
        return parseKnownHosts(readFileSync(fd, 'utf8'), file)
      } finally {
        closeSync(fd)
      }
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw unusable(file, 'read', cause)
    }
  })
}

/**
 * Write a line down at the end of a file, which is made for its user alone. Several consoles may do so at once; a line that was
 * cut off before it is ended first.
 * @throws EdgeError `SSH_CONFIG_INVALID`
 */
export function appendKnownHost(file: string, line: string): void {
  try {
    makeFolderSync(dirname(file), { mode: 0o700 })
    const fd = openSync(file, 'a+', 0o600)
    try {
      const { size } = fstatSync(fd)
      const last = Buffer.alloc(1)
      const isWhole = size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last.toString() === '\n')
      writeFileSync(fd, `${isWhole ? '' : '\n'}${line}\n`)
    } finally {
      closeSync(fd)
    }
  } catch (cause) {
    throw unusable(file, 'written', cause)
  }
}

function unusable(file: string, what: string, cause: unknown): EdgeError {
  return new EdgeError('SSH_CONFIG_INVALID', {
    message: `the known SSH keys in ${file} cannot be ${what}: ${messageOf(cause)}`,
    next: ['let the file be yours and readable, or name another one by "ssh: {knownHosts: FILE}" in the context'],
    cause,
  })
}
