import { readFileSync, realpathSync, statSync } from 'node:fs'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { replaceFile } from '../pki/durable-file.ts'

/** Text of a configuration; empty when there is none yet. @throws EdgeError `CONFIG_UNREADABLE` */
export function readConfigText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new EdgeError('CONFIG_UNREADABLE', {
      message: `${file}: ${messageOf(cause)}`,
      next: ['let it be readable, or name another file with --config'],
      cause,
    })
  }
}

/**
 * Change a configuration: the old or the new one is there after a crash, its permissions stay, and a link to it too.
 * @throws EdgeError `OUTPUT_REFUSED` when it cannot be written, or somebody else changed it since it was read
 */
export function changeConfig(file: string, change: (text: string) => string): void {
  const before = readConfigText(file)
  const after = change(before)
  if (readConfigText(file) !== before)
    throw refused(file, 'somebody else changed it meanwhile', ['run the command again'])
  try {
    const stat = statSync(file, { throwIfNoEntry: false })
    replaceFile(stat === undefined ? file : realpathSync(file), after, stat === undefined ? 0o600 : stat.mode & 0o777)
  } catch (cause) {
    throw refused(file, messageOf(cause), ['see that its folder is yours and not full'], cause)
  }
}

function refused(file: string, why: string, next: readonly string[], cause?: unknown): EdgeError {
  return new EdgeError('OUTPUT_REFUSED', { message: `${file} was not changed: ${why}`, next, cause })
}
