import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { UPSTREAM_CLASSES, type UpstreamClass } from '../../protocol/subjects.ts'

const MAGIC = 0x01_72_63_ed
const SLOT_BYTES = 32
const SLOT_SPACING_BYTES = 64
const SECOND_SLOTS_AT = 4096
const FILE_BYTES = 8192
/** Place of a class in the file; part of the format. */
const PLACE = { ledger: 0, alert: 1, error: 2, abnormal: 3, stat: 4, metric: 5 } as const satisfies Record<
  UpstreamClass,
  number
>

interface Slot {
  readonly generation: number
  readonly seq: number
}

/**
 * The cursors of one uplink target: per class two checksummed slots written in turn. Not synced on each write, since a
 * cursor that is too low only sends again; sequences are never used twice, so a cursor needs no epoch.
 */
export class CursorFile {
  readonly #fd: number
  readonly #seqs = new Map<UpstreamClass, number>()
  readonly #generations = new Map<UpstreamClass, number>()
  /** Classes with a damaged slot; their cursor is the other slot's, or 0. Repaired when opened. */
  readonly damaged: readonly UpstreamClass[]

  private constructor(fd: number) {
    this.#fd = fd
    const damaged: UpstreamClass[] = []
    for (const recordClass of UPSTREAM_CLASSES) {
      const slots = [readSlot(fd, placeOf(recordClass, 0)), readSlot(fd, placeOf(recordClass, 1))]
      const good = slots.filter((slot): slot is Slot => typeof slot === 'object')
      const newest = good.reduce<Slot | null>((a, b) => (a === null || b.generation > a.generation ? b : a), null)
      if (newest !== null) {
        this.#seqs.set(recordClass, newest.seq)
        this.#generations.set(recordClass, newest.generation)
      }
      if (slots.includes('damaged')) damaged.push(recordClass)
    }
    this.damaged = damaged
  }

  /** Open or make the file. Throws what the file system says. */
  static open(path: string): CursorFile {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    // Full size at once, so that moving a cursor needs no new block on a full disk.
    if (fstatSync(fd).size < FILE_BYTES) {
      ftruncateSync(fd, 0)
      writeSync(fd, Buffer.alloc(FILE_BYTES), 0, FILE_BYTES, 0)
    }
    const file = new CursorFile(fd)
    for (const recordClass of file.damaged) {
      const seq = file.seqs.get(recordClass) ?? 0
      file.save(recordClass, seq)
      file.save(recordClass, seq)
    }
    return file
  }

  get seqs(): ReadonlyMap<UpstreamClass, number> {
    return this.#seqs
  }

  /** Move a cursor. Throws what the disk says; the cursor in memory has moved all the same. */
  save(recordClass: UpstreamClass, seq: number): void {
    const generation = (this.#generations.get(recordClass) ?? 0) + 1
    this.#seqs.set(recordClass, seq)
    this.#generations.set(recordClass, generation)
    const slot = Buffer.alloc(SLOT_BYTES)
    slot.writeUInt32LE(MAGIC, 0)
    slot.writeUIntLE(generation, 4, 6)
    slot.writeUIntLE(seq, 12, 6)
    slot.writeUInt32LE(crc32(slot.subarray(0, 28)), 28)
    writeSync(this.#fd, slot, 0, SLOT_BYTES, placeOf(recordClass, generation % 2 === 0 ? 0 : 1))
  }

  close(): void {
    try {
      fdatasyncSync(this.#fd)
    } finally {
      closeSync(this.#fd)
    }
  }
}

function placeOf(recordClass: UpstreamClass, slot: 0 | 1): number {
  return slot * SECOND_SLOTS_AT + PLACE[recordClass] * SLOT_SPACING_BYTES
}

function readSlot(fd: number, at: number): Slot | 'empty' | 'damaged' {
  const slot = Buffer.alloc(SLOT_BYTES)
  readSync(fd, slot, 0, SLOT_BYTES, at)
  if (slot.every((byte) => byte === 0)) return 'empty'
  const isGood = slot.readUInt32LE(0) === MAGIC && crc32(slot.subarray(0, 28)) === slot.readUInt32LE(28)
  return isGood ? { generation: slot.readUIntLE(4, 6), seq: slot.readUIntLE(12, 6) } : 'damaged'
}
