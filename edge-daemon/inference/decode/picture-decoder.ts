import type { ErrorCode } from '../../../protocol/errors.ts'
import { decodeFastPng, type PictureTarget } from './fast-png.ts'
import { type PictureHeader, readPictureHeader } from './header.ts'
import { LargeDecoder } from './large.ts'

/** A picture as the model takes it (luma, row by row), or why not. */
export type DecodedPicture =
  | { readonly ok: true; readonly pixels: Float32Array }
  | {
      readonly ok: false
      readonly code: Extract<ErrorCode, 'PICTURE_UNDECODABLE' | 'PICTURE_TOO_LARGE'>
      readonly msg: string
    }

/** A picture that is done, or one that takes libvips. */
export type BegunPicture =
  | { readonly kind: 'done'; readonly picture: DecodedPicture }
  | { readonly kind: 'large'; readonly header: PictureHeader }

/** Limits of the decoder, in pixels. */
export interface DecoderOptions {
  readonly to: PictureTarget
  /** More pixels than this are refused before decoding. */
  readonly pixelLimit: number
}

/** Up to here our own decoder is quicker than the fixed cost and hand-over of libvips; above, its threads are worth it. */
const FAST_PIXELS = 1_048_576

/**
 * Turns compressed pictures (PNG, JPEG, WebP; told by their bytes, not their name) into model input. Both decoders give
 * the same values within rounding.
 */
export class PictureDecoder {
  readonly #to: PictureTarget
  readonly #pixelLimit: number
  readonly #large: LargeDecoder

  constructor({ to, pixelLimit }: DecoderOptions) {
    this.#to = to
    this.#pixelLimit = pixelLimit
    this.#large = new LargeDecoder(pixelLimit)
  }

  /** Look at a picture and decode it at once when that is quick; `large` ones are left to {@link finishLarge}. */
  begin(bytes: Buffer): BegunPicture {
    const header = readPictureHeader(bytes)
    if (header === null) return done(undecodable('the bytes are not a PNG, JPEG or WebP picture'))
    const pixelCount = header.width * header.height
    if (pixelCount > this.#pixelLimit) return done(tooLarge(header, this.#pixelLimit))
    if (header.format === 'png' && pixelCount <= FAST_PIXELS) {
      const result = decodeFastPng(bytes, this.#to)
      if (result.kind === 'done') return done({ ok: true, pixels: result.pixels })
      if (result.kind === 'broken') return done(undecodable(`the PNG cannot be decoded: ${result.message}`))
    }
    return { kind: 'large', header }
  }

  /** Decode a picture that `begin` found to be large, beside the event loop. Never rejects. */
  async finishLarge(bytes: Buffer, header: PictureHeader): Promise<DecodedPicture> {
    try {
      return { ok: true, pixels: await this.#large.decode(bytes, header, this.#to) }
    } catch {
      // libvips' text names its internals and may quote the file; which format it is says enough.
      return undecodable(`the ${header.format.toUpperCase()} is damaged or cut off`)
    }
  }
}

function done(picture: DecodedPicture): BegunPicture {
  return { kind: 'done', picture }
}

function tooLarge({ width, height }: PictureHeader, pixelLimit: number): DecodedPicture {
  const found = `${width}×${height} is ${((width * height) / 1e6).toFixed(1)} megapixels`
  return {
    ok: false,
    code: 'PICTURE_TOO_LARGE',
    msg: `${found}; send at most ${pixelLimit / 1e6} (inference.pictureMegapixels)`,
  }
}

function undecodable(what: string): DecodedPicture {
  return { ok: false, code: 'PICTURE_UNDECODABLE', msg: `${what}; send a whole PNG, JPEG or WebP file` }
}
