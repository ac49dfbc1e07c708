import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { PNG } from 'pngjs'
import { isHeldOut, PIXELS, readDigits, SIDE } from './digits.ts'
import { averagedBack, drawnOnFrame, moved } from './pictures.ts'

/** What is printed, one JSON object: shares 0..1 of right answers and of answers with a confidence below 0.6. */
export interface Evaluation {
  readonly pictures: number
  readonly right: number
  readonly unsure: number
}

interface Labelled {
  readonly label: number
  /** 784 values 0..255. */
  readonly pixels: ArrayLike<number>
}

const BATCH = 100
const DIRECTIONS = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => [down, right] as const))

/** Measure a variant of a model folder on its samples and on the held-out digits, apart from the script that trained it. */
async function main(folder: string, variant: string): Promise<void> {
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
    variants: { name: string; file: string }[]
  }
  const file = manifest.variants.find(({ name }) => name === variant)?.file ?? ''
  const session = await InferenceSession.create(join(folder, file), {
    intraOpNumThreads: 1,
  })
  const heldOut = readDigits().filter(isHeldOut)
  const moves = DIRECTIONS.filter(([down, right]) => down !== 0 || right !== 0)
  console.log(
    JSON.stringify({
      samples: await measure(session, readSamples(join(folder, 'samples'))),
      asTheyAre: await measure(session, heldOut),
      moved: await measure(
        session,
        moves.flatMap(([down, right]) =>
          heldOut.map(({ label, pixels }) => ({ label, pixels: moved(pixels, down, right) })),
        ),
      ),
      throughFrame: await measure(
        session,
        heldOut.map(({ label, pixels }) => ({ label, pixels: averagedBack(drawnOnFrame(pixels)) })),
      ),
    }),
  )
}

async function measure(session: InferenceSession, pictures: readonly Labelled[]): Promise<Evaluation> {
  let right = 0
  let unsure = 0
  for (let start = 0; start < pictures.length; start += BATCH) {
    const batch = pictures.slice(start, start + BATCH)
    const input = new Float32Array(batch.length * PIXELS)
    batch.forEach(({ pixels }, position) => {
      for (let pixel = 0; pixel < PIXELS; pixel += 1) input[position * PIXELS + pixel] = (pixels[pixel] ?? 0) / 255
    })
    const { probabilities } = await session.run({ input: new Tensor('float32', input, [batch.length, 1, SIDE, SIDE]) })
    const values = probabilities?.data as Float32Array
    batch.forEach(({ label }, position) => {
      const given = [...values.subarray(position * 10, position * 10 + 10)]
      const confidence = Math.max(...given)
      if (given.indexOf(confidence) === label) right += 1
      if (confidence < 0.6) unsure += 1
    })
  }
  return { pictures: pictures.length, right: right / pictures.length, unsure: unsure / pictures.length }
}

function readSamples(folder: string): Labelled[] {
  return readdirSync(folder).map((name) => {
    const { data } = PNG.sync.read(readFileSync(join(folder, name)))
    return { label: Number(name[0]), pixels: Uint8Array.from({ length: PIXELS }, (_, pixel) => data[pixel * 4] ?? 0) }
  })
}

await main(process.argv[2] ?? 'models/digits', process.argv[3] ?? 'fp32')
