import { crc32, inflateSync } from 'node:zlib'
import { AreaAverage } from './area-average.ts'

/** What a picture is made into: pixels, and what a luma of 0..255 is divided by. */
export interface PictureTarget {
  readonly width: number
  readonly height: number
  readonly divideBy: number
}

/** Outcome of the fast decoder: `unsuited` files are sound as far as seen, but another decoder must do them. */
export type FastPngResult =
  | { kind: 'done'; pixels: Float32Array }
  | { kind: 'unsuited' }
  | { kind: 'broken'; message: string }

interface PngParts {
  width: number
  height: number
  depth: number
  colorType: number
  palette: Buffer | null
  paletteAlpha: Buffer | null
  data: Buffer
}

const UNSUITED = { kind: 'unsuited' } as const
/** Samples a pixel by colour type (PNG specification, table 11.1); only 8-bit samples and 1..8-bit palettes are fast. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }

/**
 * Decode a small PNG (RFC 2083) straight to what the model takes: ITU-R BT.601 luma,
 * alpha over black, area average. Interlaced, 16-bit and colour-keyed files are `unsuited`. Checksums are verified; the
 * inflated size is bounded by the dimensions, so a bomb ends as `broken`. The caller bounds the dimensions themselves.
 */
export function decodeFastPng(bytes: Buffer, to: PictureTarget): FastPngResult {
  const parts = readChunks(bytes)
  if ('kind' in parts) return parts
  const bitsPerPixel = (CHANNELS[parts.colorType] ?? 0) * parts.depth
  const stride = Math.ceil((parts.width * bitsPerPixel) / 8)
  const size = (stride + 1) * parts.height
  let raw: Buffer
  try {
    raw = inflateSync(parts.data, { chunkSize: Math.max(64, size + 1), maxOutputLength: size })
  } catch (error) {
    return broken(`its pixel data is damaged (${(error as NodeJS.ErrnoException).code ?? 'inflate'})`)
  }
  if (raw.length < size) return broken('its pixel data ends early')
  const pixelBytes = Math.max(1, bitsPerPixel >> 3)
  const area = new AreaAverage({
    fromWidth: parts.width,
    fromHeight: parts.height,
    toWidth: to.width,
    toHeight: to.height,
  })
  const toLuma = lumaOf(parts)
  const luma = new Float32Array(parts.width)
  for (let y = 0; y < parts.height; y += 1) {
    const start = y * (stride + 1)
    if (!unfilter(raw, start, stride, pixelBytes, y === 0)) return broken('it uses a row filter that does not exist')
    toLuma(raw, start + 1, luma)
    area.addRow(luma)
  }
  return { kind: 'done', pixels: area.finish(to.divideBy) }
}

function broken(message: string): { kind: 'broken'; message: string } {
  return { kind: 'broken', message }
}

function readChunks(bytes: Buffer): PngParts | Exclude<FastPngResult, { kind: 'done' }> {
  const parts: PngParts = {
    width: bytes.readUInt32BE(16),
    height: bytes.readUInt32BE(20),
    depth: bytes[24] ?? 0,
    colorType: bytes[25] ?? 0,
    palette: null,
    paletteAlpha: null,
    data: bytes.subarray(0, 0),
  }
  const isPalette = parts.colorType === 3
  if (CHANNELS[parts.colorType] === undefined || (bytes[28] ?? 0) !== 0) return UNSUITED
  if (isPalette ? ![1, 2, 4, 8].includes(parts.depth) : parts.depth !== 8) return UNSUITED
  const data: Buffer[] = []
  let at = 8
  for (;;) {
    if (at + 12 > bytes.length) return broken('the file ends early')
    const length = bytes.readUInt32BE(at)
    const end = at + 8 + length
    if (end + 4 > bytes.length) return broken('the file ends early')
    if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32BE(end)) return broken('a checksum is wrong')
    const type = bytes.toString('latin1', at + 4, at + 8)
    const body = bytes.subarray(at + 8, end)
    if (type === 'IDAT') data.push(body)
    else if (type === 'PLTE') parts.palette = body
    else if (type === 'tRNS') {
      if (!isPalette) return UNSUITED
      parts.paletteAlpha = body
    } else if (type === 'IEND') break
    at = end + 4
  }
  if (data.length === 0) return broken('it holds no pixel data')
  if (isPalette && parts.palette === null) return broken('its palette is missing')
  parts.data = data.length === 1 ? (data[0] as Buffer) : Buffer.concat(data)
  return parts
}

/** Undo the row filter in place (PNG specification, section 9); false for a filter type that does not exist. */
function unfilter(raw: Buffer, start: number, stride: number, pixelBytes: number, isFirst: boolean): boolean {
  const filter = raw[start]
  const row = start + 1
  const end = row + stride
  const up = row - stride - 1
  switch (filter) {
    case 0:
      return true
    case 1:
      for (let i = row + pixelBytes; i < end; i += 1) raw[i] = at(raw, i) + at(raw, i - pixelBytes)
      return true
    case 2:
      if (!isFirst) for (let i = 0; i < stride; i += 1) raw[row + i] = at(raw, row + i) + at(raw, up + i)
      return true
    case 3:
      for (let i = 0; i < stride; i += 1) {
        const left = i >= pixelBytes ? at(raw, row + i - pixelBytes) : 0
        const above = isFirst ? 0 : at(raw, up + i)
        raw[row + i] = at(raw, row + i) + ((left + above) >> 1)
      }
      return true
    case 4:
      for (let i = 0; i < stride; i += 1) {
        const left = i >= pixelBytes ? at(raw, row + i - pixelBytes) : 0
        const above = isFirst ? 0 : at(raw, up + i)
        const corner = isFirst || i < pixelBytes ? 0 : at(raw, up + i - pixelBytes)
        raw[row + i] = at(raw, row + i) + paeth(left, above, corner)
      }
      return true
    default:
      return false
  }
}

function at(raw: Buffer, index: number): number {
  return raw[index] as number
}

function paeth(left: number, above: number, corner: number): number {
  const estimate = left + above - corner
  const toLeft = Math.abs(estimate - left)
  const toAbove = Math.abs(estimate - above)
  const toCorner = Math.abs(estimate - corner)
  if (toLeft <= toAbove && toLeft <= toCorner) return left
  return toAbove <= toCorner ? above : corner
}

type RowToLuma = (raw: Buffer, start: number, luma: Float32Array) => void

function lumaOf(parts: PngParts): RowToLuma {
  switch (parts.colorType) {
    case 0:
      return (raw, start, luma) => {
        for (let x = 0; x < luma.length; x += 1) luma[x] = at(raw, start + x)
      }
    case 2:
      return (raw, start, luma) => {
        for (let x = 0, i = start; x < luma.length; x += 1, i += 3) {
          luma[x] = luma601(at(raw, i), at(raw, i + 1), at(raw, i + 2))
        }
      }
    case 4:
      return (raw, start, luma) => {
        for (let x = 0, i = start; x < luma.length; x += 1, i += 2) luma[x] = (at(raw, i) * at(raw, i + 1)) / 255
      }
    case 6:
      return (raw, start, luma) => {
        for (let x = 0, i = start; x < luma.length; x += 1, i += 4) {
          luma[x] = (luma601(at(raw, i), at(raw, i + 1), at(raw, i + 2)) * at(raw, i + 3)) / 255
        }
      }
    default:
      return paletteLuma(parts)
  }
}

function paletteLuma({ palette, paletteAlpha, depth }: PngParts): RowToLuma {
  const colors = palette ?? Buffer.alloc(0)
  // An index outside the palette is a fault of the file that decoders show as black.
  const table = Float32Array.from({ length: 256 }, (_, index) => {
    const base = index * 3
    if (base + 2 >= colors.length) return 0
    const alpha = paletteAlpha?.[index] ?? 255
    return (luma601(at(colors, base), at(colors, base + 1), at(colors, base + 2)) * alpha) / 255
  })
  const perByte = 8 / depth
  const mask = (1 << depth) - 1
  return (raw, start, luma) => {
    for (let x = 0; x < luma.length; x += 1) {
      const byte = at(raw, start + Math.floor(x / perByte))
      const shift = 8 - depth * ((x % perByte) + 1)
      luma[x] = table[(byte >> shift) & mask] as number
    }
  }
}

/** ITU-R BT.601 luma of 8-bit RGB, 0..255. */
export function luma601(red: number, green: number, blue: number): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue
}
