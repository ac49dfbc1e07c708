import { messageOf } from '../../protocol/errors.ts'

/** A picture small enough to draw: 8 bits each of red, green and blue, row by row. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly rgb: Uint8Array
  /** What it is in full. */
  readonly fullWidth: number
  readonly fullHeight: number
  readonly format: 'png' | 'jpeg'
}

/** A decoded picture, or why it is none in words for an operator. */
export type DecodedPicture =
  | { readonly ok: true; readonly picture: Picture }
  | { readonly ok: false; readonly message: string }

/** Longest side that is kept; no terminal has more cells. */
const MAX_SIDE = 640
/** A camera's picture has some 12 million; a bomb has more. */
const MAX_PIXELS = 64_000_000

/**
 * Decode a PNG or JPEG that came from a node. What it is is told by its first bytes, not by the name that it was sent
 * under; pictures of too many pixels are refused before they are unpacked. Never throws.
 */
export async function decodePicture(data: Uint8Array): Promise<DecodedPicture> {
  const format = formatOf(data)
  if (format === null) return { ok: false, message: 'the bytes that the device sent are no PNG or JPEG' }
  const { default: sharp } = await import('sharp')
  try {
    const image = sharp(data, { limitInputPixels: MAX_PIXELS, failOn: 'error', pages: 1 })
    const { width: fullWidth, height: fullHeight } = await image.metadata()
    const { data: rgb, info } = await image
      .rotate()
      .resize({ width: MAX_SIDE, height: MAX_SIDE, fit: 'inside', withoutEnlargement: true })
      .flatten({ background: '#000000' })
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true })
    const { width, height, channels } = info
    const picture = { width, height, rgb: asRgb(rgb, channels), fullWidth, fullHeight, format }
    return { ok: true, picture }
  } catch (error) {
    return { ok: false, message: `the picture cannot be decoded: ${messageOf(error)}` }
  }
}

/** What a picture is by its first bytes; null when it is neither. */
export function formatOf(data: Uint8Array): Picture['format'] | null {
  const starts = (...bytes: number[]): boolean => bytes.every((byte, at) => data[at] === byte)
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return 'png'
  return starts(0xff, 0xd8, 0xff) ? 'jpeg' : null
}

/** Grey pictures have one channel. */
function asRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data
  const pixels = data.length / channels
  const rgb = new Uint8Array(pixels * 3)
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      rgb[pixel * 3 + channel] = data[pixel * channels + (channels < 3 ? 0 : channel)] ?? 0
    }
  }
  return rgb
}
