import { crc32 } from 'node:zlib'
import { UPSTREAM_CLASSES, type UpstreamClass } from '../../protocol/subjects.ts'
import type { Chain, ChainBlock, Chains, Cursors } from './contract.ts'
import { type Disk, nodeDisk } from './disk.ts'
import { SlotFile } from './slot-file.ts'

const MAGIC = 0x02_72_63_ed
const BLOCK_BYTES = 66
/** Flags, cursor, synced sequence, archive, held block, sent block. */
const BODY_AT = 10
const SLOT_BYTES = 176
const CHECKSUM_AT = SLOT_BYTES - 4
const SLOT_SPACING_BYTES = 512
const SECOND_SLOTS_AT = 4096
const FILE_BYTES = 8192
const HAS_HELD = 1
const HAS_SENT = 2
const HAS_ARCHIVE = 4
/** Place of a class in the file; part of the format. */
const PLACE = { ledger: 0, alert: 1, error: 2, abnormal: 3, stat: 4, metric: 5, audit: 6 } as const satisfies Record<
  UpstreamClass,
  number
>

/** How far a class has got at a target that never acknowledged anything. */
export const NEW_CHAIN: Chain = { archive: null, cursor: 0, syncedSeq: 0, held: null, sent: null }

/** The sequences behind which each class goes on. */
export function cursorsOf(chains: Chains): Cursors {
  const cursors: Partial<Record<UpstreamClass, number>> = {}
  for (const recordClass of UPSTREAM_CLASSES) {
    const chain = chains[recordClass]
    if (chain !== undefined) cursors[recordClass] = chain.cursor
  }
  return cursors
}

interface Slot {
  readonly generation: number
  readonly chain: Chain
}

/**
 * How far each class has got at one uplink target: per class two checksummed slots written in turn. Not synced on each
 * write, since one that is too old is put right by what the receiver says it holds; sequences are never used twice, so a
 * cursor needs no epoch.
 */
export class ChainFile {
  readonly #file: SlotFile
  readonly #chains = new Map<UpstreamClass, Chain>()
  readonly #cursors = new Map<UpstreamClass, number>()
  readonly #generations = new Map<UpstreamClass, number>()
  /** Classes with a damaged slot; theirs is the other slot's, or a new one. Repaired when opened. */
  readonly damaged: readonly UpstreamClass[]

  private constructor(slotFile: SlotFile) {
    this.#file = slotFile
    const { bytes } = slotFile
    const damaged: UpstreamClass[] = []
    for (const recordClass of UPSTREAM_CLASSES) {
      const slots = [readSlot(bytes, placeOf(recordClass, 0)), readSlot(bytes, placeOf(recordClass, 1))]
      const good = slots.filter((slot): slot is Slot => typeof slot === 'object')
      const newest = good.reduce<Slot | null>((a, b) => (a === null || b.generation > a.generation ? b : a), null)
      if (newest !== null) {
        this.#remember(recordClass, newest.chain)
        this.#generations.set(recordClass, newest.generation)
      }
      if (slots.includes('damaged')) damaged.push(recordClass)
    }
    this.damaged = damaged
  }

  /** Open or make the file. Throws what the file system says. */
  static open(path: string, disk: Disk = nodeDisk): ChainFile {
    const file = new ChainFile(SlotFile.open(path, FILE_BYTES, disk))
    for (const recordClass of file.damaged) {
      const chain = file.chains.get(recordClass) ?? NEW_CHAIN
      file.save(recordClass, chain)
      file.save(recordClass, chain)
    }
    return file
  }

  /** For a target that has none: the file is made when something is kept in it. */
  static make(path: string, disk: Disk = nodeDisk): ChainFile {
    return new ChainFile(SlotFile.make(path, FILE_BYTES, disk))
  }

  get chains(): ReadonlyMap<UpstreamClass, Chain> {
    return this.#chains
  }

  /** The sequences behind which each class goes on. */
  get seqs(): ReadonlyMap<UpstreamClass, number> {
    return this.#cursors
  }

  /** Keep a chain. Throws what the disk says; in memory it is kept all the same. */
  save(recordClass: UpstreamClass, chain: Chain): void {
    const generation = (this.#generations.get(recordClass) ?? 0) + 1
    this.#remember(recordClass, chain)
    this.#generations.set(recordClass, generation)
    const slot = encodeSlot(generation, chain)
    this.#file.write(slot, placeOf(recordClass, generation % 2 === 0 ? 0 : 1))
  }

  close(): void {
    this.#file.close()
  }

  #remember(recordClass: UpstreamClass, chain: Chain): void {
    this.#chains.set(recordClass, chain)
    this.#cursors.set(recordClass, chain.cursor)
  }
}

function placeOf(recordClass: UpstreamClass, slot: 0 | 1): number {
  return slot * SECOND_SLOTS_AT + PLACE[recordClass] * SLOT_SPACING_BYTES
}

function encodeSlot(generation: number, { archive, cursor, syncedSeq, held, sent }: Chain): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES)
  slot.writeUInt32LE(MAGIC, 0)
  slot.writeUIntLE(generation, 4, 6)
  const has = (held === null ? 0 : HAS_HELD) + (sent === null ? 0 : HAS_SENT) + (archive === null ? 0 : HAS_ARCHIVE)
  let at = slot.writeUInt8(has, BODY_AT)
  at = slot.writeUIntLE(cursor, at, 6)
  at = slot.writeUIntLE(syncedSeq, at, 6)
  if (archive !== null) slot.write(archive, at, 16, 'hex')
  at += 16
  for (const block of [held, sent]) {
    if (block !== null) writeBlock(slot, at, block)
    at += BLOCK_BYTES
  }
  slot.writeUInt32LE(crc32(slot.subarray(0, CHECKSUM_AT)), CHECKSUM_AT)
  return slot
}

function writeBlock(slot: Buffer, start: number, block: ChainBlock): void {
  slot.write(block.epoch, start, 16, 'hex')
  let at = slot.writeUIntLE(block.firstSeq, start + 16, 6)
  at = slot.writeUIntLE(block.lastSeq, at, 6)
  slot.write(block.digest, at, 32, 'hex')
  slot.writeUIntLE(block.position, at + 32, 6)
}

function readBlock(slot: Buffer, at: number): ChainBlock {
  return {
    epoch: slot.toString('hex', at, at + 16),
    firstSeq: slot.readUIntLE(at + 16, 6),
    lastSeq: slot.readUIntLE(at + 22, 6),
    digest: slot.toString('hex', at + 28, at + 60),
    position: slot.readUIntLE(at + 60, 6),
  }
}

function readSlot(bytes: Buffer, place: number): Slot | 'empty' | 'damaged' {
  const slot = bytes.subarray(place, place + SLOT_BYTES)
  if (slot.every((byte) => byte === 0)) return 'empty'
  const checksum = crc32(slot.subarray(0, CHECKSUM_AT))
  if (slot.readUInt32LE(0) !== MAGIC || checksum !== slot.readUInt32LE(CHECKSUM_AT)) return 'damaged'
  const has = slot.readUInt8(BODY_AT)
  const at = BODY_AT + 1
  return {
    generation: slot.readUIntLE(4, 6),
    chain: {
      cursor: slot.readUIntLE(at, 6),
      syncedSeq: slot.readUIntLE(at + 6, 6),
      archive: (has & HAS_ARCHIVE) === 0 ? null : slot.toString('hex', at + 12, at + 28),
      held: (has & HAS_HELD) === 0 ? null : readBlock(slot, at + 28),
      sent: (has & HAS_SENT) === 0 ? null : readBlock(slot, at + 28 + BLOCK_BYTES),
    },
  }
}
