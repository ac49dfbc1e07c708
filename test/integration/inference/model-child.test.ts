import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { InferenceService, InferenceServiceOptions } from '../../../edge-daemon/inference/inference-service.ts'
import type { Outcome } from '../../../edge-daemon/inference/outcome.ts'
import type { ServedModel } from '../../../edge-daemon/models/models.ts'
import { digitsModel, isRunning, startInferenceNode, startService } from '../../support/inference-node.ts'
import { samplePicture } from '../../support/pictures.ts'

// Children start in 0.2 s on an idle machine and in several on a busy one.
const WAIT = { timeout: 60_000, interval: 10 }
const picture = samplePicture(7)
const undo: (() => Promise<unknown>)[] = []
let digits: ServedModel
beforeAll(async () => {
  digits = await digitsModel()
})
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function serve(options: Partial<InferenceServiceOptions> = {}, model = digits) {
  const started = await startService({ restartFirstMs: 20, ...options }, model)
  undo.push(() => started.service.stop())
  return started
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'edgedeck-model-'))
  undo.push(() => rm(dir, { recursive: true }))
  return dir
}

function pidOf(service: InferenceService): number {
  const { childPid } = service.status()
  if (childPid === null) throw new Error('there is no child')
  return childPid
}

/** Keeps `count` requests in flight until told to stop; gives every outcome. */
function load(service: InferenceService, count: number): { stop: () => Promise<Outcome[]>; outcomes: Outcome[] } {
  const outcomes: Outcome[] = []
  let isOver = false
  const device = async (): Promise<void> => {
    while (!isOver) outcomes.push(await service.infer(picture))
  }
  const devices = Promise.all(Array.from({ length: count }, device))
  const stop = async (): Promise<Outcome[]> => {
    isOver = true
    await devices
    return outcomes
  }
  return { stop, outcomes }
}

describe('a model child that is killed', () => {
  it('fails what it had in flight, and the service serves again from a new child', async () => {
    const node = await startInferenceNode({ service: { restartFirstMs: 20, batchMax: 4, slowMs: 40_000 } })
    undo.push(() => node.stop())
    const post = (): Promise<Response> =>
      fetch(`${node.url}/infer`, {
        method: 'POST',
        headers: { 'Content-Type': 'image/png' },
        body: new Uint8Array(picture),
      })
    const answers = Promise.all(Array.from({ length: 16 }, post))
    await vi.waitUntil(() => node.service.status().inFlight === 8 && node.service.status().queued === 8, WAIT)
    const killed = pidOf(node.service)
    node.service.setFault({ slowMs: 0 })
    process.kill(killed, 'SIGKILL')
    const statuses = (await answers).map(({ status }) => status).sort()
    expect(statuses).toEqual([...Array(8).fill(200), ...Array(8).fill(500)])
    expect(node.meters.counters()).toMatchObject({ ok: 8, failed: 8 })
    expect(node.kept.filter(({ code, pred }) => code === 500 && pred === null)).toHaveLength(8)
    expect(node.service.status()).toMatchObject({ generation: 2 })
    expect(pidOf(node.service)).not.toBe(killed)
    expect((await post()).status).toBe(200)
  })

  it('is replaced as often as it is killed, under load', async () => {
    const { service, events } = await serve()
    const traffic = load(service, 16)
    for (let kill = 1; kill <= 2; kill += 1) {
      const served = traffic.outcomes.length
      await vi.waitUntil(() => service.isReady() && traffic.outcomes.length > served + 50, WAIT)
      process.kill(pidOf(service), 'SIGKILL')
      await vi.waitUntil(() => service.isReady() && service.status().generation === kill + 1, WAIT)
    }
    const outcomes = await traffic.stop()
    const failed = outcomes.filter((outcome) => !outcome.ok)
    expect(new Set(failed.map((outcome) => (outcome.ok ? '' : outcome.code)))).toEqual(new Set(['MODEL_FAILED']))
    expect(events.flatMap((event) => (event.event === 'model.ready' ? event.why : []))).toEqual([
      'begin',
      'restart',
      'restart',
    ])
    expect(failed).toHaveLength(
      events.reduce((sum, event) => sum + (event.event === 'model.died' ? event.failed : 0), 0),
    )
  })

  it('leaves requests waiting no longer than the timeout while no new child will start', async () => {
    const dir = await folder()
    const path = join(dir, 'digits.onnx')
    await copyFile(digits.path, path)
    const { service, events } = await serve({ timeoutMs: 1500, restartMaxMs: 50 }, { ...digits, path })
    await rename(path, `${path}.away`)
    process.kill(pidOf(service), 'SIGKILL')
    await vi.waitUntil(() => !service.isReady(), WAIT)
    // There is none to wait for: it is the timeout that answers.
    expect(await service.infer(picture)).toMatchObject({
      ok: false,
      code: 'MODEL_FAILED',
      msg: expect.stringContaining('inference.timeout'),
    })
    await vi.waitUntil(() => events.some(({ event }) => event === 'model.restart_failed'), WAIT)
    await rename(`${path}.away`, path)
    await vi.waitUntil(() => service.isReady(), WAIT)
    await vi.waitUntil(async () => (await service.infer(picture)).ok, WAIT)
  })
})

describe('a model child that hangs', () => {
  it('is killed after the timeout; its requests fail in time and the next are served', async () => {
    const { service, events } = await serve({ timeoutMs: 1500 })
    const hung = pidOf(service)
    process.kill(hung, 'SIGSTOP')
    const startedAt = performance.now()
    expect(await service.infer(picture)).toMatchObject({ ok: false, code: 'MODEL_FAILED' })
    expect(performance.now() - startedAt).toBeGreaterThan(1400)
    await vi.waitUntil(() => events.some(({ event }) => event === 'model.hung'), WAIT)
    await vi.waitUntil(() => service.isReady() && service.status().generation >= 2, WAIT)
    await vi.waitUntil(async () => (await service.infer(picture)).ok, WAIT)
    expect(await isRunning(hung)).toBe(false)
  })
})

describe('the processes', () => {
  it('leave no child behind when the parent is killed, however busy the child', async () => {
    const entry = fileURLToPath(new URL('../../support/inference-parent.ts', import.meta.url))
    const parent = spawn(process.execPath, [entry], { stdio: ['pipe', 'pipe', 'inherit'] })
    const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string]
    const pid = Number(line)
    expect(await isRunning(pid)).toBe(true)
    parent.kill('SIGKILL')
    await vi.waitUntil(async () => !(await isRunning(pid)), WAIT)
  })

  it('keep serving when a signal goes to the whole group', async () => {
    const { service } = await serve()
    const pid = pidOf(service)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal)
    expect(await service.infer(picture)).toMatchObject({ ok: true })
    expect(pidOf(service)).toBe(pid)
  })

  it('finish what is in flight before they stop, and refuse what comes after', async () => {
    const { service } = await startService({ slowMs: 100, batchMax: 2 })
    const pid = pidOf(service)
    const flying = Array.from({ length: 9 }, () => service.infer(picture))
    const stopped = service.stop()
    expect(await service.infer(picture)).toMatchObject({ ok: false, code: 'NOT_READY' })
    for (const outcome of await Promise.all(flying)) expect(outcome).toMatchObject({ ok: true, pred: 7 })
    await stopped
    expect(await isRunning(pid)).toBe(false)
    expect(service.status()).toMatchObject({ childPid: null, inFlight: 0, queued: 0 })
  })
})

describe('a swap to another model', () => {
  it('drops no request: every one is answered by the old or the new', async () => {
    const { service } = await serve({ batchMax: 4 })
    const old = pidOf(service)
    const traffic = load(service, 24)
    for (const version of ['1.1.0', '1.2.0']) {
      await service.swap({ ...digits, version })
      const served = traffic.outcomes.length
      await vi.waitUntil(() => traffic.outcomes.length > served + 100, WAIT)
    }
    const outcomes = await traffic.stop()
    expect(outcomes.filter((outcome) => !outcome.ok)).toEqual([])
    const models = outcomes.map((outcome) => outcome.model)
    expect(new Set(models)).toEqual(new Set(['digits@1.0.0', 'digits@1.1.0', 'digits@1.2.0']))
    expect(models.at(-1)).toBe('digits@1.2.0')
    expect(service.status()).toMatchObject({ generation: 3, model: { version: '1.2.0' } })
    await vi.waitUntil(async () => !(await isRunning(old)), WAIT)
  })

  it('and a stop right after it let the old child finish what it had', async () => {
    const { service } = await startService({ slowMs: 600, batchMax: 2 })
    const flying = Array.from({ length: 4 }, () => service.infer(picture))
    await vi.waitUntil(() => service.status().inFlight === 4, WAIT)
    await service.swap({ ...digits, version: '1.1.0' })
    await service.stop()
    for (const outcome of await Promise.all(flying)) expect(outcome).toMatchObject({ ok: true, model: 'digits@1.0.0' })
  })

  it('that cannot be loaded leaves the old model serving', async () => {
    const path = join(await folder(), 'broken.onnx')
    await writeFile(path, 'this is no graph')
    const { service } = await serve()
    const pid = pidOf(service)
    await expect(service.swap({ ...digits, version: '9.9.9', path })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('digits@9.9.9'),
    })
    await expect(service.swap({ ...digits, output: { ...digits.output, name: 'elsewhere' } })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('no output named "elsewhere"'),
    })
    expect(pidOf(service)).toBe(pid)
    expect(await service.infer(picture)).toMatchObject({ ok: true, model: 'digits@1.0.0' })
  })
})

describe('a service that cannot start', () => {
  it('says which model and what to do, and leaves no process', async () => {
    const path = join(await folder(), 'broken.onnx')
    await writeFile(path, 'this is no graph')
    await expect(serve({}, { ...digits, path })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining(path),
      next: [expect.stringContaining('manifest')],
    })
    await expect(serve({ readyTimeoutMs: 1 })).rejects.toMatchObject({ code: 'MODEL_FAILED' })
    await expect(serve({ childEntry: join(path, 'nowhere.ts') })).rejects.toMatchObject({ code: 'MODEL_FAILED' })
  })
})

describe('the declared fault', () => {
  it('reaches a child that was loading when it was set', async () => {
    const { service } = await serve()
    const swapped = service.swap(digits)
    await vi.waitUntil(() => service.status().generation === 2, WAIT)
    service.setFault({ slowMs: 400 })
    await swapped
    const slow = await service.infer(picture)
    expect(slow.ok && slow.runMs).toBeGreaterThanOrEqual(399)
  })

  it('slows each run by as much as it says, and shows', async () => {
    const { service } = await serve()
    service.setFault({ slowMs: 3000 })
    expect(service.status().slowMs).toBe(3000)
    const slow = await service.infer(picture)
    expect(slow.ok && slow.runMs).toBeGreaterThanOrEqual(2999)
    service.setFault({ slowMs: 0 })
    const honest = await service.infer(picture)
    expect(honest.ok && honest.runMs).toBeLessThan(2999)
  })
})
