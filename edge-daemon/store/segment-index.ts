import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { RECORD_CLASSES, type RecordClass } from '../../protocol/subjects.ts'
import { FrameTable, TABLE_ROW_BYTES } from './frame-table.ts'
import { type KeyUse, Segment, type SegmentName } from './log-index.ts'

/**
 * The index of a finished segment on disk, so that a start need not read the segment: magic, CRC-32 of all behind it, the
 * length of a JSON head, the head, and the extents of each class as they are in memory.
 *
 * It is only ever a shortcut. It is believed when its own checksum holds and the segment still has the size, the time of
 * change and the first and last bytes that it had; otherwise the segment is read as if there were none. What goes bad
 * inside a segment later is found when it is read, since every frame is verified then.
 */
const MAGIC = 0x01_78_69_ed
const HEAD_AT = 12
const EDGE_BYTES = 4096
const FOLDER = 'indexes'
const SUFFIX = '.idx'

interface Binding {
  readonly sizeBytes: number
  /** Nanoseconds, in decimal. */
  readonly changed: string
  /** CRC-32 of the first and the last 4 KiB. */
  readonly edges: number
}

interface Head extends Binding {
  readonly end: { readonly lastSeq: number; readonly epoch: string }
  readonly keys: readonly (readonly [keyId: number, use: KeyUse])[]
  /** Classes in the order of their extents, how many each has, and the bytes of its frames. */
  readonly tables: readonly (readonly [recordClass: RecordClass, rows: number, frameBytes: number])[]
}

/**
 * Write the index of a segment that grows no more. One that holds damage, or more bytes than its good frames, gets none;
 * nor does any when the disk refuses: then the next start reads the segment.
 */
export function writeSegmentIndex(segment: Segment): void {
  const { end, bytes } = segment
  const path = indexPath(segment.path)
  try {
    const binding = bindingOf(segment.path)
    if (end === null || segment.isDamaged || binding.sizeBytes !== bytes) {
      removeSegmentIndex(segment.path)
      return
    }
    const tables = Array.from(
      segment.tables,
      ([recordClass, table]) => [recordClass, table.length, table.frameBytes] as const,
    )
    const head: Head = { ...binding, end, keys: [...segment.keys], tables }
    const headBytes = Buffer.from(JSON.stringify(head))
    const prefix = Buffer.alloc(HEAD_AT)
    const body = Buffer.concat([headBytes, ...Array.from(segment.tables.values(), (table) => table.rows())])
    prefix.writeUInt32LE(MAGIC, 0)
    prefix.writeUInt32LE(headBytes.length, 8)
    prefix.writeUInt32LE(crc32(body, crc32(prefix.subarray(8))), 4)
    makeFolderSync(dirname(path), { mode: 0o700 })
    writeFileSync(path, Buffer.concat([prefix, body]), { mode: 0o600 })
  } catch {
    removeSegmentIndex(segment.path)
  }
}

/** The segment as its index has it; null when there is none that can be believed. */
export function readSegmentIndex(segmentPath: string, name: SegmentName): Segment | null {
  try {
    const bytes = readFileSync(indexPath(segmentPath))
    if (bytes.readUInt32LE(0) !== MAGIC || crc32(bytes.subarray(8)) !== bytes.readUInt32LE(4)) return null
    let at = HEAD_AT + bytes.readUInt32LE(8)
    const head: Head = JSON.parse(bytes.toString('utf8', HEAD_AT, at))
    const { sizeBytes, changed, edges } = bindingOf(segmentPath)
    if (head.sizeBytes !== sizeBytes || head.changed !== changed || head.edges !== edges) return null
    const segment = new Segment(segmentPath, name)
    segment.bytes = sizeBytes
    segment.end = head.end
    for (const [keyId, use] of head.keys) segment.keys.set(keyId, use)
    for (const [recordClass, rows, frameBytes] of head.tables) {
      if (!RECORD_CLASSES.includes(recordClass)) return null
      const end = at + rows * TABLE_ROW_BYTES
      segment.tables.set(recordClass, FrameTable.of(bytes.subarray(at, end), frameBytes))
      at = end
    }
    return segment
  } catch {
    return null
  }
}

/** Forget the index of a segment that is gone. Never throws: an index without its segment is never believed. */
export function removeSegmentIndex(segmentPath: string): void {
  try {
    rmSync(indexPath(segmentPath), { force: true })
  } catch {
    // It takes a little room until the next start.
  }
}

/** Remove the indexes of a store whose segments are not among the given ones. */
export function removeOtherIndexes(dir: string, segments: readonly Segment[]): void {
  const kept = new Set(segments.map(({ path }) => `${basename(path)}${SUFFIX}`))
  try {
    for (const name of readdirSync(join(dir, FOLDER))) if (!kept.has(name)) rmSync(join(dir, FOLDER, name))
  } catch {
    // None yet, or they cannot be removed now.
  }
}

function indexPath(segmentPath: string): string {
  return join(dirname(dirname(segmentPath)), FOLDER, `${basename(segmentPath)}${SUFFIX}`)
}

function bindingOf(segmentPath: string): Binding {
  const fd = openSync(segmentPath, 'r')
  try {
    const { size, mtimeNs } = fstatSync(fd, { bigint: true })
    const sizeBytes = Number(size)
    const edge = Buffer.alloc(EDGE_BYTES)
    const crcAt = (position: number, seed: number): number =>
      crc32(edge.subarray(0, readSync(fd, edge, 0, EDGE_BYTES, position)), seed)
    const edges = crcAt(Math.max(0, sizeBytes - EDGE_BYTES), crcAt(0, 0))
    return { sizeBytes, changed: String(mtimeNs), edges }
  } finally {
    closeSync(fd)
  }
}
