/** A picture format this daemon decodes. */
export type PictureFormat = 'png' | 'jpeg' | 'webp'

/** What the first bytes of a picture say, before anything is decoded. */
export interface PictureHeader {
  readonly format: PictureFormat
  /** Pixels. */
  readonly width: number
  readonly height: number
}

/**
 * Read format and dimensions from the head of a PNG (RFC 2083), JPEG (ITU-T T.81) or WebP (RFC 9649) without decoding,
 * so that an image bomb costs nothing. Null when the bytes are none of these or break off before their dimensions.
 */
export function readPictureHeader(bytes: Buffer): PictureHeader | null {
  const size = pngSize(bytes) ?? jpegSize(bytes) ?? webpSize(bytes)
  return size === null || size.width === 0 || size.height === 0 ? null : size
}

const PNG_SIGNATURE_HIGH = 0x89504e47
const PNG_SIGNATURE_LOW = 0x0d0a1a0a
const IHDR = 0x49484452

function pngSize(bytes: Buffer): PictureHeader | null {
  if (bytes.length < 33) return null
  if (bytes.readUInt32BE(0) !== PNG_SIGNATURE_HIGH || bytes.readUInt32BE(4) !== PNG_SIGNATURE_LOW) return null
  if (bytes.readUInt32BE(12) !== IHDR) return null
  return { format: 'png', width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }
}

function jpegSize(bytes: Buffer): PictureHeader | null {
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0xffd8) return null
  let at = 2
  while (at + 9 <= bytes.length) {
    if (bytes[at] !== 0xff) return null
    const marker = bytes[at + 1] ?? 0
    if (marker === 0xff) {
      at += 1
    } else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += 2
    } else if (isStartOfFrame(marker)) {
      return { format: 'jpeg', height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) }
    } else if (marker === 0xd9 || marker === 0xda) {
      return null
    } else {
      at += 2 + bytes.readUInt16BE(at + 2)
    }
  }
  return null
}

function isStartOfFrame(marker: number): boolean {
  // C4, C8 and CC share the range but are Huffman tables, a reserved code and arithmetic conditioning.
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
}

function webpSize(bytes: Buffer): PictureHeader | null {
  if (bytes.length < 30) return null
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WEBP') return null
  switch (bytes.toString('latin1', 12, 16)) {
    case 'VP8 ':
      if (bytes.readUIntBE(23, 3) !== 0x9d012a) return null
      return { format: 'webp', width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff }
    case 'VP8L': {
      if (bytes[20] !== 0x2f) return null
      const bits = bytes.readUInt32LE(21)
      return { format: 'webp', width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
    }
    case 'VP8X':
      return { format: 'webp', width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 }
    default:
      return null
  }
}
