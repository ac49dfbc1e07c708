import { join } from 'node:path'
import { type Disk, refusalOf } from './disk.ts'
import { type LogIndex, Segment } from './log-index.ts'
import { segmentFile } from './segment-files.ts'
import { writeSegmentIndex } from './segment-index.ts'

/** Appends whole commits to the newest segment and begins new ones. Leaves no half commit behind where it can. */
export class SegmentWriter {
  readonly #folder: string
  readonly #segmentBytes: number
  readonly #disk: Disk
  readonly #index: LogIndex
  readonly #monotonicMs: () => number
  readonly #onUnsynced: (error: unknown) => void
  /** Whether each append is synced before it returns; else {@link flush} does it. */
  syncsEach = true
  #isUnsynced = false
  #fd: number | null = null
  #active: Segment | null = null
  /** Files without a good commit that could not be removed, or of which nobody knows whether they are there. */
  #leftBehind: readonly string[] = []

  constructor(options: {
    folder: string
    segmentBytes: number
    disk: Disk
    index: LogIndex
    monotonicMs: () => number
    onUnsynced?: (error: unknown) => void
  }) {
    this.#folder = options.folder
    this.#segmentBytes = options.segmentBytes
    this.#disk = options.disk
    this.#index = options.index
    this.#monotonicMs = options.monotonicMs
    this.#onUnsynced = options.onUnsynced ?? (() => undefined)
  }

  /** Whether something was written and not synced yet, which only happens where not each append is. */
  get isUnsynced(): boolean {
    return this.#isUnsynced
  }

  /** The segment that grows; null until the first write and after a failed sync. */
  get active(): Segment | null {
    return this.#active
  }

  /**
   * Go on in the newest segment after a start; when that is refused, the next write begins a new one.
   * @param isUnsynced whether the run before may have left some of it for a later sync
   */
  resume(isUnsynced = false): void {
    const newest = this.#index.segments.at(-1)
    // The name of one that was rewritten says where it ends.
    if (newest === undefined || newest.throughSeq !== null || newest.keepsTail) return
    try {
      const fd = this.#disk.open(newest.path)
      try {
        this.#disk.truncate(fd, newest.bytes)
      } catch (error) {
        this.#disk.close(fd)
        throw error
      }
      this.#fd = fd
      this.#active = newest
      this.#isUnsynced = isUnsynced
    } catch {
      this.#active = null
    }
  }

  /**
   * Write buffers behind the last good frame and, unless {@link flush} is to do it, sync. Returns the segment; the caller enters the frames in the index.
   * @throws what the disk says, after the half-written bytes are cut off again. A descriptor whose sync failed is
   * never used again: the kernel may have dropped the dirty pages and would report success the next time.
   */
  append(buffers: readonly Buffer[], nextSeq: number): Segment {
    if (this.#active !== null && this.#active.bytes >= this.#segmentBytes) {
      const finished = this.#active
      this.roll()
      writeSegmentIndex(finished)
    }
    const { fd, segment } = this.#open(nextSeq)
    try {
      this.#disk.write(fd, buffers, segment.bytes)
    } catch (error) {
      if (!this.#cutBack(fd, segment)) this.#abandon(segment)
      throw error
    }
    if (this.syncsEach) this.#sync(fd, segment)
    else this.#isUnsynced = true
    segment.writtenAtMs = this.#monotonicMs()
    return segment
  }

  /**
   * Sync what was not. When the disk refuses, `onUnsynced` hears of it, what was written stays where it is, and the next
   * write begins a new segment.
   */
  flush(): void {
    if (!this.#isUnsynced || this.#fd === null) return
    this.#isUnsynced = false
    try {
      this.#disk.sync(this.#fd)
    } catch (error) {
      if (this.#active !== null) this.#active.isDamaged = true
      this.#close()
      this.#onUnsynced(error)
    }
  }

  /** Let the next write begin a new segment. */
  roll(): void {
    this.flush()
    this.#close()
  }

  #close(): void {
    this.#active = null
    if (this.#fd === null) return
    const fd = this.#fd
    this.#fd = null
    this.#closeQuietly(fd)
  }

  #closeQuietly(fd: number): void {
    try {
      this.#disk.close(fd)
    } catch {
      // What the segment holds was synced before it was answered; a failing close cannot take it back.
    }
  }

  close(): void {
    this.roll()
  }

  #open(nextSeq: number): { fd: number; segment: Segment } {
    if (this.#fd !== null && this.#active !== null) return { fd: this.#fd, segment: this.#active }
    this.#leftBehind = this.#leftBehind.filter((path) => !this.#removed(path))
    const { fd, segment } = this.#create(nextSeq)
    try {
      this.#disk.syncFolder(this.#folder)
    } catch (error) {
      this.#closeQuietly(fd)
      this.#giveUp(segment.path)
      throw error
    }
    this.#fd = fd
    this.#active = segment
    this.#index.segments.push(segment)
    return { fd, segment }
  }

  #create(nextSeq: number): { fd: number; segment: Segment } {
    for (let generation = 0; ; generation += 1) {
      const name = { startSeq: nextSeq, generation, throughSeq: null }
      const path = join(this.#folder, segmentFile(name))
      // A name that is still to be removed is not used, or what was written under it would go.
      if (this.#leftBehind.includes(path)) continue
      try {
        const segment = new Segment(path, name)
        segment.begunAtMs = this.#monotonicMs()
        return { fd: this.#disk.create(path), segment }
      } catch (error) {
        if (refusalOf(error) === 'EEXIST') continue
        this.#giveUp(path)
        throw error
      }
    }
  }

  /** Begin a new segment next time; one that holds nothing is removed, so that a failing disk gathers no files. */
  #abandon(segment: Segment): void {
    this.roll()
    if (segment.bytes > 0) return
    this.#index.remove(segment)
    this.#giveUp(segment.path)
  }

  #giveUp(path: string): void {
    if (!this.#removed(path)) this.#leftBehind = [...this.#leftBehind, path]
  }

  #removed(path: string): boolean {
    try {
      this.#disk.unlink(path)
      return true
    } catch (error) {
      return refusalOf(error) === 'ENOENT'
    }
  }

  #sync(fd: number, segment: Segment): void {
    try {
      this.#disk.sync(fd)
    } catch (error) {
      this.#cutBack(fd, segment)
      this.#abandon(segment)
      throw error
    }
  }

  #cutBack(fd: number, segment: Segment): boolean {
    try {
      this.#disk.truncate(fd, segment.bytes)
      return true
    } catch {
      return false
    }
  }
}
