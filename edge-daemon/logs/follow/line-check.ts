import { crc32 } from 'node:zlib'

/** From so many bytes on a call of zlib costs less than a loop. */
const NATIVE_FROM = 384
const TABLE = new Int32Array(256)
for (let byte = 0; byte < 256; byte += 1) {
  let rest = byte
  for (let bit = 0; bit < 8; bit += 1) rest = (rest & 1) === 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1
  TABLE[byte] = rest
}

/** What a byte does to a checksum that one, two or three more bytes are then put into. */
const TABLE_1 = TABLE.map((crc) => (crc >>> 8) ^ (TABLE[crc & 0xff] as number))
const TABLE_2 = TABLE_1.map((crc) => (crc >>> 8) ^ (TABLE[crc & 0xff] as number))
const TABLE_3 = TABLE_2.map((crc) => (crc >>> 8) ^ (TABLE[crc & 0xff] as number))

/** CRC-32 of a range of bytes, as `zlib.crc32`: most lines are so short that the call alone costs several times as much. */
export function crcOf(bytes: Buffer, from: number, to: number): number {
  if (to - from >= NATIVE_FROM) return crc32(bytes.subarray(from, to))
  let crc = -1
  let at = from
  // Four bytes at a time (Kounavis and Berry, "Novel Table Lookup-Based Algorithms", 2008).
  for (; at + 4 <= to; at += 4) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    crc =
      (TABLE_3[crc & 0xff] as number) ^
      (TABLE_2[(crc >>> 8) & 0xff] as number) ^
      (TABLE_1[(crc >>> 16) & 0xff] as number) ^
      (TABLE[crc >>> 24] as number)
  }
  for (; at < to; at += 1) {
    crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[at] as number)) & 0xff] as number)
  }
  return ~crc >>> 0
}
