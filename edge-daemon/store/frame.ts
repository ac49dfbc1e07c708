import { crc32, constants as zlibConstants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { RecordClass } from '../../protocol/subjects.ts'
import { type KeyRing, SEAL_BYTES, type Sealer } from './seal.ts'

/**
 * A frame of the log, little-endian, format version 1:
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | magic `ed 67 dc 01`: not UTF-8, so that no text looks like a frame |
 * | 4 | 4 | CRC-32 of everything behind it, header and payload |
 * | 8 | 1 | format version |
 * | 9 | 1 | record class |
 * | 10 | 1 | payload encoding: 0 NDJSON, 1 NDJSON in zstd |
 * | 11 | 1 | flags: bit 0 is set on the last frame of a commit |
 * | 12 | 4 | payload bytes |
 * | 16 | 4 | key id; 0 is a plain payload, others are sealed, compressed before (`seal.ts`) |
 * | 20 | 4 | records |
 * | 24 | 16 | epoch |
 * | 40 | 8 | first sequence |
 * | 48 | 8 | last sequence |
 * | 56 | 8 | earliest timestamp, Unix ms |
 * | 64 | 8 | latest timestamp, Unix ms |
 * | 72 | 4 | bytes of the NDJSON |
 * | 76 | 4 | 0 |
 *
 * The tag of a sealed payload covers the header from the format version on; the magic is a constant.
 */
export const HEADER_BYTES = 80
/** Largest payload of a frame; a header that says more is damaged. */
export const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
/** First bytes of every frame. */
export const FRAME_MAGIC = Buffer.from([0xed, 0x67, 0xdc, 0x01])

const MAGIC = FRAME_MAGIC.readUInt32LE(0)
const VERSION = 1
const CHECKSUM_AT = 4
const CHECKED_FROM = 8
/** Where a header says how long its payload is. */
export const PAYLOAD_BYTES_AT = 12
const COMPRESS_FROM_BYTES = 4096
const CLASS_CODES = {
  normal: 1,
  abnormal: 2,
  stat: 3,
  alert: 4,
  metric: 5,
  ledger: 6,
  log: 7,
  error: 8,
  sample: 9,
  minute: 10,
  input: 11,
  audit: 12,
} as const satisfies Record<RecordClass, number>
const CLASS_OF_CODE = new Map<number, RecordClass>(
  Object.entries(CLASS_CODES).map(([name, code]) => [code, name as RecordClass]),
)

/** What a header says of its frame. Times are Unix ms. */
export interface FrameHeader {
  readonly class: RecordClass
  readonly epoch: string
  readonly firstSeq: number
  readonly lastSeq: number
  readonly minTime: number
  readonly maxTime: number
  readonly records: number
  /** Bytes of the NDJSON before compression. */
  readonly lineBytes: number
  readonly payloadBytes: number
  readonly compressed: boolean
  /** 0 for a plain payload. */
  readonly keyId: number
  /** The last frame of its commit. */
  readonly endsCommit: boolean
}

/** The part of a header that the writer decides; the rest follows from the payload. */
export type FrameContent = Omit<FrameHeader, 'lineBytes' | 'payloadBytes' | 'compressed' | 'keyId'>

/** A frame whose checksum holds. */
export interface VerifiedFrame {
  readonly ok: true
  readonly class: RecordClass
  /** Header and payload. */
  readonly frameBytes: number
}

/** Outcome of verifying the bytes of one frame. */
export type FrameCheck = VerifiedFrame | { readonly ok: false; readonly reason: 'short' | 'damaged' }

/** Outcome of reading the bytes of one frame. */
export type FrameRead =
  | Extract<FrameCheck, { ok: false }>
  | { readonly ok: true; readonly header: FrameHeader; readonly frameBytes: number }

/** A frame ready to be written: what its header says, and its bytes in order. */
export interface EncodedFrame {
  readonly header: FrameHeader
  readonly buffers: readonly [Buffer, Buffer]
  readonly frameBytes: number
}

/** Encode a frame, its payload zstd from 4 KiB up and then sealed where there is a sealer. `ndjson` ends with a newline. */
export function encodeFrame(content: FrameContent, ndjson: Buffer, sealer: Sealer | null = null): EncodedFrame {
  const compressed = ndjson.length >= COMPRESS_FROM_BYTES
  const stored = compressed
    ? zstdCompressSync(ndjson, { params: { [zlibConstants.ZSTD_c_compressionLevel]: 1 } })
    : ndjson
  const payloadBytes = stored.length + (sealer === null ? 0 : SEAL_BYTES)
  const keyId = sealer?.keyId ?? 0
  const head = Buffer.alloc(HEADER_BYTES)
  FRAME_MAGIC.copy(head)
  head[8] = VERSION
  head[9] = CLASS_CODES[content.class]
  head[10] = compressed ? 1 : 0
  head[11] = content.endsCommit ? 1 : 0
  head.writeUInt32LE(payloadBytes, PAYLOAD_BYTES_AT)
  head.writeUInt32LE(keyId, 16)
  head.writeUInt32LE(content.records, 20)
  head.write(content.epoch, 24, 16, 'hex')
  head.writeUIntLE(content.firstSeq, 40, 6)
  head.writeUIntLE(content.lastSeq, 48, 6)
  head.writeUIntLE(content.minTime, 56, 6)
  head.writeUIntLE(content.maxTime, 64, 6)
  head.writeUInt32LE(ndjson.length, 72)
  const payload = sealer === null ? stored : sealer.seal(head.subarray(CHECKED_FROM), stored)
  head.writeUInt32LE(crc32(payload, crc32(head.subarray(CHECKED_FROM))), CHECKSUM_AT)
  return {
    header: { ...content, lineBytes: ndjson.length, payloadBytes, compressed, keyId },
    buffers: [head, payload],
    frameBytes: HEADER_BYTES + payloadBytes,
  }
}

/**
 * Verify the frame that starts at `offset`. `short` means that the bytes end before the frame does, `damaged` that they
 * are not a frame whose checksum holds.
 */
export function checkFrame(bytes: Buffer, offset: number): FrameCheck {
  if (bytes.length - offset < HEADER_BYTES) {
    const start = bytes.subarray(offset, offset + FRAME_MAGIC.length)
    return { ok: false, reason: FRAME_MAGIC.subarray(0, start.length).equals(start) ? 'short' : 'damaged' }
  }
  const recordClass = CLASS_OF_CODE.get(bytes.readUInt8(offset + 9))
  const payloadBytes = bytes.readUInt32LE(offset + PAYLOAD_BYTES_AT)
  if (
    bytes.readUInt32LE(offset) !== MAGIC ||
    bytes.readUInt8(offset + 8) !== VERSION ||
    recordClass === undefined ||
    payloadBytes > MAX_PAYLOAD_BYTES
  ) {
    return { ok: false, reason: 'damaged' }
  }
  const frameBytes = HEADER_BYTES + payloadBytes
  if (bytes.length - offset < frameBytes) return { ok: false, reason: 'short' }
  const checksum = crc32(bytes.subarray(offset + CHECKED_FROM, offset + frameBytes))
  if (checksum !== bytes.readUInt32LE(offset + CHECKSUM_AT)) return { ok: false, reason: 'damaged' }
  return { ok: true, class: recordClass, frameBytes }
}

/** Read the frame that starts at `offset`. @see checkFrame for what else may be found there. */
export function readFrame(bytes: Buffer, offset: number, epochs = new EpochReader()): FrameRead {
  const check = checkFrame(bytes, offset)
  return check.ok ? { ok: true, header: readHeader(bytes, offset, check, epochs), frameBytes: check.frameBytes } : check
}

/** Reads epochs. One that repeats, as it does frame after frame, is not built again. */
export class EpochReader {
  #epoch = ''
  #a = -1
  #b = -1
  #c = -1
  #d = -1

  read(bytes: Buffer, offset: number): string {
    const a = bytes.readUInt32LE(offset)
    const b = bytes.readUInt32LE(offset + 4)
    const c = bytes.readUInt32LE(offset + 8)
    const d = bytes.readUInt32LE(offset + 12)
    if (a === this.#a && b === this.#b && c === this.#c && d === this.#d) return this.#epoch
    this.#a = a
    this.#b = b
    this.#c = c
    this.#d = d
    this.#epoch = bytes.toString('hex', offset, offset + 16)
    return this.#epoch
  }
}

/** The header of a frame that was verified. */
export function readHeader(bytes: Buffer, offset: number, check: VerifiedFrame, epochs: EpochReader): FrameHeader {
  return {
    class: check.class,
    epoch: epochs.read(bytes, offset + 24),
    firstSeq: readUInt48(bytes, offset + 40),
    lastSeq: readUInt48(bytes, offset + 48),
    minTime: readUInt48(bytes, offset + 56),
    maxTime: readUInt48(bytes, offset + 64),
    records: bytes.readUInt32LE(offset + 20),
    lineBytes: bytes.readUInt32LE(offset + 72),
    payloadBytes: check.frameBytes - HEADER_BYTES,
    compressed: bytes.readUInt8(offset + 10) === 1,
    keyId: bytes.readUInt32LE(offset + 16),
    endsCommit: (bytes.readUInt8(offset + 11) & 1) === 1,
  }
}

/** As `readUIntLE(offset, 6)`, in half the time. */
function readUInt48(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt16LE(offset + 4) * 2 ** 32
}

/** NDJSON of a frame whose bytes are whole; null when the payload cannot be decoded, or cannot be opened with these keys. */
export function decodeFrame(header: FrameHeader, frame: Buffer, keys: KeyRing): Buffer | null {
  const payload = openPayload(header, frame, keys)
  if (payload === null || !header.compressed) return payload
  try {
    // Room for all of it at once: putting it together from pieces would cost more than all the rest.
    const chunkSize = Math.min(Math.max(64, header.lineBytes), MAX_PAYLOAD_BYTES)
    return zstdDecompressSync(payload, { maxOutputLength: MAX_PAYLOAD_BYTES, chunkSize })
  } catch {
    return null
  }
}

/** Lines of a frame, as {@link decodeFrame}; null also when there are not as many as its header says. */
export function decodeLines(header: FrameHeader, frame: Buffer, keys: KeyRing): string[] | null {
  const lines = decodeFrame(header, frame, keys)?.toString('utf8').split('\n')
  lines?.pop()
  return lines?.length === header.records ? lines : null
}

/** Payload of a frame whose bytes are whole, as it was before it was sealed; null when these keys do not open it. */
export function openPayload({ keyId, payloadBytes }: FrameHeader, frame: Buffer, keys: KeyRing): Buffer | null {
  const payload = frame.subarray(HEADER_BYTES, HEADER_BYTES + payloadBytes)
  return keyId === 0 ? payload : keys.open(keyId, frame.subarray(CHECKED_FROM, HEADER_BYTES), payload)
}
