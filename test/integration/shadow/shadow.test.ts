import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { ServedModel } from '../../../edge-daemon/models/models.ts'
import { AnswerTap } from '../../../edge-daemon/shadow/answer-tap.ts'
import { type ShadowOptions, type ShadowRun, startShadow } from '../../../edge-daemon/shadow/shadow.ts'
import { shadowSchema } from '../../../protocol/change.ts'
import { eventually, postPicture } from '../../support/edge-daemon.ts'
import { digitsModel, startInferenceNode } from '../../support/inference-node.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { worseDigits } from '../../support/worse-model.ts'

// Children start in 0.2 s on an idle machine and in several on a busy one; at idle priority there never.
vi.setConfig({ testTimeout: 300_000 })
const PATIENT = { timeoutMs: 90_000 }

const samples = samplesOf(fileURLToPath(new URL('../../../models/digits/samples/', import.meta.url)))
const undo: (() => unknown)[] = []
let digits: ServedModel
let dir: string

beforeAll(async () => {
  digits = await digitsModel()
})
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-shadow-'))
  undo.push(() => rmSync(dir, { recursive: true, force: true }))
})
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

function samplesOf(folder: string): { label: string; picture: Buffer }[] {
  return readdirSync(folder).map((file) => ({ label: file[0] as string, picture: readFileSync(join(folder, file)) }))
}

function shadow(options: Omit<ShadowOptions, 'pixelLimit'>): ShadowRun {
  const run = startShadow({ pixelLimit: 40e6, priority: 'normal', ...options })
  undo.push(() => run.stop())
  return run
}

async function live(): Promise<{ tap: AnswerTap; send: (count: number) => Promise<void> }> {
  const tap = new AnswerTap()
  const node = await startInferenceNode({ server: { onAnswered: (picture, outcome) => tap.tap(picture, outcome) } })
  undo.push(() => node.stop())
  const send = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      const { picture, label } = samples[n % samples.length] as (typeof samples)[number]
      expect((await postPicture(node.url, picture)).pred).toBe(Number(label))
    }
  }
  return { tap, send }
}

async function keptStore(): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (const { picture } of samples) {
    const body = { content_type: 'image/png', bytes: picture.length, data: picture.toString('base64') }
    await store.append([{ class: 'input', timestamp: 1, body }])
  }
  return store
}

function labelledFolder(): string {
  const head = { format: 1, classes: digits.classes, pictures: samples.length }
  const lines = samples.map(({ label, picture }) => ({ label, picture: picture.toString('base64') }))
  writeFileSync(join(dir, 'labelled.ndjson'), [head, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(''))
  return dir
}

test('a worse model is seen as worse by what devices send, and the answers are those of the model that serves', async () => {
  const { tap, send } = await live()
  const candidate = worseDigits(digits, dir)
  const source = { kind: 'live', tap, samplePct: 100, serving: 'current' } as const
  const run = shadow({ candidate, current: digits, source, wanted: 40 })
  await eventually(async () => {
    await send(10)
    return run.report().isDone
  }, PATIENT)
  expect(await run.whenDone).toEqual({ kind: 'done' })
  const report = shadowSchema.parse(run.report())
  expect(report).toMatchObject({ source: 'live', wanted: 40, compared: 40, errors: 0, isDone: true })
  expect(report.agreed).toBeLessThan(30)
  expect(report.confusion.reduce((sum, [, , count]) => sum + count, 0)).toBe(40 - report.agreed)
  expect(report.candidateMs.count).toBe(40)
  expect(report.currentMs.count).toBe(40)
  expect(run.pids).toEqual([])
})

test('the same model agrees with itself', async () => {
  const { tap, send } = await live()
  const source = { kind: 'live', tap, samplePct: 100, serving: 'current' } as const
  const run = shadow({ candidate: digits, current: digits, source, wanted: 20 })
  await eventually(async () => {
    await send(10)
    return run.report().isDone
  }, PATIENT)
  expect(run.report()).toMatchObject({ compared: 20, agreed: 20, errors: 0, confusion: [] })
})

test('on probation the model before is run in shadow, and what serves is the candidate', async () => {
  const { tap, send } = await live()
  const current = worseDigits(digits, dir)
  const source = { kind: 'live', tap, samplePct: 100, serving: 'candidate' } as const
  const run = shadow({ candidate: digits, current, source, wanted: 30 })
  await eventually(async () => {
    await send(10)
    return run.report().isDone
  }, PATIENT)
  const { compared, agreed, confusion } = run.report()
  expect(compared).toBe(30)
  expect(agreed).toBeLessThan(25)
  // The candidate is right about all of them, so no confusion can end in the same class twice over.
  expect(confusion.every(([was, is]) => was !== is)).toBe(true)
})

test('kept pictures are seen by both models, until there are no more', async () => {
  const run = shadow({
    candidate: worseDigits(digits, dir),
    current: digits,
    source: { kind: 'kept', store: await keptStore() },
    wanted: 1000,
  })
  expect(await run.whenDone).toEqual({ kind: 'done' })
  expect(run.report()).toMatchObject({ source: 'kept', compared: samples.length, errors: 0, isDone: true })
  expect(run.report().agreed).toBeLessThan(samples.length * 0.8)
})

test('of a labelled set it is told how many each model gets right', async () => {
  const source = { kind: 'labelled', folder: labelledFolder() } as const
  const run = shadow({ candidate: worseDigits(digits, dir), current: digits, source, wanted: 1000 })
  expect(await run.whenDone).toEqual({ kind: 'done' })
  const { labelled } = run.report()
  expect(labelled).toMatchObject({ total: samples.length, currentRight: samples.length })
  expect(labelled?.candidateRight).toBeLessThan(samples.length * 0.8)
})

test('classes are compared by name: the same graph with the names of its classes turned round is wrong', async () => {
  const renamed = { ...digits, version: '2.0.0', classes: digits.classes.toReversed() }
  const source = { kind: 'labelled', folder: labelledFolder() } as const
  const run = shadow({ candidate: renamed, current: digits, source, wanted: 1000 })
  await run.whenDone
  expect(run.report()).toMatchObject({ agreed: 0, labelled: { candidateRight: 0 } })
})

test('a candidate that is killed in the middle costs a picture, and one that dies again and again ends the shadow', async () => {
  const { tap, send } = await live()
  const source = { kind: 'live', tap, samplePct: 100, serving: 'current' } as const
  const run = shadow({ candidate: worseDigits(digits, dir), current: digits, source, wanted: 1_000_000 })
  for (let death = 0; death < 3; death += 1) {
    await eventually(() => run.pids.length === 2, PATIENT)
    const pid = run.pids[0] as number
    process.kill(pid, 'SIGKILL')
    await eventually(() => !run.pids.includes(pid), PATIENT)
    await eventually(async () => {
      await send(2)
      return run.pids.length === (death === 2 ? 0 : 2)
    }, PATIENT)
  }
  expect(await run.whenDone).toMatchObject({ kind: 'failed', by: 'candidate' })
  expect(run.report().fault).toMatch(/died 3 times|failed: signal SIGKILL/)
  await send(5)
})

test.each([
  [
    'a label that the set does not know',
    (lines: string[]) => lines.splice(3, 1, '{"label":"eleven","picture":"AAAA"}'),
  ],
  ['a line that is none', (lines: string[]) => lines.splice(3, 1, '{"label":')],
  ['no first line', (lines: string[]) => lines.shift()],
])('a labelled set with %s ends the comparison with its line, and the candidate is not blamed', async (_what, harm) => {
  const file = join(labelledFolder(), 'labelled.ndjson')
  const lines = readFileSync(file, 'utf8').split('\n')
  harm(lines)
  writeFileSync(file, lines.join('\n'))
  const run = shadow({ candidate: digits, current: digits, source: { kind: 'labelled', folder: dir }, wanted: 1000 })
  expect(await run.whenDone).toMatchObject({ kind: 'failed', by: 'node', error: { code: 'PACKAGE_INVALID' } })
  expect(run.report().fault).toMatch(/line [14] of .*labelled\.ndjson/)
})

test('without room in memory nothing is loaded, and the candidate is not blamed', async () => {
  const { tap } = await live()
  const source = { kind: 'live', tap, samplePct: 100, serving: 'current' } as const
  const run = shadow({ candidate: digits, current: digits, source, wanted: 10, freeBytes: () => 150e6 })
  expect(await run.whenDone).toMatchObject({ kind: 'failed', by: 'node' })
  expect(run.report()).toMatchObject({ isDone: true, compared: 0, fault: expect.stringMatching(/150 MB of memory/) })
})

test('a child in shadow takes what nobody else wants, and is the first to go when memory runs out', async () => {
  const { tap } = await live()
  const source = { kind: 'live', tap, samplePct: 100, serving: 'current' } as const
  const run = shadow({ candidate: digits, current: digits, source, wanted: 10, priority: 'idle' })
  await eventually(
    () => {
      const [pid] = run.pids
      return pid !== undefined && readFileSync(`/proc/${pid}/comm`, 'latin1').startsWith('MainThread')
      // What nobody else wants may be little.
    },
    { timeoutMs: 280_000 },
  )
  const [pid] = run.pids
  const threads = readdirSync(`/proc/${pid}/task`)
  expect(threads.length).toBeGreaterThan(1)
  for (const thread of threads) {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1')
    // Of what stands behind the name, the 39th field of all is the policy: 5 is SCHED_IDLE.
    const [, , nice, policy] = [0, 0, 16, 38].map((at) => stat.slice(stat.lastIndexOf(')') + 2).split(' ')[at])
    expect(policy === '5' || nice === '19' || `policy ${policy}, nice ${nice}`).toBe(true)
  }
  expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1').trim()).toBe('1000')
})
