import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ServedModel } from '../../../edge-daemon/models/models.ts'
import { modelOf as servedModel } from '../../../edge-daemon/models/models.ts'
import { openPackage } from '../../../packages/model-package.ts'
import { digitsModel, startService } from '../../support/inference-node.ts'
import { graphOf, modelOf, nodeOf } from '../../support/onnx-file.ts'
import { samplePicture } from '../../support/pictures.ts'

const undo: (() => Promise<unknown>)[] = []
let digits: ServedModel

beforeAll(async () => {
  digits = await digitsModel()
})
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function refusalOf(change: Partial<ServedModel>): Promise<unknown> {
  const started = await startService({}, { ...digits, ...change }).catch((error: unknown) => error)
  if (!(started instanceof Error)) {
    undo.push(() => (started as Awaited<ReturnType<typeof startService>>).service.stop())
    throw new Error('it was served')
  }
  return started
}

describe('a model before it serves', () => {
  it('is in the package of its folder, and answers in eight bits as well', async () => {
    const opened = await openPackage(join(digits.path, '..'), { trust: null })
    const int8 = await servedModel(opened, 'int8')
    expect(int8).toMatchObject({ name: 'digits', version: digits.version, variant: 'int8' })
    const { service } = await startService({}, int8)
    undo.push(() => service.stop())
    expect(await service.infer(samplePicture(7))).toMatchObject({ ok: true, pred: 7 })
  })

  it('must tell the pictures of its self-test', async () => {
    const [zero, one] = digits.selfTest
    if (zero === undefined || one === undefined) throw new Error('there is no self-test')
    expect(await refusalOf({ selfTest: [zero, { path: one.path, class: 8 }] })).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(
        /the self-test failed: 1-1004\.png shows "8", and it says "1" with confidence 0\.9/,
      ),
    })
  })

  it('must have pictures for its self-test that can be read', async () => {
    expect(await refusalOf({ selfTest: [{ path: digits.path, class: 0 }] })).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/the self-test picture digits\.onnx cannot be used/),
    })
  })

  it('must have the inputs and outputs that its manifest says', async () => {
    expect(await refusalOf({ input: { ...digits.input, shape: [-1, 1, 32, 28] } })).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('the manifest says 32 where 28 stands'),
    })
    expect(await refusalOf({ output: { ...digits.output, name: 'logits' } })).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('the graph has no output named "logits", only "probabilities"'),
    })
  })

  it('is not shown to the runtime when it uses operators of others', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'edgedeck-trial-'))
    undo.push(() => rm(dir, { recursive: true }))
    const path = join(dir, 'model.onnx')
    await writeFile(path, modelOf(graphOf([nodeOf('Sleep', 'evil')])))
    expect(await refusalOf({ path })).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('uses the operator "Sleep" of "evil"'),
    })
  })
})
