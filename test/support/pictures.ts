import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { crc32, deflateSync } from 'node:zlib'

/** Raw pixels, 8 bits a sample. */
export interface RawPixels {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 2 | 3 | 4
  readonly data: Buffer
}

/** Pixels with edges, gradients and some noise that is the same every time. */
export function patternedPixels(width: number, height: number, channels: 1 | 2 | 3 | 4): RawPixels {
  const data = Buffer.alloc(width * height * channels)
  let noise = 1
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const ring = Math.hypot(x - width / 2, y - height / 2) / Math.min(width, height)
      const base = ring > 0.2 && ring < 0.35 ? 220 : 15
      for (let channel = 0; channel < channels; channel += 1) {
        noise = (noise * 1_103_515_245 + 12_345) % 2_147_483_648
        const value = base + ((x * 7 + y * 3 + channel * 40) % 30) + (noise % 5)
        data[(y * width + x) * channels + channel] = Math.min(255, value)
      }
    }
  }
  return { width, height, channels, data }
}

/** Bytes of one of the digits model's own sample pictures that show `digit`. */
export function samplePicture(digit: number): Buffer {
  const dir = fileURLToPath(new URL('../../models/digits/samples/', import.meta.url))
  const name = readdirSync(dir).find((file) => file.startsWith(`${digit}-`))
  if (name === undefined) throw new Error(`${dir} holds no sample of ${digit}`)
  return readFileSync(join(dir, name))
}

/** One chunk of a PNG with its checksum. */
export function pngChunk(type: string, body: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), body])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(typed))
  return Buffer.concat([length, typed, checksum])
}

/** A gray PNG whose head says `width`×`height`, whatever its data holds. */
export function pngClaiming(width: number, height: number, data: Buffer = Buffer.alloc(1)): Buffer {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head[8] = 8
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', head),
    pngChunk('IDAT', deflateSync(data)),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}
