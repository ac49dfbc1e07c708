import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import type { InferenceService, InferenceServiceOptions } from '../../../edge-daemon/inference/inference-service.ts'
import type { ServedModel } from '../../../edge-daemon/models/models.ts'
import { digitsModel, isRunning, startService } from '../../support/inference-node.ts'
import { samplePicture } from '../../support/pictures.ts'

const WAIT = { timeout: 60_000, interval: 10 }
const HELD_CHILD = fileURLToPath(new URL('../../support/held-child.ts', import.meta.url))
const picture = samplePicture(7)
const services: InferenceService[] = []
let digits: ServedModel
beforeAll(async () => {
  digits = await digitsModel()
})
afterEach(async () => {
  for (const service of services.splice(0)) await service.stop()
})

async function serve(options: Partial<InferenceServiceOptions> = {}) {
  const started = await startService({ restartFirstMs: 20, ...options }, digits)
  services.push(started.service)
  return started
}

/** Holds the children that begin to load from `hold` on, until `letGo`. */
async function gate() {
  const dir = await mkdtemp(join(tmpdir(), 'edgedeck-swap-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const file = join(dir, 'go')
  vi.stubEnv('TEST_HOLD_FILE', file)
  onTestFinished(() => void vi.unstubAllEnvs())
  return { hold: () => rm(file, { force: true }), letGo: () => writeFile(file, '') }
}

const pidOf = (service: InferenceService): number => service.status().childPid as number

test('a model that is kept warm serves again at once, in the same process, and the other one goes', async () => {
  const { service } = await serve()
  const old = pidOf(service)
  await service.swap({ ...digits, version: '2.0.0' }, { keepBefore: true })
  const candidate = pidOf(service)
  expect(await service.infer(picture)).toMatchObject({ ok: true, model: 'digits@2.0.0' })
  expect(await isRunning(old)).toBe(true)
  await service.swap(digits)
  expect(service.status()).toMatchObject({ childPid: old, generation: 2 })
  expect(await service.infer(picture)).toMatchObject({ ok: true, model: 'digits@1.0.0' })
  await vi.waitUntil(async () => !(await isRunning(candidate)), WAIT)
})

test('a model that is kept warm goes when it is not wanted back any more, and is loaded anew when it died', async () => {
  const { service } = await serve()
  const old = pidOf(service)
  await service.swap({ ...digits, version: '2.0.0' }, { keepBefore: true })
  process.kill(old, 'SIGKILL')
  await vi.waitUntil(async () => !(await isRunning(old)), WAIT)
  await service.swap(digits, { keepBefore: true })
  // Whether the service has heard of the death yet or not: it does not stay with the dead.
  await vi.waitUntil(() => service.status().generation === 3 && service.isReady(), WAIT)
  const candidate = await service.infer(picture)
  expect(candidate).toMatchObject({ ok: true, model: 'digits@1.0.0' })
  const third = pidOf(service)
  await service.swap({ ...digits, version: '3.0.0' }, { keepBefore: true })
  service.dropSpare()
  await vi.waitUntil(async () => !(await isRunning(third)), WAIT)
  expect(await service.infer(picture)).toMatchObject({ ok: true, model: 'digits@3.0.0' })
})

test('a swap that is called off while it waits for another one never serves', async () => {
  const { service } = await serve()
  const calledOff = new AbortController()
  const first = service.swap({ ...digits, version: '2.0.0' })
  const second = service.swap({ ...digits, version: '3.0.0' }, { signal: calledOff.signal })
  calledOff.abort(new Error('called off'))
  const refused = expect(second).rejects.toThrow('called off')
  await first
  await refused
  expect(await service.infer(picture)).toMatchObject({ ok: true, model: 'digits@2.0.0' })
  expect(service.status().generation).toBe(2)
})

test('a swap that is called off leaves what serves, and one does not wait for a restart that is under way', async () => {
  const { hold, letGo } = await gate()
  await letGo()
  const { service, events } = await serve({ childEntry: HELD_CHILD })
  await hold()
  const calledOff = new AbortController()
  const swap = service.swap({ ...digits, version: '2.0.0' }, { signal: calledOff.signal })
  await vi.waitUntil(() => service.status().generation === 2, WAIT)
  calledOff.abort()
  await expect(swap).rejects.toMatchObject({ code: 'MODEL_FAILED' })
  expect(await service.infer(picture)).toMatchObject({ ok: true, model: 'digits@1.0.0' })

  await letGo()
  await service.swap({ ...digits, version: '2.0.0' }, { keepBefore: true })
  await hold()
  process.kill(pidOf(service), 'SIGKILL')
  await vi.waitUntil(() => service.status().generation === 4, WAIT)
  await service.swap(digits)
  // The restart was broken off: nothing of it is told, and the warm child serves.
  expect(service.status()).toMatchObject({ generation: 4, model: { version: '1.0.0' } })
  expect(events.filter(({ event }) => event === 'model.restart_failed')).toEqual([])
  expect(events.filter((event) => event.event === 'model.ready' && event.why === 'restart')).toEqual([])
  expect(await service.infer(picture)).toMatchObject({ ok: true, model: 'digits@1.0.0' })
})
