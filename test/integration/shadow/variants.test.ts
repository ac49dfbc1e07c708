import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { modelOf, pickFolder, type ServedModel } from '../../../edge-daemon/models/models.ts'
import { measureVariants } from '../../../edge-daemon/shadow/measure-variants.ts'
import { DaemonHome, eventually } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'

// Children start in 0.2 s on an idle machine and in several on a busy one.
vi.setConfig({ testTimeout: 300_000 })
const models = fileURLToPath(new URL('../../../models', import.meta.url))

async function variants(): Promise<ServedModel[]> {
  const folder = await pickFolder(models, 'digits')
  return Promise.all(folder.manifest.variants.map(({ name }) => modelOf(folder, name)))
}

test('each variant is run on the pictures and has a time; one that cannot be run has a reason', async () => {
  const [fp32, int8] = (await variants()) as [ServedModel, ServedModel]
  const pictures = fp32.selfTest.map(({ path }) => readFileSync(path))
  const broken = { ...int8, variant: 'broken', path: join(models, 'digits/manifest.json') }
  const measured = await measureVariants({
    models: [fp32, int8, broken],
    pictures,
    pixelLimit: 40e6,
    priority: 'normal',
  })
  expect(measured).toEqual({
    fp32: { runMs: expect.any(Number) },
    int8: { runMs: expect.any(Number) },
    broken: { fault: expect.stringContaining('cannot be loaded') },
  })
  for (const name of ['fp32', 'int8']) {
    const { runMs } = measured[name] as { runMs: number }
    expect(runMs).toBeGreaterThan(0)
    // A few ms, more on a busy machine; and no microseconds.
    expect(runMs).toBeLessThan(1000)
  }
})

test('it can be broken off', async () => {
  const two = await variants()
  const pictures = two[0]?.selfTest.map(({ path }) => readFileSync(path)) ?? []
  const signal = AbortSignal.timeout(300)
  const trial = { models: two, pictures, pixelLimit: 40e6, priority: 'normal', signal } as const
  await expect(measureVariants(trial)).rejects.toThrow('aborted due to timeout')
})

test('a daemon measures once, serves the fastest, tells why, and starts the next time without measuring', async () => {
  await using home = new DaemonHome()
  home.configure({ 'models.variant': 'auto' })
  const first = await home.serve()
  const told = await changesOf(first.liveUrl)
  expect(['light', 'heavy']).toContain(told?.nodeClass)
  const figures = Object.entries(told?.variants ?? {})
  expect(figures.map(([name]) => name).sort()).toEqual(['fp32', 'int8'])
  const [fastest] = figures.sort(([, a], [, b]) => (a.runMs as number) - (b.runMs as number))
  const chosen = figures.find(([, { isChosen }]) => isChosen)
  // Two that are as fast are told apart by their accuracy.
  expect(chosen?.[1].runMs).toBeLessThanOrEqual((fastest?.[1].runMs as number) * 1.03)
  expect(told?.model).toBe(chosen?.[0])
  expect(first.daemon.lines.filter((line) => line.includes('"model.measured"'))).toHaveLength(1)
  await first.daemon.stop()
  const second = await home.serve()
  expect(await changesOf(second.liveUrl)).toEqual(told)
  expect(second.daemon.lines.filter((line) => line.includes('"model.measured"'))).toEqual([])
  await second.daemon.stop()
  home.configure({ 'models.variant': 'int8' })
  const pinned = await home.serve()
  expect(await changesOf(pinned.liveUrl)).toMatchObject({
    model: 'int8',
    variants: { int8: { isChosen: true, why: 'pinned by models.variant' } },
  })
})

async function changesOf(liveUrl: string) {
  const session = await TestConsole.open(liveUrl)
  session.send({ t: 'subscribe', id: 's', topic: 'status', credits: 100 })
  const newest = () => session.of('status').at(-1)
  await eventually(() => newest()?.inference.model != null)
  session.close()
  const { changes, inference } = newest() as NonNullable<ReturnType<typeof newest>>
  return { nodeClass: changes?.nodeClass, variants: changes?.variants, model: inference.model?.variant }
}
