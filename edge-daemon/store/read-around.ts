import { readSync } from 'node:fs'

const UNREADABLE_STEP_BYTES = 4096

/**
 * Bytes of a file from `offset`, `length` of them. Stretches that the disk cannot read are zeros, which no frame's
 * checksum accepts, and so is what lies behind the end of the file.
 * @param isGone whether an error says so; any other is thrown.
 */
export function readAround(
  fd: number,
  { offset, length }: { offset: number; length: number },
  isGone: (error: unknown) => boolean,
): Buffer {
  const buffer = Buffer.alloc(length)
  let stepBytes = length
  let filled = 0
  while (filled < length) {
    const wanted = Math.min(stepBytes, length - filled)
    try {
      const count = readSync(fd, buffer, filled, wanted, offset + filled)
      if (count === 0) break
      filled += count
    } catch (error) {
      if (!isGone(error)) throw error
      if (stepBytes <= UNREADABLE_STEP_BYTES) filled += wanted
      stepBytes = UNREADABLE_STEP_BYTES
    }
  }
  return buffer
}
