import { closeSync, openSync, readSync } from 'node:fs'
import { EdgeError } from '../../protocol/errors.ts'
import { refusalOf } from '../store/disk.ts'
import type { FrameRef } from '../store/frame-table.ts'
import { readAround } from '../store/read-around.ts'

/** What is read of a segment at a time. */
const WINDOW_BYTES = 512 * 1024

/**
 * The bytes of one open segment file, a window at a time. While it is open an eviction takes nothing from it, and the disk
 * does not get its space back: it is open for as long as a page takes.
 */
export class SegmentBytes {
  readonly #fd: number
  readonly #newestFirst: boolean
  #window: Buffer = Buffer.alloc(0)
  #windowAt = 0

  private constructor(fd: number, newestFirst: boolean) {
    this.#fd = fd
    this.#newestFirst = newestFirst
  }

  /**
   * Open a segment; null when the file is gone, evicted or rewritten into another.
   * @throws EdgeError `STORE_FAILING` when it cannot be opened now
   */
  static open(path: string, newestFirst: boolean): SegmentBytes | null {
    try {
      return new SegmentBytes(openSync(path, 'r'), newestFirst)
    } catch (error) {
      if (refusalOf(error) === 'ENOENT') return null
      throw cannotBeRead(error)
    }
  }

  /**
   * The bytes of an extent; what the disk does not give of them is zeros, which is no frame.
   * @throws EdgeError `STORE_FAILING` when it cannot be read now
   */
  of({ offset, bytes }: FrameRef): Buffer {
    const begin = offset - this.#windowAt
    if (begin >= 0 && begin + bytes <= this.#window.length) return this.#window.subarray(begin, begin + bytes)
    const length = Math.max(bytes, WINDOW_BYTES)
    const from = this.#newestFirst ? Math.max(0, offset + bytes - length) : offset
    try {
      // Bytes behind the last extent may be half written, and are never looked at.
      this.#window = read(this.#fd, from, this.#newestFirst ? offset + bytes - from : length)
      this.#windowAt = from
      const at = offset - from
      if (at + bytes <= this.#window.length) return this.#window.subarray(at, at + bytes)
      return readAround(this.#fd, { offset, length: bytes }, isBroken)
    } catch (error) {
      throw cannotBeRead(error)
    }
  }

  close(): void {
    closeSync(this.#fd)
  }
}

/** Bytes as far as they can be had in one go; none at a broken sector. */
function read(fd: number, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length)
  try {
    return buffer.subarray(0, readSync(fd, buffer, 0, length, offset))
  } catch (error) {
    if (isBroken(error)) return Buffer.alloc(0)
    throw error
  }
}

function isBroken(error: unknown): boolean {
  return refusalOf(error) === 'EIO'
}

function cannotBeRead(error: unknown): EdgeError {
  return new EdgeError('STORE_FAILING', {
    message: `the log cannot be read now: ${refusalOf(error)}`,
    next: ['try again; nothing is lost'],
    cause: error,
  })
}
