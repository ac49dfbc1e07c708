import { randomBytes } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Disk } from './disk.ts'

const SLICE_BYTES = 1024 * 1024
const LEAST_BYTES = 64 * 1024
/** The reserve takes at most this part of what is free when it is made. */
const PART_OF_FREE = 2
const TRY_EVERY_MS = 5000
const PART_SUFFIX = '.part'

interface ReserveOptions {
  readonly path: string
  /** Size of a segment. */
  readonly sizeBytes: number
  readonly disk: Disk
  readonly monotonicMs: () => number
}

/**
 * Room set aside on the disk, so that a ledger note and the rewriting of a segment find space when the disk is full: a file
 * of written, not only promised, bytes. It is given up when the disk is full and made again when there is room.
 */
export class Reserve {
  readonly #options: ReserveOptions
  #isKept: boolean
  #making: { fd: number; wantedBytes: number; writtenBytes: number } | null = null
  #triedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: ReserveOptions) {
    this.#options = options
    this.#isKept = isWhole(options.path)
  }

  get state(): 'kept' | 'spent' {
    return this.#isKept ? 'kept' : 'spent'
  }

  /** Give it up; false when there was nothing to give. */
  spend(): boolean {
    const had = this.#isKept || this.#making !== null
    // Made again as soon as eviction has made room, before records take it.
    this.#triedAtMs = Number.NEGATIVE_INFINITY
    this.#giveUpMaking()
    if (!this.#isKept) return had
    this.#isKept = false
    return this.#remove(this.#options.path)
  }

  /** Write about a MiB of a reserve that is to be made again, when it is time to; true when there is more to write. */
  restore(): boolean {
    if (this.#isKept) return false
    try {
      this.#making ??= this.#begin()
      if (this.#making === null) return false
      const { fd, wantedBytes, writtenBytes } = this.#making
      const count = Math.min(SLICE_BYTES, wantedBytes - writtenBytes)
      // Bytes that no file system can compress or leave out.
      this.#options.disk.write(fd, [randomBytes(count)], writtenBytes)
      this.#options.disk.sync(fd)
      this.#making.writtenBytes += count
      if (this.#making.writtenBytes < wantedBytes) return true
      this.#finish(fd)
    } catch {
      this.#giveUpMaking()
    }
    return false
  }

  /** Leave no half-made file. */
  close(): void {
    this.#giveUpMaking()
  }

  #begin(): { fd: number; wantedBytes: number; writtenBytes: number } | null {
    const { disk, path, sizeBytes, monotonicMs } = this.#options
    if (monotonicMs() - this.#triedAtMs < TRY_EVERY_MS) return null
    this.#triedAtMs = monotonicMs()
    const freeBytes = disk.freeBytes(dirname(path))
    const wantedBytes = Math.min(sizeBytes, Math.floor(freeBytes / PART_OF_FREE))
    if (wantedBytes < Math.min(sizeBytes, LEAST_BYTES)) return null
    this.#remove(path)
    this.#remove(`${path}${PART_SUFFIX}`)
    return { fd: disk.create(`${path}${PART_SUFFIX}`), wantedBytes, writtenBytes: 0 }
  }

  #finish(fd: number): void {
    const { disk, path } = this.#options
    this.#making = null
    disk.close(fd)
    disk.rename(`${path}${PART_SUFFIX}`, path)
    disk.syncFolder(dirname(path))
    this.#isKept = true
  }

  #giveUpMaking(): void {
    const making = this.#making
    this.#making = null
    if (making === null) return
    try {
      this.#options.disk.close(making.fd)
    } catch {
      // It is thrown away in any case.
    }
    this.#remove(`${this.#options.path}${PART_SUFFIX}`)
  }

  #remove(path: string): boolean {
    try {
      this.#options.disk.unlink(path)
      return true
    } catch {
      return false
    }
  }
}

/** Whether a file is there whose bytes have blocks of the disk. */
function isWhole(path: string): boolean {
  const SECTOR_BYTES = 512
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat?.isFile() === true && stat.size > 0 && stat.blocks * SECTOR_BYTES >= stat.size
}
