import { crc32 } from 'node:zlib'
import type { Fork } from './contract.ts'
import { type Disk, nodeDisk } from './disk.ts'
import { SlotFile } from './slot-file.ts'

const MAGIC = 0x01_6b_66_ed
const SLOT_BYTES = 32
const CHECKSUM_AT = SLOT_BYTES - 4
/** Forks that are remembered; before the oldest nothing is left to send. */
const SLOTS = 128

/**
 * The forks of a disk, oldest first, each in a checksummed slot of its own. A fork that is lost to damage is found again
 * when the receiver is asked what it holds.
 */
export class ForkFile {
  readonly #file: SlotFile
  readonly #forks: Fork[] = []
  #next = 0
  /** Slots were damaged when the file was opened; they are emptied. */
  readonly isDamaged: boolean

  private constructor(file: SlotFile) {
    this.#file = file
    let isDamaged = false
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const bytes = file.bytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES)
      const fork = decode(bytes)
      if (fork === null) {
        if (bytes.every((byte) => byte === 0)) continue
        isDamaged = true
        file.write(Buffer.alloc(SLOT_BYTES), slot * SLOT_BYTES)
        continue
      }
      this.#forks.push(fork)
      // Sequences only rise, so the newest fork is the one that reaches furthest.
      if (fork.throughSeq >= Math.max(...this.#forks.map(({ throughSeq }) => throughSeq))) this.#next = slot + 1
    }
    this.isDamaged = isDamaged
    this.#forks.sort((a, b) => a.throughSeq - b.throughSeq)
  }

  /** Open or make the file. Throws what the file system says. */
  static open(path: string, disk: Disk = nodeDisk): ForkFile {
    return new ForkFile(SlotFile.open(path, SLOTS * SLOT_BYTES, disk))
  }

  /** Oldest first. */
  get forks(): readonly Fork[] {
    return this.#forks
  }

  /** Remember a fork, synced. Throws what the disk says; in memory it is kept all the same. */
  add(fork: Fork): void {
    this.#forks.push(fork)
    if (this.#forks.length > SLOTS) this.#forks.shift()
    const slot = Buffer.alloc(SLOT_BYTES)
    slot.writeUInt32LE(MAGIC, 0)
    slot.writeUIntLE(fork.throughSeq, 4, 6)
    slot.write(fork.alias, 10, 16, 'hex')
    slot.writeUInt32LE(crc32(slot.subarray(0, CHECKSUM_AT)), CHECKSUM_AT)
    const place = this.#next % SLOTS
    this.#next = place + 1
    this.#file.write(slot, place * SLOT_BYTES)
    this.#file.sync()
  }

  close(): void {
    this.#file.close()
  }
}

function decode(slot: Buffer): Fork | null {
  if (slot.readUInt32LE(0) !== MAGIC || crc32(slot.subarray(0, CHECKSUM_AT)) !== slot.readUInt32LE(CHECKSUM_AT)) {
    return null
  }
  return { throughSeq: slot.readUIntLE(4, 6), alias: slot.toString('hex', 10, 26) }
}
