import type Sharp from 'sharp'
import { AreaAverage } from './area-average.ts'
import { luma601, type PictureTarget } from './fast-png.ts'
import type { PictureHeader } from './header.ts'

/** libvips averages down to this many times the target before our own exact area average does the rest. */
const COARSE_FACTOR = 8

/** Decodes what the fast decoder does not: JPEG, WebP, large, interlaced and 16-bit PNG, through sharp (libvips). */
export class LargeDecoder {
  readonly #pixelLimit: number
  #sharp: Promise<typeof Sharp> | null = null

  /** `pixelLimit` is the most pixels a picture may have; libvips refuses beyond it too. */
  constructor(pixelLimit: number) {
    this.#pixelLimit = pixelLimit
  }

  /**
   * Decode to what the model takes: first frame of an animation, upright by its EXIF tag, alpha over black. Rejects with
   * libvips' own error when the picture is damaged.
   */
  async decode(bytes: Buffer, header: PictureHeader, to: PictureTarget): Promise<Float32Array> {
    this.#sharp ??= loadSharp()
    const sharp = await this.#sharp
    let pipeline = sharp(bytes, {
      failOn: 'error',
      limitInputPixels: this.#pixelLimit,
      sequentialRead: true,
      pages: 1,
      autoOrient: true,
    }).flatten({ background: '#000' })
    if (header.width > to.width * COARSE_FACTOR * 2 && header.height > to.height * COARSE_FACTOR * 2) {
      pipeline = pipeline.resize({
        width: to.width * COARSE_FACTOR,
        height: to.height * COARSE_FACTOR,
        fit: 'fill',
        kernel: 'linear',
      })
    }
    const { data, info } = await pipeline
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    return reduce(data, info, to)
  }
}

async function loadSharp(): Promise<typeof Sharp> {
  const { default: sharp } = await import('sharp')
  sharp.cache(false)
  sharp.concurrency(1)
  return sharp
}

interface RawPicture {
  readonly width: number
  readonly height: number
  readonly channels: number
}

function reduce(data: Buffer, { width, height, channels }: RawPicture, to: PictureTarget): Float32Array {
  const area = new AreaAverage({ fromWidth: width, fromHeight: height, toWidth: to.width, toHeight: to.height })
  const luma = new Float32Array(width)
  let i = 0
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += channels) {
      const first = data[i] as number
      luma[x] = channels < 3 ? first : luma601(first, data[i + 1] as number, data[i + 2] as number)
    }
    area.addRow(luma)
  }
  return area.finish(to.divideBy)
}
