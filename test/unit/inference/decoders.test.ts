import sharp, { type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import { AreaAverage } from '../../../edge-daemon/inference/decode/area-average.ts'
import { decodeFastPng } from '../../../edge-daemon/inference/decode/fast-png.ts'
import { readPictureHeader } from '../../../edge-daemon/inference/decode/header.ts'
import { LargeDecoder } from '../../../edge-daemon/inference/decode/large.ts'
import { PictureDecoder } from '../../../edge-daemon/inference/decode/picture-decoder.ts'
import { patternedPixels, pngChunk, pngClaiming, type RawPixels } from '../../support/pictures.ts'

const TO = { width: 28, height: 28, divideBy: 255 }
const PIXEL_LIMIT = 40e6

function encoder({ data, width, height, channels }: RawPixels): Sharp {
  return sharp(data, { raw: { width, height, channels } })
}

async function large(bytes: Buffer): Promise<Float32Array> {
  const header = readPictureHeader(bytes)
  if (header === null) throw new Error('no picture')
  return new LargeDecoder(PIXEL_LIMIT).decode(bytes, header, TO)
}

function fast(bytes: Buffer): Float32Array {
  const result = decodeFastPng(bytes, TO)
  if (result.kind !== 'done') throw new Error(JSON.stringify(result))
  return result.pixels
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((worst, value, index) => Math.max(worst, Math.abs(value - (b[index] as number))), 0)
}

/** The mean over every source area, the slow and obvious way: each pixel is cut into 28×28 parts. */
function slowAverage(raw: RawPixels): Float32Array {
  const out = new Float64Array(28 * 28)
  for (let y = 0; y < raw.height * 28; y += 1) {
    for (let x = 0; x < raw.width * 28; x += 1) {
      const cell = Math.floor(y / raw.height) * 28 + Math.floor(x / raw.width)
      const pixel = Math.floor(y / 28) * raw.width + Math.floor(x / 28)
      out[cell] = (out[cell] as number) + (raw.data[pixel] as number)
    }
  }
  return Float32Array.from(out, (sum) => sum / (raw.width * raw.height * 255))
}

describe('area average', () => {
  it.each([
    [28, 28],
    [56, 28],
    [37, 45],
    [14, 14],
    [5, 91],
    [1, 1],
  ])('of a %i×%i picture is the mean of the area under each pixel', (width, height) => {
    const raw = patternedPixels(width, height, 1)
    const area = new AreaAverage({ fromWidth: width, fromHeight: height, toWidth: 28, toHeight: 28 })
    for (let y = 0; y < height; y += 1) area.addRow(raw.data.subarray(y * width, (y + 1) * width))
    expect(largestDifference(area.finish(255), slowAverage(raw))).toBeLessThan(1e-5)
  })
})

describe('the fast PNG decoder', () => {
  it.each([1, 3, 4] as const)('gives what libvips gives for a small picture of %i channels', async (channels) => {
    for (const adaptiveFiltering of [true, false]) {
      const bytes = await encoder(patternedPixels(61, 47, channels))
        .png({ adaptiveFiltering })
        .toBuffer()
      expect(largestDifference(fast(bytes), await large(bytes))).toBeLessThan(0.005)
    }
  })

  it('gives what libvips gives for gray with alpha and for palettes of every depth', async () => {
    const gray = await encoder(patternedPixels(40, 40, 2))
      .toColourspace('b-w')
      .png()
      .toBuffer()
    expect(gray[25]).toBe(4)
    expect(largestDifference(fast(gray), await large(gray))).toBeLessThan(0.005)
    for (const colours of [2, 4, 16, 256]) {
      const bytes = await encoder(patternedPixels(40, 40, 4))
        .png({ palette: true, colours })
        .toBuffer()
      expect(bytes[25]).toBe(3)
      expect(largestDifference(fast(bytes), await large(bytes))).toBeLessThan(0.005)
    }
  })

  it('agrees with libvips on a camera frame that both shrink', async () => {
    const bytes = await encoder(patternedPixels(640, 480, 3))
      .png()
      .toBuffer()
    expect(largestDifference(fast(bytes), await large(bytes))).toBeLessThan(0.03)
  })

  it('leaves interlaced, 16-bit and colour-keyed files to libvips', async () => {
    const interlaced = await encoder(patternedPixels(30, 30, 3))
      .png({ progressive: true })
      .toBuffer()
    const deep = await encoder(patternedPixels(30, 30, 3))
      .toColourspace('rgb16')
      .png()
      .toBuffer()
    const plain = await encoder(patternedPixels(30, 30, 1))
      .png()
      .toBuffer()
    const keyed = Buffer.concat([plain.subarray(0, 33), pngChunk('tRNS', Buffer.from([0, 20])), plain.subarray(33)])
    expect(deep[24]).toBe(16)
    for (const bytes of [interlaced, deep, keyed]) {
      expect(decodeFastPng(bytes, TO)).toEqual({ kind: 'unsuited' })
      const same = new PictureDecoder({ to: TO, pixelLimit: PIXEL_LIMIT }).begin(bytes)
      expect(same.kind).toBe('large')
      expect((await large(bytes)).length).toBe(784)
    }
    expect(largestDifference(await large(interlaced), await large(deep))).toBeLessThan(0.01)
  })

  it('says what is broken instead of guessing', async () => {
    const whole = await encoder(patternedPixels(30, 30, 3))
      .png()
      .toBuffer()
    const flipped = Buffer.from(whole)
    flipped[60] = (flipped[60] as number) ^ 0xff
    const wrongChecksum = Buffer.from(pngClaiming(28, 28, Buffer.alloc(29 * 28)))
    expect(decodeFastPng(wrongChecksum, TO).kind).toBe('done')
    const checksumAt = wrongChecksum.length - 12 - 4
    wrongChecksum[checksumAt] = (wrongChecksum[checksumAt] as number) ^ 1
    const manyBytes = pngClaiming(28, 28, Buffer.alloc(5_000_000))
    for (const bytes of [whole.subarray(0, -20), flipped, wrongChecksum, pngClaiming(28, 28), manyBytes]) {
      expect(decodeFastPng(bytes, TO).kind).toBe('broken')
    }
    const badFilter = Buffer.alloc(29 * 28)
    badFilter[0] = 9
    expect(decodeFastPng(pngClaiming(28, 28, badFilter), TO)).toMatchObject({ kind: 'broken' })
  })
})

describe('the picture decoder', () => {
  const decoder = new PictureDecoder({ to: TO, pixelLimit: PIXEL_LIMIT })

  it('knows format and size of a picture by its head', async () => {
    const pixels = encoder(patternedPixels(321, 123, 3))
    const size = { width: 321, height: 123 }
    expect(readPictureHeader(await pixels.clone().png().toBuffer())).toEqual({ format: 'png', ...size })
    expect(readPictureHeader(await pixels.clone().jpeg().toBuffer())).toEqual({ format: 'jpeg', ...size })
    expect(readPictureHeader(await pixels.clone().jpeg({ progressive: true }).toBuffer())).toEqual({
      format: 'jpeg',
      ...size,
    })
    expect(readPictureHeader(await pixels.clone().webp().toBuffer())).toEqual({ format: 'webp', ...size })
    expect(readPictureHeader(await pixels.clone().webp({ lossless: true }).toBuffer())).toEqual({
      format: 'webp',
      ...size,
    })
    const extended = await encoder(patternedPixels(321, 123, 4))
      .webp()
      .toBuffer()
    expect(extended.toString('latin1', 12, 16)).toBe('VP8X')
    expect(readPictureHeader(extended)).toEqual({ format: 'webp', ...size })
  })

  it('never fails on the beginning of a file, however short', async () => {
    for (const bytes of [
      await encoder(patternedPixels(40, 40, 3))
        .png()
        .toBuffer(),
      await encoder(patternedPixels(40, 40, 3))
        .jpeg()
        .toBuffer(),
      await encoder(patternedPixels(40, 40, 4))
        .webp()
        .toBuffer(),
    ]) {
      for (let length = 0; length < Math.min(bytes.length, 400); length += 1) {
        const begun = decoder.begin(Buffer.from(bytes.subarray(0, length)))
        if (begun.kind === 'done') expect(begun.picture.ok).toBe(false)
      }
    }
  })

  it('refuses an image bomb by its head, before any decoder sees it', () => {
    expect(decoder.begin(pngClaiming(60_000, 60_000))).toMatchObject({
      kind: 'done',
      picture: { ok: false, code: 'PICTURE_TOO_LARGE' },
    })
  })

  it('decodes JPEG, WebP and the first frame of an animation like the PNG of the same pixels', async () => {
    const pixels = encoder(patternedPixels(640, 480, 3))
    const reference = fast(await pixels.clone().png().toBuffer())
    const still = [
      await pixels.clone().jpeg({ quality: 95 }).toBuffer(),
      await pixels.clone().webp({ quality: 95 }).toBuffer(),
    ]
    for (const bytes of still) expect(largestDifference(await large(bytes), reference)).toBeLessThan(0.05)
    const frames = Buffer.concat([patternedPixels(64, 64, 3).data, Buffer.alloc(64 * 64 * 3, 255)])
    const animated = await sharp(frames, { raw: { width: 64, height: 128, channels: 3, pageHeight: 64 } })
      .webp({ lossless: true, loop: 0 })
      .toBuffer()
    const first = fast(
      await encoder(patternedPixels(64, 64, 3))
        .png()
        .toBuffer(),
    )
    expect(animated.includes('ANIM')).toBe(true)
    expect(largestDifference(await large(animated), first)).toBeLessThan(0.01)
  })

  it('says that a cut-off JPEG and an SVG cannot be decoded', async () => {
    const jpeg = await encoder(patternedPixels(640, 480, 3))
      .jpeg()
      .toBuffer()
    const cut = jpeg.subarray(0, jpeg.length / 2)
    const header = readPictureHeader(cut)
    if (header === null) throw new Error('the head is whole')
    expect(await decoder.finishLarge(cut, header)).toMatchObject({ ok: false, code: 'PICTURE_UNDECODABLE' })
    expect(decoder.begin(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'))).toMatchObject({
      picture: { ok: false, code: 'PICTURE_UNDECODABLE' },
    })
  })
})
