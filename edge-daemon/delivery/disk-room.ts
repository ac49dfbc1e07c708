import { statfs } from 'node:fs/promises'
import { EdgeError } from '../../protocol/errors.ts'

/** What must stay free beside a package, and how it is found out. */
export interface DiskRoom {
  /** Results and logs need room too: so many bytes are left to them. */
  readonly keepFreeBytes: number
  /** What an ordinary user may still write on the disk that holds a path. */
  readonly freeBytes?: (path: string) => Promise<number>
}

/** How many bytes too few are free for so many more; 0 when they fit. */
export async function lackingBytes(path: string, neededBytes: number, room: DiskRoom): Promise<number> {
  if (neededBytes === 0) return 0
  const free = await (room.freeBytes ?? freeBytesOf)(path)
  return Math.max(0, room.keepFreeBytes + neededBytes - free)
}

/**
 * See that so many more bytes fit, before the first of them is fetched.
 * @throws EdgeError `DISK_FULL` with the figures
 */
export async function mustHaveRoom(path: string, neededBytes: number, room: DiskRoom): Promise<void> {
  if ((await lackingBytes(path, neededBytes, room)) === 0) return
  const free = await (room.freeBytes ?? freeBytesOf)(path)
  throw diskFull(
    `${megabytes(neededBytes)} are to come to ${path}, where ${megabytes(free)} are free and ${megabytes(room.keepFreeBytes)} must stay free`,
  )
}

/**
 * See that there is still as much free as must stay so, while bytes come: others write to the same disk.
 * @throws EdgeError `DISK_FULL` with the figures
 */
export async function mustStayFree(path: string, room: DiskRoom): Promise<void> {
  const free = await (room.freeBytes ?? freeBytesOf)(path)
  if (free >= room.keepFreeBytes) return
  throw diskFull(`${megabytes(free)} are free at ${path} by now, and ${megabytes(room.keepFreeBytes)} must stay free`)
}

/** What a write that the disk refused is told as; null for every other failure. */
export function asDiskFull(error: unknown, path: string): EdgeError | null {
  const code = (error as NodeJS.ErrnoException | null)?.code
  return code === 'ENOSPC' || code === 'EDQUOT' ? diskFull(`the disk of ${path} is full`, error) : null
}

function diskFull(message: string, cause?: unknown): EdgeError {
  return new EdgeError('DISK_FULL', {
    message,
    next: ['remove packages that are not needed, or lower store.maxBytes or delivery.keepFree'],
    cause,
  })
}

async function freeBytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
