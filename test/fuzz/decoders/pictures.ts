import sharp from 'sharp'
import { decodeFastPng, type FastPngResult } from '../../../edge-daemon/inference/decode/fast-png.ts'
import { readPictureHeader } from '../../../edge-daemon/inference/decode/header.ts'
import { decodePicture } from '../../../src/pictures/decode.ts'
import { patternedPixels, samplePicture } from '../../support/pictures.ts'
import type { Decoder } from '../decoder.ts'

const TO = { width: 28, height: 28, divideBy: 255 }

/** Pictures as devices send them, on the node, and as a node hands them on, on the console. */
export async function pictureDecoders(): Promise<Decoder[]> {
  const { data, ...raw } = patternedPixels(40, 30, 3)
  const png = await sharp(data, { raw }).png().toBuffer()
  const jpeg = await sharp(data, { raw }).jpeg().toBuffer()
  const digit = samplePicture(7)
  return [
    {
      name: 'png-on-the-node',
      samples: [digit, png],
      decode: (bytes: Buffer) => {
        // As the decoder does it: the size that a header claims is looked at first.
        const header = readPictureHeader(bytes)
        return header === null || header.width * header.height > 1e6 ? null : decodeFastPng(bytes, TO)
      },
      isTaken: (result: FastPngResult | null) => result?.kind === 'done',
    },
    {
      name: 'picture-header',
      samples: [digit, png, jpeg],
      decode: readPictureHeader,
      isTaken: (header: unknown) => header !== null,
    },
    {
      name: 'picture-on-the-console',
      samples: [png, jpeg],
      decode: decodePicture,
      isTaken: (decoded: { ok: boolean }) => decoded.ok,
      share: 0.3,
      grows: false,
    },
  ]
}
