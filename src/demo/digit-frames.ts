import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { PNG } from 'pngjs'
import { EdgeError } from '../../protocol/errors.ts'
import { encodeGrayPng, type GrayPicture } from './png.ts'

const SIDE = 28
const FRAME_WIDTH = 640
const FRAME_HEIGHT = 480
/** Noise that puts a frame between 70 and 120 KB, in grey levels (standard deviation). */
const NOISE_MIN = 0.35
const NOISE_MAX = 0.65
const NOISE_SAMPLES = 65_521
/** By how much a hard frame is too dark. */
const BAD_LIGHT = 1.5

/** A real handwritten digit, 28×28, white on black. */
export interface Digit {
  readonly label: number
  /** 784 grey levels. */
  readonly pixels: Uint8Array
}

/**
 * Read the digits of a folder, `<label>-<n>.png`.
 * @throws EdgeError `MODEL_MISSING` when the folder holds none.
 */
export function loadDigits(dir: string): Digit[] {
  let names: string[]
  try {
    names = readdirSync(dir).filter((name) => /^\d-\d+\.png$/.test(name))
  } catch {
    names = []
  }
  if (names.length === 0) {
    throw new EdgeError('MODEL_MISSING', {
      message: `no digits in ${dir}`,
      next: ['install edgedeck again: models/digits/samples belongs to it'],
    })
  }
  return names.sort().map((name) => {
    const { width, height, data } = PNG.sync.read(readFileSync(path.join(dir, name)))
    if (width !== SIDE || height !== SIDE) {
      throw new EdgeError('MODEL_INVALID', {
        message: `${name} is ${width}×${height}, not 28×28`,
        next: ['install edgedeck again'],
      })
    }
    return { label: Number(name[0]), pixels: Uint8Array.from({ length: SIDE * SIDE }, (_, i) => data[i * 4] as number) }
  })
}

/**
 * Draws digits as a camera would see them: stretched over 640×480, a dim uneven background, exposure that varies, mild
 * sensor noise. Averaged back to 28×28 they are still the digits. Frames are PNG files of 70–120 KB.
 */
export class FramePainter {
  readonly #digits: readonly Digit[]
  readonly #random: () => number
  readonly #noise = new Float32Array(NOISE_SAMPLES)

  /** `random` gives numbers in [0, 1). */
  constructor(digits: readonly Digit[], random: () => number) {
    this.#digits = digits
    this.#random = random
    // Sum of uniform numbers, near enough to a bell curve; drawn once, since a frame needs 300 000 of them.
    for (let i = 0; i < NOISE_SAMPLES; i += 1) {
      this.#noise[i] = (random() + random() + random() + random() - 2) * Math.sqrt(3)
    }
  }

  /** A frame of one digit. */
  plain(): Buffer {
    return encodeGrayPng(this.#paint(this.#pick().pixels))
  }

  /** A frame that hardly anybody reads with confidence: four digits over each other, badly lit. */
  hard(): Buffer {
    const layers = [this.#pick(), this.#pick(), this.#pick(), this.#pick()]
    const pixels = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => {
      const light = layers.reduce((sum, { pixels: layer }) => sum + (layer[i] as number), 0)
      return light / (layers.length * BAD_LIGHT)
    })
    return encodeGrayPng(this.#paint(pixels))
  }

  #pick(): Digit {
    return this.#digits[Math.floor(this.#random() * this.#digits.length)] as Digit
  }

  #paint(digit: Uint8Array): GrayPicture {
    const exposure = 0.82 + this.#random() * 0.16
    const floor = 4 + this.#random() * 8
    const slope = (this.#random() - 0.5) * 16
    const noise = NOISE_MIN + this.#random() * (NOISE_MAX - NOISE_MIN)
    const pixels = new Uint8Array(FRAME_WIDTH * FRAME_HEIGHT)
    const columns = stops(FRAME_WIDTH)
    const rows = stops(FRAME_HEIGHT)
    for (let y = 0; y < FRAME_HEIGHT; y += 1) {
      const row = rows[y] as Stop
      const top = row.low * SIDE
      const bottom = row.high * SIDE
      let grain = Math.floor(this.#random() * NOISE_SAMPLES)
      for (let x = 0; x < FRAME_WIDTH; x += 1) {
        const column = columns[x] as Stop
        const above = mix(digit[top + column.low] as number, digit[top + column.high] as number, column.part)
        const below = mix(digit[bottom + column.low] as number, digit[bottom + column.high] as number, column.part)
        const light = floor + slope * (x / FRAME_WIDTH - 0.5) + mix(above, below, row.part) * exposure
        grain = grain + 1 === NOISE_SAMPLES ? 0 : grain + 1
        const level = Math.round(light + (this.#noise[grain] as number) * noise)
        pixels[y * FRAME_WIDTH + x] = level < 0 ? 0 : level > 255 ? 255 : level
      }
    }
    return { width: FRAME_WIDTH, height: FRAME_HEIGHT, pixels }
  }
}

/**
 * What a broken camera sends: a PNG header, then bytes that are no picture.
 * @param random gives numbers in [0, 1).
 */
export function unreadablePicture(frame: Buffer, random: () => number): Buffer {
  const broken = Buffer.from(frame)
  const headerBytes = 41
  for (let i = headerBytes; i < broken.length; i += 1) broken[i] = Math.floor(random() * 256)
  return broken
}

interface Stop {
  readonly low: number
  readonly high: number
  readonly part: number
}

/** Where each of `length` positions falls between the 28 samples (bilinear, centres aligned). */
function stops(length: number): Stop[] {
  return Array.from({ length }, (_, i) => {
    const at = Math.min(SIDE - 1, Math.max(0, ((i + 0.5) * SIDE) / length - 0.5))
    const low = Math.floor(at)
    return { low, high: Math.min(SIDE - 1, low + 1), part: at - low }
  })
}

function mix(a: number, b: number, part: number): number {
  return a + (b - a) * part
}
