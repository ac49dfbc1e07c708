import { closeSync, fstatSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Disk, refusalOf } from './disk.ts'
import { readAround } from './read-around.ts'

/**
 * A small file of fixed size whose parts are written in place. What was written once is remembered: a descriptor that
 * failed is never used again, and the next one gets all of it anew, since nobody knows what the disk has of it.
 */
export class SlotFile {
  readonly #path: string
  readonly #disk: Disk
  readonly #bytes: Buffer
  #fd: number | null

  private constructor(path: string, disk: Disk, file: { fd: number | null; bytes: Buffer }) {
    this.#path = path
    this.#disk = disk
    this.#fd = file.fd
    this.#bytes = file.bytes
  }

  /**
   * Open or make such a file at its full size, so that writing a slot later needs no new block on a full disk. Throws what
   * the disk says.
   */
  static open(path: string, sizeBytes: number, disk: Disk): SlotFile {
    const { fd, isNew } = openOrCreate(path, disk)
    try {
      const { bytes, isWhole } = readAll(path, sizeBytes)
      if (!isWhole) {
        disk.write(fd, [bytes], 0)
        disk.sync(fd)
      }
      if (isNew) disk.syncFolder(dirname(path))
      return new SlotFile(path, disk, { fd, bytes })
    } catch (error) {
      disk.close(fd)
      throw error
    }
  }

  /** One of zeros that is made with the first write, or, while the disk refuses, with a later one. */
  static make(path: string, sizeBytes: number, disk: Disk): SlotFile {
    return new SlotFile(path, disk, { fd: null, bytes: Buffer.alloc(sizeBytes) })
  }

  /** What it holds; zeros where it was short or could not be read. */
  get bytes(): Buffer {
    return this.#bytes
  }

  /** Write a part of it, not synced. Throws what the disk says; the part is written with the next one then. */
  write(part: Buffer, position: number): void {
    part.copy(this.#bytes, position)
    this.#try((fd) => this.#disk.write(fd, [part], position))
  }

  /** Throws what the disk says. */
  sync(): void {
    this.#try((fd) => this.#disk.sync(fd))
  }

  /** Sync and close; whatever the disk says, there is nothing more to do about it. */
  close(): void {
    try {
      this.sync()
    } catch {
      // A slot that is too old is what its readers are made for.
    }
    this.#giveUp()
  }

  #try(change: (fd: number) => void): void {
    try {
      if (this.#fd === null) {
        const { fd, isNew } = openOrCreate(this.#path, this.#disk)
        this.#fd = fd
        this.#disk.write(fd, [this.#bytes], 0)
        if (isNew) this.#disk.syncFolder(dirname(this.#path))
      }
      change(this.#fd)
    } catch (error) {
      this.#giveUp()
      throw error
    }
  }

  #giveUp(): void {
    const fd = this.#fd
    this.#fd = null
    if (fd === null) return
    try {
      this.#disk.close(fd)
    } catch {
      // It is not used again in any case.
    }
  }
}

function openOrCreate(path: string, disk: Disk): { fd: number; isNew: boolean } {
  try {
    return { fd: disk.open(path), isNew: false }
  } catch (error) {
    if (refusalOf(error) !== 'ENOENT') throw error
    return { fd: disk.create(path), isNew: true }
  }
}

function readAll(path: string, sizeBytes: number): { bytes: Buffer; isWhole: boolean } {
  const fd = openSync(path, 'r')
  try {
    const isWhole = fstatSync(fd).size >= sizeBytes
    return { bytes: readAround(fd, { offset: 0, length: sizeBytes }, () => true), isWhole }
  } finally {
    closeSync(fd)
  }
}
