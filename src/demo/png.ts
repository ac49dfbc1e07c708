import { constants, crc32, deflateSync } from 'node:zlib'

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
const GRAY_8_BIT = Uint8Array.of(8, 0, 0, 0, 0)
const FILTER_UP = 2

/** A grey picture: one byte a pixel, row by row. */
export interface GrayPicture {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}

/**
 * Encode a grey picture as PNG (ISO/IEC 15948): 8 bits, every row predicted from the one above, one IDAT chunk.
 * Noise holds no repetitions worth a search, so runs and Huffman codes alone are both quicker and smaller here.
 */
export function encodeGrayPng({ width, height, pixels }: GrayPicture): Buffer {
  const rows = Buffer.alloc(height * (width + 1))
  for (let y = 0; y < height; y += 1) {
    const at = y * (width + 1)
    rows[at] = FILTER_UP
    for (let x = 0; x < width; x += 1) {
      const above = y === 0 ? 0 : (pixels[(y - 1) * width + x] as number)
      rows[at + 1 + x] = (pixels[y * width + x] as number) - above
    }
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set(GRAY_8_BIT, 8)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { strategy: constants.Z_RLE })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const out = Buffer.alloc(data.length + 12)
  out.writeUInt32BE(data.length, 0)
  out.write(type, 4, 'latin1')
  data.copy(out, 8)
  out.writeUInt32BE(crc32(out.subarray(4, data.length + 8)), data.length + 8)
  return out
}
