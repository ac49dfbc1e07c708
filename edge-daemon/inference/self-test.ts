import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { ServedModel } from '../models/models.ts'
import type { Prediction } from './batch-runner.ts'
import type { PictureDecoder } from './decode/picture-decoder.ts'

/** @see selfTest */
export interface SelfTestParts {
  readonly decoder: PictureDecoder
  readonly run: (pictures: readonly Float32Array[]) => Promise<readonly Prediction[]>
  readonly batchMax: number
}

/**
 * Have a loaded model answer the pictures of its self-test, as devices would send them: one by one, and then two in one
 * run, which a graph made for single pictures cannot do.
 * @throws Error that names the first picture that it does not tell.
 */
export async function selfTest(model: Pick<ServedModel, 'selfTest' | 'classes'>, parts: SelfTestParts): Promise<void> {
  const pictures: { pixels: Float32Array; want: number; name: string }[] = []
  for (const sample of model.selfTest) {
    const bytes = readFileSync(sample.path)
    const begun = parts.decoder.begin(bytes)
    const picture = begun.kind === 'done' ? begun.picture : await parts.decoder.finishLarge(bytes, begun.header)
    const name = basename(sample.path)
    if (!picture.ok) throw new Error(`the self-test picture ${name} cannot be used: ${picture.msg}`)
    pictures.push({ pixels: picture.pixels, want: sample.class, name })
  }
  for (const picture of pictures) await requireRight([picture])
  const [one, two = one] = pictures
  if (one !== undefined && two !== undefined && parts.batchMax > 1) await requireRight([one, two])

  async function requireRight(batch: typeof pictures): Promise<void> {
    const predictions = await parts.run(batch.map(({ pixels }) => pixels))
    batch.forEach(({ want, name }, index) => {
      const { pred, confidence } = predictions[index] as Prediction
      if (pred === want && Number.isFinite(confidence)) return
      const together = batch.length > 1 ? ` in a run of ${batch.length} pictures` : ''
      throw new Error(
        `the self-test failed${together}: ${name} shows ${className(want)}, and it says ${className(pred)} with confidence ${confidence.toFixed(2)}`,
      )
    })
  }

  function className(index: number): string {
    return JSON.stringify(model.classes[index] ?? String(index))
  }
}

/** Most time that warming a model may take, ms: a heavy one is warm enough by then. */
const WARM_MS = 250

/**
 * Run a model with batches of growing size, so that the first requests of devices do not pay for memory and code that
 * are made at the first use.
 */
export async function warmUp(
  model: Pick<ServedModel, 'input'>,
  { run, batchMax }: Pick<SelfTestParts, 'run' | 'batchMax'>,
): Promise<void> {
  const [, channels, height, width] = model.input.shape
  const black = new Float32Array(channels * height * width)
  const endMs = performance.now() + WARM_MS
  for (let size = 1; performance.now() < endMs; size = Math.min(batchMax, size * 2)) {
    await run(Array.from({ length: size }, () => black))
    if (size === batchMax) return
  }
}
