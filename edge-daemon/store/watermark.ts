import { crc32 } from 'node:zlib'
import { type Disk, nodeDisk } from './disk.ts'
import { SlotFile } from './slot-file.ts'

const MAGIC = 0x01_6d_77_ed
const SLOT_BYTES = 40
/** The slots lie in different pages, so that one torn write never takes both. */
const SLOT_AT = [0, 4096] as const
const FILE_BYTES = 8192

/** How far the log was synced and answered: the epoch in force and the last sequence. */
export interface Mark {
  readonly epoch: string
  readonly lastSeq: number
}

/**
 * The watermark file: two checksummed slots written in turn, after each sync and before the answer. Without it a log
 * cut at the border of a frame would look whole, and its sequences would be used again (`data-plane.md`, Keeping).
 */
export class Watermark {
  readonly #file: SlotFile
  #generation: number
  /** Epoch that is surely on the disk. */
  #epoch: string | null
  /** What the newest good slot said when the file was opened; null when there was none. */
  readonly found: Mark | null
  /** A slot was damaged when the file was opened; the next marks write over it. */
  readonly isDamaged: boolean

  private constructor(file: SlotFile) {
    this.#file = file
    this.#generation = 0
    let found: Mark | null = null
    let isDamaged = false
    for (const at of SLOT_AT) {
      const slot = file.bytes.subarray(at, at + SLOT_BYTES)
      if (slot.every((byte) => byte === 0)) continue
      if (slot.readUInt32LE(0) !== MAGIC || crc32(slot.subarray(0, 36)) !== slot.readUInt32LE(36)) {
        isDamaged = true
        continue
      }
      const generation = slot.readUIntLE(4, 6)
      if (found !== null && generation <= this.#generation) continue
      this.#generation = generation
      found = { epoch: slot.toString('hex', 20, 36), lastSeq: slot.readUIntLE(12, 6) }
    }
    this.found = found
    this.isDamaged = isDamaged
    this.#epoch = found?.epoch ?? null
  }

  /** Open or make the file. Throws what the file system says. */
  static open(path: string, disk: Disk = nodeDisk): Watermark {
    return new Watermark(SlotFile.open(path, FILE_BYTES, disk))
  }

  /** Write how far the log was synced and answered; through to the disk when the epoch is a new one. */
  keep(mark: Mark): void {
    if (mark.epoch === this.#epoch) this.write(mark)
    else this.writeThrough(mark)
    this.#epoch = mark.epoch
  }

  /** Write the next slot. Not synced: it must outlive the process, and after a power cut an older slot is safe. */
  write(mark: Mark): void {
    this.#generation += 1
    const slot = Buffer.alloc(SLOT_BYTES)
    slot.writeUInt32LE(MAGIC, 0)
    slot.writeUIntLE(this.#generation, 4, 6)
    slot.writeUIntLE(mark.lastSeq, 12, 6)
    slot.write(mark.epoch, 20, 16, 'hex')
    slot.writeUInt32LE(crc32(slot.subarray(0, 36)), 36)
    this.#file.write(slot, SLOT_AT[this.#generation % 2 === 0 ? 0 : 1])
  }

  /** Write both slots and sync: a new epoch must not be forgotten for an old one. */
  writeThrough(mark: Mark): void {
    this.write(mark)
    this.write(mark)
    this.#file.sync()
  }

  close(): void {
    this.#file.close()
  }
}
