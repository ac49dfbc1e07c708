import { closeSync, openSync, readSync } from 'node:fs'
import { EdgeError } from '../../protocol/errors.ts'
import type { RecordClass } from '../../protocol/subjects.ts'
import type { StoredRecord } from './contract.ts'
import { refusalOf } from './disk.ts'
import { decodeLines, readFrame } from './frame.ts'
import { seqOfLine, timestampOfLine } from './line.ts'
import type { Located } from './log-index.ts'

const OPEN_FILES = 8
const READ_AHEAD_BYTES = 128 * 1024
/** What says that bytes are gone for good: an evicted segment, a broken sector. */
const GONE: readonly string[] = ['ENOENT', 'EIO']

interface OpenSegment {
  readonly fd: number
  window: Buffer
  windowAt: number
}

/**
 * Reads frames by their place and verifies each anew. Keeps a few segments open with a window of bytes each, so that
 * many small frames cost one read.
 */
export class FrameReader {
  readonly #open = new Map<string, OpenSegment>()
  readonly #damaged = new Set<string>()

  /** Different frames whose checksum did not hold when they were read, since the start. */
  get damagedFrames(): number {
    return this.#damaged.size
  }

  /**
   * Records of a frame in rising sequence; none when the frame is damaged, sealed or gone.
   * @throws EdgeError `STORE_FAILING` when it cannot be read now (too many open files, no memory): whoever took that for
   * an empty frame would pass over its records.
   */
  records(place: Located, recordClass: RecordClass): StoredRecord[] {
    const frame = this.#bytesOf(place)
    const read = frame === null ? null : readFrame(frame, 0)
    if (frame === null || read === null) return []
    const lines = read.ok ? decodeLines(read.header, frame) : null
    if (!read.ok || lines === null) {
      this.#damaged.add(`${place.segment.path}:${place.ref.offset}`)
      return []
    }
    const { epoch } = read.header
    return lines.map((line) => ({
      class: recordClass,
      seq: seqOfLine(line),
      epoch,
      timestamp: timestampOfLine(line),
      line,
    }))
  }

  close(): void {
    for (const { fd } of this.#open.values()) closeSync(fd)
    this.#open.clear()
  }

  /** Close a segment that was removed, so that its space is given back. */
  forget(path: string): void {
    const open = this.#open.get(path)
    if (open === undefined) return
    closeSync(open.fd)
    this.#open.delete(path)
  }

  #bytesOf({ segment, ref }: Located): Buffer | null {
    const open = this.#segment(segment.path)
    if (open === null) return null
    const begin = ref.offset - open.windowAt
    if (begin >= 0 && begin + ref.bytes <= open.window.length) return open.window.subarray(begin, begin + ref.bytes)
    // Bytes behind the last good frame may be half written: never into the window.
    const wanted = Math.max(ref.bytes, Math.min(READ_AHEAD_BYTES, segment.bytes - ref.offset))
    const window = Buffer.allocUnsafe(wanted)
    try {
      const count = readSync(open.fd, window, 0, wanted, ref.offset)
      open.window = window.subarray(0, count)
      open.windowAt = ref.offset
      return count < ref.bytes ? null : open.window.subarray(0, ref.bytes)
    } catch (error) {
      this.forget(segment.path)
      return goneOrThrow(error)
    }
  }

  #segment(path: string): OpenSegment | null {
    const known = this.#open.get(path)
    if (known !== undefined) {
      this.#open.delete(path)
      this.#open.set(path, known)
      return known
    }
    try {
      const opened = { fd: openSync(path, 'r'), window: Buffer.alloc(0), windowAt: 0 }
      const oldest = this.#open.keys().next().value
      if (this.#open.size >= OPEN_FILES && oldest !== undefined) this.forget(oldest)
      this.#open.set(path, opened)
      return opened
    } catch (error) {
      return goneOrThrow(error)
    }
  }
}

function goneOrThrow(error: unknown): null {
  const refusal = refusalOf(error)
  if (GONE.includes(refusal)) return null
  throw new EdgeError('STORE_FAILING', {
    message: `the log cannot be read now: ${refusal}`,
    next: ['try again; nothing is lost'],
    cause: error,
  })
}
