import { crc32 } from 'node:zlib'

/** From so many bytes on a call of zlib costs less than a loop. */
const NATIVE_FROM = 384
const TABLE = new Int32Array(256)
for (let byte = 0; byte < 256; byte += 1) {
  let rest = byte
  for (let bit = 0; bit < 8; bit += 1) rest = (rest & 1) === 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1
  TABLE[byte] = rest
}

/** CRC-32 of a range of bytes, as `zlib.crc32`: most lines are so short that the call alone costs several times as much. */
export function crcOf(bytes: Buffer, from: number, to: number): number {
  if (to - from >= NATIVE_FROM) return crc32(bytes.subarray(from, to))
  let crc = -1
  for (let at = from; at < to; at += 1) {
    crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[at] as number)) & 0xff] as number)
  }
  return ~crc >>> 0
}
