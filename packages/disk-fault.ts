import { EdgeError, messageOf } from '../protocol/errors.ts'

/** What a file itself is to blame for: it is not there, or is a link, a folder or a socket where a file should be. */
const OF_THE_FILE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO', 'ENAMETOOLONG'])

/**
 * What a disk or the system says instead of giving the bytes of a package (EMFILE, EIO, ENOMEM, EACCES …), as an error that
 * says nothing of the package: nobody has seen what is in the file. Null for every other failure.
 * @returns EdgeError `PACKAGE_UNREAD`
 */
export function diskFault(path: string, error: unknown): EdgeError | null {
  if (!(error instanceof Error) || error instanceof EdgeError) return null
  const { code, syscall } = error as NodeJS.ErrnoException
  if (syscall === undefined || code === undefined || OF_THE_FILE.has(code)) return null
  return new EdgeError('PACKAGE_UNREAD', {
    message: `${path} cannot be read now: ${messageOf(error)}`,
    next: [
      'let its user read it, and see what the system says of that disk; it is read again later',
      'where that file can never be read again, remove the folder of the package and bring it anew',
    ],
    cause: error,
  })
}
