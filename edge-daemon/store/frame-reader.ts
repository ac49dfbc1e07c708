import { closeSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { EdgeError } from '../../protocol/errors.ts'
import type { RecordClass } from '../../protocol/subjects.ts'
import type { StoredRecord } from './contract.ts'
import { DamageCount } from './damage-count.ts'
import { refusalOf } from './disk.ts'
import {
  checkFrame,
  decodeFrame,
  decodeLines,
  EpochReader,
  FRAME_MAGIC,
  type FrameHeader,
  readFrame,
  readHeader,
  type VerifiedFrame,
} from './frame.ts'
import type { DamagedStretch } from './ledger.ts'
import { seqOfLine, timestampOfLine } from './line.ts'
import type { Located } from './log-index.ts'
import { readAround } from './read-around.ts'
import type { RunBuilder } from './run-builder.ts'
import type { KeyRing } from './seal.ts'

const OPEN_FILES = 8
const READ_AHEAD_BYTES = 128 * 1024
/** What says that a segment is gone for good: it was evicted, or its inode cannot be read. */
const GONE: readonly string[] = ['ENOENT', 'EIO']

/** Sequences to read, both bounds outside; what is left out is open. */
export interface SeqRange {
  readonly afterSeq?: number
  readonly beforeSeq?: number
  /** Refuse rather than leave out what is sealed under a key that may come back. */
  readonly wholeOnly?: boolean
}

/** Whoever wants all records has come to one that is sealed under a missing key; `before` are those that come before it. */
export class SealedAway extends EdgeError {
  readonly before: readonly StoredRecord[]

  constructor({ keyId, firstSeq }: FrameHeader, before: readonly StoredRecord[]) {
    super('STORE_FAILING', {
      message: `records from sequence ${firstSeq} on are sealed under key ${keyId}, which is not in the key ring`,
      next: [`put key ${keyId} back into the key file, or the line "${keyId}:lost" when it is gone for good`],
    })
    this.before = before
  }
}

interface OpenSegment {
  readonly fd: number
  window: Buffer
  windowAt: number
}

/**
 * Reads frames and extents by their place and verifies each frame anew. Keeps a few segments open with a window of bytes
 * each, so that many small ones cost one read.
 */
export class FrameReader {
  readonly #keys: KeyRing
  readonly #onDamage: (path: string, damage: DamagedStretch) => void
  readonly #open = new Map<string, OpenSegment>()
  readonly #damaged = new DamageCount()
  readonly #epochs = new EpochReader()

  /** @param onDamage hears of each damaged stretch once, when it is come across */
  constructor(keys: KeyRing, onDamage: (path: string, damage: DamagedStretch) => void = () => undefined) {
    this.#keys = keys
    this.#onDamage = onDamage
  }

  /** Different stretches that were no good frames when they were read, since the start. */
  get damagedStretches(): number {
    return this.#damaged.count
  }

  /**
   * Records of a class in a frame or an extent, in rising sequence, without those of frames that are damaged, gone, or
   * sealed under a key that is not here.
   * @throws EdgeError `STORE_FAILING` when it cannot be read now (too many open files, no memory): whoever took that for
   * an empty extent would pass over its records. With `wholeOnly`, {@link SealedAway}.
   */
  records(place: Located, recordClass: RecordClass, range: SeqRange = {}): StoredRecord[] {
    const records: StoredRecord[] = []
    this.#walk(place, recordClass, (bytes, frame) => this.#take(bytes, frame, range, records))
    return records
  }

  /**
   * As {@link records}, for the bytes of records: add them to a run until it says that it is full.
   * @throws as {@link records} with `wholeOnly`
   */
  addTo(run: RunBuilder, place: Located, recordClass: RecordClass, range: SeqRange): void {
    const { afterSeq = 0, beforeSeq = Number.POSITIVE_INFINITY } = range
    this.#walk(place, recordClass, (bytes, frame) => {
      if (run.isFull) return true
      const header = readHeader(bytes, 0, frame, this.#epochs)
      if (header.lastSeq <= afterSeq || header.firstSeq >= beforeSeq) return true
      if (!this.#keys.has(header.keyId)) {
        if (!this.#keys.isLost(header.keyId)) throw new SealedAway(header, [])
        return true
      }
      const ndjson = decodeFrame(header, bytes, this.#keys)
      return ndjson !== null && run.add(header, ndjson)
    })
  }

  /** As {@link records} behind a sequence, for who only counts: an extent that cannot be read now has none. */
  readonly countable = (place: Located, recordClass: RecordClass, afterSeq: number): readonly StoredRecord[] => {
    try {
      return this.records(place, recordClass, { afterSeq })
    } catch {
      return []
    }
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
      const place = ref.offset
      open.window = window.subarray(
        0,
        readable(() => readSync(open.fd, window, 0, wanted, place)),
      )
      open.windowAt = place
      if (open.window.length >= ref.bytes) return open.window.subarray(0, ref.bytes)
      return readAround(open.fd, { offset: place, length: ref.bytes }, isBrokenSector)
    } catch (error) {
      this.forget(segment.path)
      throw cannotBeRead(error)
    }
  }

  /** Give every good frame of a class to `use`; what is none, and what `use` says is none, counts as damaged. */
  #walk(place: Located, recordClass: RecordClass, use: (bytes: Buffer, frame: VerifiedFrame) => boolean): void {
    const bytes = this.#bytesOf(place)
    let offset = 0
    while (bytes !== null && offset < bytes.length) {
      const frame = checkFrame(bytes, offset)
      const end = frame.ok ? offset + frame.frameBytes : nextGoodFrame(bytes, offset + 1)
      const isGood = frame.ok && (frame.class !== recordClass || use(bytes.subarray(offset, end), frame))
      if (!isGood) this.#noteDamage(place, bytes, { offset, end })
      offset = end
    }
  }

  #noteDamage({ segment, ref }: Located, bytes: Buffer, { offset, end }: { offset: number; end: number }): void {
    if (!this.#damaged.note(segment.path, ref.offset + offset, ref.offset + end)) return
    this.#onDamage(segment.path, {
      segment: basename(segment.path),
      offset: ref.offset + offset,
      bytes: end - offset,
      afterSeq: lastSeqBefore(bytes, offset) ?? ref.firstSeq - 1,
      beforeSeq: firstSeqBehind(bytes, end) ?? ref.lastSeq + 1,
    })
  }

  /** Add the records of a frame that are in the range; false when the frame cannot be decoded. */
  #take(bytes: Buffer, frame: VerifiedFrame, range: SeqRange, records: StoredRecord[]): boolean {
    const { afterSeq = 0, beforeSeq = Number.POSITIVE_INFINITY } = range
    const header = readHeader(bytes, 0, frame, this.#epochs)
    if (header.lastSeq <= afterSeq || header.firstSeq >= beforeSeq) return true
    if (!this.#keys.has(header.keyId)) {
      if (range.wholeOnly && !this.#keys.isLost(header.keyId)) throw new SealedAway(header, records)
      return true
    }
    const lines = decodeLines(header, bytes, this.#keys)
    if (lines === null) return false
    for (const line of lines) {
      const seq = seqOfLine(line)
      if (seq <= afterSeq || seq >= beforeSeq) continue
      records.push({ class: frame.class, seq, epoch: header.epoch, timestamp: timestampOfLine(line), line })
    }
    return true
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
      if (GONE.includes(refusalOf(error))) return null
      throw cannotBeRead(error)
    }
  }
}

/** Where the next frame whose checksum holds begins at or behind a place of some bytes; their end when there is none. */
export function nextGoodFrame(bytes: Buffer, from: number): number {
  let offset = bytes.indexOf(FRAME_MAGIC, from)
  while (offset >= 0 && !checkFrame(bytes, offset).ok) offset = bytes.indexOf(FRAME_MAGIC, offset + 1)
  return offset < 0 ? bytes.length : offset
}

/** Last sequence of the commits that end in good frames before a place; null when there is none. */
function lastSeqBefore(bytes: Buffer, end: number): number | null {
  let lastSeq: number | null = null
  let highest = 0
  for (let offset = 0; offset < end; ) {
    const read = readFrame(bytes, offset)
    offset = read.ok ? offset + read.frameBytes : nextGoodFrame(bytes, offset + 1)
    if (!read.ok) continue
    // Frames of one commit share a range of sequences.
    highest = Math.max(highest, read.header.lastSeq)
    if (read.header.endsCommit) lastSeq = highest
  }
  return lastSeq
}

/** First sequence of the first commit that surely begins at or behind a place; null when there is none. */
function firstSeqBehind(bytes: Buffer, begin: number): number | null {
  let isBegin = false
  for (let offset = begin; offset < bytes.length; ) {
    const read = readFrame(bytes, offset)
    if (!read.ok) return null
    if (isBegin) return read.header.firstSeq
    isBegin = read.header.endsCommit
    offset += read.frameBytes
  }
  return null
}

function isBrokenSector(error: unknown): boolean {
  return refusalOf(error) === 'EIO'
}

/** How many bytes a read brought; none when it came upon a broken sector. */
function readable(read: () => number): number {
  try {
    return read()
  } catch (error) {
    if (isBrokenSector(error)) return 0
    throw error
  }
}

function cannotBeRead(error: unknown): EdgeError {
  return new EdgeError('STORE_FAILING', {
    message: `the log cannot be read now: ${refusalOf(error)}`,
    next: ['try again; nothing is lost'],
    cause: error,
  })
}
