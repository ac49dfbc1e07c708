import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PNG } from 'pngjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { pickModel } from '../../../edge-daemon/models/models.ts'
import { openPackage } from '../../../packages/model-package.ts'
import { manifestSchema } from '../../../protocol/model-manifest.ts'
import { isHeldOut, readDigits } from '../../../scripts/train-digits/digits.ts'
import type { Evaluation } from '../../../scripts/train-digits/evaluate.ts'

const root = join(import.meta.dirname, '../../..')
const folder = join(root, 'models/digits')
const card = readFileSync(join(folder, 'card.md'), 'utf8')

/** Share of right answers, in percent, that the card claims in the row that begins so. */
function claimed(row: string): number {
  const line = card.split('\n').find((text) => text.startsWith(`| ${row}`))
  return Number(/\| (\d+\.\d+)% \|/.exec(line ?? '')?.[1])
}

type Measured = Record<'samples' | 'asTheyAre' | 'moved' | 'throughFrame', Evaluation>

/** In a process of its own: the runtime keeps its memory for as long as its process lives. */
async function evaluate(variant: string): Promise<Measured> {
  const script = join(root, 'scripts/train-digits/evaluate.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [script, folder, variant], { cwd: root })
  return JSON.parse(stdout)
}

describe('the digits model', () => {
  let measured: Measured

  beforeAll(async () => {
    measured = await evaluate('fp32')
  })

  it('reads at least 98 % of 2 000 digits it was never trained on, as the card says', () => {
    expect(measured.asTheyAre.pictures).toBe(2000)
    expect(measured.asTheyAre.right).toBeGreaterThanOrEqual(0.98)
    expect(measured.asTheyAre.right * 100).toBeCloseTo(claimed('as they are'), 0)
  })

  it('reads at least 96 % of them moved by one pixel, as the card says', () => {
    expect(measured.moved.pictures).toBe(8 * 2000)
    expect(measured.moved.right).toBeGreaterThanOrEqual(0.96)
    expect(measured.moved.right * 100).toBeCloseTo(claimed('moved by one pixel, mean'), 0)
  })

  it('reads at least 96 % of them drawn at 640×480 and averaged back, as the card says', () => {
    expect(measured.throughFrame.right).toBeGreaterThanOrEqual(0.96)
    expect(measured.throughFrame.right * 100).toBeCloseTo(claimed('drawn at 640×480 (bilinear)'), 0)
  })

  it('is unsure, below a confidence of 0.6, of fewer than 2 % of clean digits', () => {
    expect(measured.asTheyAre.unsure).toBeLessThan(0.02)
  })

  it('reads every sample with confidence', () => {
    expect(measured.samples).toEqual({ pictures: 50, right: 1, unsure: 0 })
  })

  it('has samples of held-out digits only, five a class, byte for byte', () => {
    const digits = readDigits()
    const names = readdirSync(join(folder, 'samples'))
    const perClass = new Map<number, number>()
    for (const name of names) {
      const [, label, index] = /^(\d)-(\d+)\.png$/.exec(name) ?? []
      const digit = digits[Number(index)]
      if (digit === undefined) throw new Error(`${name} is named after no digit`)
      const { data, width, height } = PNG.sync.read(readFileSync(join(folder, 'samples', name)))
      expect([width, height]).toEqual([28, 28])
      expect(digit.label, name).toBe(Number(label))
      expect(isHeldOut(digit), name).toBe(true)
      expect(digit.pixels.every((value, pixel) => value === data[pixel * 4])).toBe(true)
      perClass.set(digit.label, (perClass.get(digit.label) ?? 0) + 1)
    }
    expect([...perClass.values()]).toEqual(Array(10).fill(5))
  })

  it('is within half a point of that in eight bits, as manifest and card say', async () => {
    const int8 = await evaluate('int8')
    expect(int8.asTheyAre.right).toBeGreaterThanOrEqual(measured.asTheyAre.right - 0.005)
    expect(int8.moved.right).toBeGreaterThanOrEqual(measured.moved.right - 0.005)
    expect(int8.throughFrame.right).toBeGreaterThanOrEqual(measured.throughFrame.right - 0.005)
    expect(int8.samples).toMatchObject({ pictures: 50, right: 1 })
    const { variants } = manifestSchema.parse(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')))
    const said = Object.fromEntries(variants.map(({ name, accuracyPct }) => [name, accuracyPct]))
    expect(said.fp32).toBeCloseTo(measured.asTheyAre.right * 100, 0)
    expect(said.int8).toBeCloseTo(int8.asTheyAre.right * 100, 0)
    expect(card).toContain(`answers ${said.int8?.toFixed(2)}% right as they are`)
  })

  it('is a package, whole but for a signature', async () => {
    const { item, manifest } = await openPackage(folder, { trust: null })
    expect(item).toMatchObject({ kind: 'model', name: 'digits', version: manifest.version })
    expect(manifest.selfTest.map((sample) => sample.class)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('is what its manifest says and can be served', async () => {
    const model = await pickModel(join(root, 'models'), null)
    expect(model).toMatchObject({ name: 'digits', variant: 'fp32', path: join(folder, 'digits.onnx') })
    expect(model.sizeBytes).toBeLessThan(300_000)
    expect(card).toContain(`${model.sizeBytes.toLocaleString('en')} bytes`)
  })
})

describe('the split', () => {
  it('holds out 2 000 of 10 000 digits, a fifth of each class within one digit', () => {
    const digits = readDigits()
    expect(digits).toHaveLength(10_000)
    expect(digits.filter(isHeldOut)).toHaveLength(2000)
    for (let label = 0; label < 10; label += 1) {
      const ofClass = digits.filter((digit) => digit.label === label)
      expect(Math.abs(ofClass.filter(isHeldOut).length - ofClass.length / 5)).toBeLessThan(1)
    }
  })
})
