import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { arch, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { modelOf } from '../../../edge-daemon/models/models.ts'
import { readPackageTrust } from '../../../edge-daemon/models/trust.ts'
import { openPackage } from '../../../packages/model-package.ts'
import { parseSignedPackage } from '../../../protocol/package.ts'
import { FramePainter, loadDigits } from '../../../src/demo/digit-frames.ts'
import { type DemoModel, ModelOffers } from '../../../src/demo/model-offers.ts'
import { demoModelsDir, samplesDir } from '../../../src/demo/places.ts'
import { digitsModel, startService } from '../../support/inference-node.ts'
import { samplePicture } from '../../support/pictures.ts'
import { seededRandom } from '../../support/random.ts'

let dir: string
const offers = new ModelOffers(demoModelsDir())
const undo: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-offers-'))
  await offers.start(dir)
})
afterAll(async () => {
  for (const step of undo.reverse()) await step()
  await offers.stop()
  await rm(dir, { recursive: true, force: true })
})

function offered(what: DemoModel['what']): DemoModel {
  const model = offers.models.find((one) => one.what === what)
  if (model === undefined) throw new Error(`${what} is not offered`)
  return model
}

async function serve(what: DemoModel['what']) {
  const { folder, item } = offered(what)
  const opened = await openPackage(folder, { trust: await readPackageTrust([offers.trust]), digest: item.digest })
  const { service } = await startService({ restartFirstMs: 20 }, await modelOf(opened))
  undo.push(() => service.stop())
  return service
}

/** Frames as the demo's cameras send them. */
function frames(kind: 'plain' | 'hard', count: number): Buffer[] {
  const painter = new FramePainter(loadDigits(samplesDir()), seededRandom(5))
  return Array.from({ length: count }, () => painter[kind]())
}

/** Answers to the 50 digits that the cameras show, of a model and of the one that the demo begins with. */
async function disagreement(what: DemoModel['what']): Promise<number> {
  const candidate = await serve(what)
  const { service: current } = await startService({}, await digitsModel())
  undo.push(() => current.stop())
  let differ = 0
  for (const frame of frames('plain', 60)) {
    const [a, b] = [await candidate.infer(frame), await current.infer(frame)]
    if (!a.ok || !b.ok) throw new Error('no answer')
    if (a.pred !== b.pred) differ += 1
  }
  return (differ / 60) * 100
}

describe('the models that the demo offers', () => {
  it('are each in a version of its own, signed, small, and served as any web server would', async () => {
    expect(offers.models.map(({ what, item }) => [what, `${item.name}@${item.version}`])).toEqual([
      ['better', 'digits@1.1.0'],
      ['worse', 'digits@1.2.0'],
      ['slow', 'digits@1.3.0'],
      ['crashing', 'digits@1.4.0'],
    ])
    for (const { item, sources, folder } of offers.models) {
      const [source] = sources
      if (source?.kind !== 'https') throw new Error('it is served nowhere')
      const text = await (await fetch(`${source.url}/packages/${item.digest}`)).text()
      const [file] = parseSignedPackage(text, source.url).statement.files
      const blob = await fetch(`${source.url}/blobs/${file?.sha256}`)
      expect((await blob.arrayBuffer()).byteLength).toBe(file?.bytes)
      expect((await fetch(`${source.url}/../${item.digest}`)).status).toBe(404)
      const { bytes } = await openPackage(folder, { trust: await readPackageTrust([offers.trust]) })
      expect(bytes).toBeLessThan(400_000)
    }
    expect((await readdir(fileURLToPath(new URL('../../../models/demo', import.meta.url)))).sort()).toEqual(
      offers.models.map(({ what }) => what).sort(),
    )
  })

  it('have one that says what the served one says', async () => {
    expect(await disagreement('better')).toBeLessThan(5)
  })

  it('have one that disagrees far more than a rollout lets pass', async () => {
    expect(await disagreement('worse')).toBeGreaterThan(20)
  })

  it('have one that is right, and takes over 50 ms for each picture', async () => {
    const service = await serve('slow')
    const times: number[] = []
    for (let turn = 0; turn < 5; turn += 1) {
      const startedAt = performance.now()
      expect(await service.infer(samplePicture(7))).toMatchObject({ ok: true, pred: 7 })
      times.push(performance.now() - startedAt)
    }
    expect(Math.min(...times)).toBeGreaterThan(50)
  })

  // Elsewhere the division that ends it wraps around, and it is a good model.
  it('have one that answers bright pictures and ends its process on dim ones', async () => {
    const service = await serve('crashing')
    for (const frame of frames('plain', 10)) expect(await service.infer(frame)).toMatchObject({ ok: true })
    const before = service.status()
    const ends: boolean[] = []
    for (const frame of frames('hard', 4)) {
      await vi.waitUntil(() => service.isReady(), { timeout: 90_000, interval: 10 })
      ends.push((await service.infer(frame)).ok)
    }
    expect(ends.includes(false)).toBe(arch() === 'x64')
    await vi.waitUntil(() => service.isReady(), { timeout: 90_000, interval: 10 })
    expect(service.status().generation > before.generation).toBe(arch() === 'x64')
  })
})
