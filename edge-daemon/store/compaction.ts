import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { RecordClass } from '../../protocol/subjects.ts'
import type { Disk } from './disk.ts'
import { type Walked, walkFrames } from './frame-walk.ts'
import { Segment, type SegmentName } from './log-index.ts'
import type { Damage } from './scan.ts'
import { PART_SUFFIX, segmentFile } from './segment-files.ts'
import { writeSegmentIndex } from './segment-index.ts'

const SLICE_BYTES = 1024 * 1024
const WRITE_BYTES = 256 * 1024

/** Neighbouring segments to rewrite as one, without the classes that go. */
export interface CompactionOrder {
  readonly sources: readonly Segment[]
  readonly going: ReadonlySet<RecordClass>
  /** Last sequence before the segment that follows. */
  readonly throughSeq: number
}

/**
 * Rewrites segments without what goes: frames that stay are copied byte for byte, sealed ones too, into a file that is no
 * part of the log until {@link finish} renames it. A death before leaves the old segments, a death behind it leaves both,
 * and the name says which one counts.
 */
export class Compaction {
  readonly order: CompactionOrder
  readonly #disk: Disk
  readonly #folder: string
  readonly #onDamage: (segment: Segment, damage: Damage) => void
  readonly #result: Segment
  readonly #partPath: string
  readonly #frames: Generator<Walked | null, void, void>
  #fd: number | null = null
  #buffers: Buffer[] = []
  #waitingBytes = 0
  #writtenBytes = 0
  #isCopied = false

  constructor(
    order: CompactionOrder,
    into: { folder: string; disk: Disk; onDamage: (segment: Segment, damage: Damage) => void },
  ) {
    this.order = order
    this.#disk = into.disk
    this.#folder = into.folder
    this.#onDamage = into.onDamage
    const name = nameOf(order)
    this.#result = new Segment(join(into.folder, segmentFile(name)), name)
    this.#partPath = `${this.#result.path}${PART_SUFFIX}`
    this.#result.begunAtMs = order.sources[0]?.begunAtMs ?? 0
    this.#result.writtenAtMs = Math.max(...order.sources.map(({ writtenAtMs }) => writtenAtMs))
    this.#frames = this.#walk()
  }

  /** Everything is copied and synced: only {@link finish} is left. */
  get isCopied(): boolean {
    return this.#isCopied
  }

  /** Copy about a MiB and sync it; true when all is copied. @throws what the disk says: {@link abandon} it then. */
  step(): boolean {
    this.#fd ??= this.#disk.create(this.#partPath)
    let walkedBytes = 0
    let isDone = false
    while (walkedBytes < SLICE_BYTES) {
      const { value, done } = this.#frames.next()
      if (done === true) {
        isDone = true
        break
      }
      if (value === null || value.damage !== null) continue
      walkedBytes += value.bytes.length
      if (this.order.going.has(value.header.class)) continue
      this.#result.add(value.header, this.#result.bytes, value.bytes.length)
      this.#result.bytes += value.bytes.length
      this.#buffers.push(value.bytes)
      this.#waitingBytes += value.bytes.length
      if (this.#waitingBytes >= WRITE_BYTES) this.#write(this.#fd)
    }
    this.#write(this.#fd)
    this.#disk.sync(this.#fd)
    this.#isCopied = isDone
    return isDone
  }

  /** Put the copy into the log. @throws what the disk says; the old segments are still the log then. */
  finish(): Segment {
    this.#close()
    const holdsNothing = this.#result.bytes === 0
    this.#result.path = join(this.#folder, segmentFile(this.#result, holdsNothing))
    this.#disk.rename(this.#partPath, this.#result.path)
    writeSegmentIndex(this.#result)
    return this.#result
  }

  /** Give the copy up. */
  abandon(): void {
    this.#frames.return()
    try {
      this.#close()
    } catch {
      // It is thrown away in any case.
    }
    try {
      this.#disk.unlink(this.#partPath)
    } catch {
      // Another try at the same copy, or the next start, throws it away.
    }
  }

  /** A descriptor is closed once, whatever the disk says: its number may be another file's by then. */
  #close(): void {
    const fd = this.#fd
    this.#fd = null
    if (fd !== null) this.#disk.close(fd)
  }

  #write(fd: number): void {
    if (this.#buffers.length === 0) return
    this.#disk.write(fd, this.#buffers, this.#writtenBytes)
    this.#writtenBytes += this.#waitingBytes
    this.#buffers = []
    this.#waitingBytes = 0
  }

  *#walk(): Generator<Walked | null, void, void> {
    for (const source of this.order.sources) {
      if ([...source.tables.keys()].every((recordClass) => this.order.going.has(recordClass))) continue
      const fd = openSync(source.path, 'r')
      try {
        for (const walked of walkFrames(fd, source.bytes)) {
          if (walked.damage !== null) this.#onDamage(source, walked.damage)
          yield walked
        }
      } finally {
        closeSync(fd)
      }
    }
  }
}

function nameOf({ sources, throughSeq }: CompactionOrder): SegmentName {
  const generation = 1 + Math.max(...sources.map((source) => source.generation))
  return { startSeq: sources[0]?.startSeq ?? 0, throughSeq, generation }
}
