import { EpochReader, FRAME_MAGIC, type FrameHeader, HEADER_BYTES, PAYLOAD_BYTES_AT, readFrame } from './frame.ts'
import { readAround } from './read-around.ts'

const READ_BYTES = 1024 * 1024

/** Bytes of a segment that are no good frame. */
export interface Damage {
  readonly offset: number
  readonly bytes: number
}

/** Who hears of what a scan finds, in order of its place. */
export interface ScanListener {
  frame(header: FrameHeader, offset: number, frameBytes: number): void
  /** A damaged stretch; one that reaches the end of the segment may be a torn write. */
  damage(damage: Damage): void
}

/**
 * Read a segment from front to back in 1 MiB reads and report every frame whose checksum holds. Damaged bytes are
 * skipped up to the next good frame.
 */
export function scanSegment(fd: number, sizeBytes: number, listener: ScanListener): void {
  const window = new ReadWindow(fd, sizeBytes)
  let offset = 0
  while (offset < sizeBytes) {
    const read = window.frameAt(offset)
    if (read.ok) {
      listener.frame(read.header, offset, read.frameBytes)
      offset += read.frameBytes
      continue
    }
    const resume = nextGoodFrame(window, offset + 1, sizeBytes)
    listener.damage({ offset, bytes: resume - offset })
    offset = resume
  }
}

/** Where the next good frame begins at or behind a place; the size of the segment when there is none. */
export function nextGoodFrame(window: ReadWindow, from: number, sizeBytes: number): number {
  let offset = window.findMagic(from)
  while (offset < sizeBytes && !window.frameAt(offset).ok) offset = window.findMagic(offset + 1)
  return offset
}

/** The bytes of a segment as far as they were read, 1 MiB or a frame at a time. */
export class ReadWindow {
  readonly #fd: number
  readonly #sizeBytes: number
  readonly #epochs = new EpochReader()
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(fd: number, sizeBytes: number) {
    this.#fd = fd
    this.#sizeBytes = sizeBytes
  }

  frameAt(offset: number): ReturnType<typeof readFrame> {
    this.#cover(offset, HEADER_BYTES)
    let read = readFrame(this.#bytes, offset - this.#at, this.#epochs)
    if (!read.ok && read.reason === 'short' && this.#end() < this.#sizeBytes) {
      const payloadBytes = this.#bytes.readUInt32LE(offset - this.#at + PAYLOAD_BYTES_AT)
      this.#cover(offset, HEADER_BYTES + payloadBytes)
      read = readFrame(this.#bytes, offset - this.#at, this.#epochs)
    }
    return read
  }

  /** Bytes of a frame that {@link frameAt} has just found good. */
  bytesAt(offset: number, bytes: number): Buffer {
    return this.#bytes.subarray(offset - this.#at, offset - this.#at + bytes)
  }

  /** Offset of the next magic at or behind `from`; the size of the segment when there is none. */
  findMagic(from: number): number {
    let offset = from
    while (offset + FRAME_MAGIC.length <= this.#sizeBytes) {
      this.#cover(offset, FRAME_MAGIC.length)
      const found = this.#bytes.indexOf(FRAME_MAGIC, offset - this.#at)
      if (found >= 0) return this.#at + found
      offset = this.#end() - FRAME_MAGIC.length + 1
    }
    return this.#sizeBytes
  }

  #end(): number {
    return this.#at + this.#bytes.length
  }

  #cover(offset: number, bytes: number): void {
    const wantedEnd = Math.min(this.#sizeBytes, offset + bytes)
    if (offset >= this.#at && wantedEnd <= this.#end()) return
    const length = Math.min(this.#sizeBytes - offset, Math.max(bytes, READ_BYTES))
    this.#bytes = readAround(this.#fd, { offset, length }, () => true)
    this.#at = offset
  }
}
