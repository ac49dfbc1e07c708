import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { InferenceService, InferenceServiceOptions } from '../../../edge-daemon/inference/inference-service.ts'
import { LEAST_PRIORITY, mayLift, setNice } from '../../../edge-daemon/inference/thread-priority.ts'
import type { ServedModel } from '../../../edge-daemon/models/models.ts'
import { DaemonHome, eventually } from '../../support/edge-daemon.ts'
import { digitsModel, startService } from '../../support/inference-node.ts'
import { samplePicture } from '../../support/pictures.ts'

const WAIT = { timeout: 60_000, interval: 10 }
const HELD_CHILD = fileURLToPath(new URL('../../support/held-child.ts', import.meta.url))
const picture = samplePicture(7)
const isAllowed = await mayLift()
let digits: ServedModel
let dir: string
let service: InferenceService | null = null

beforeAll(async () => {
  digits = await digitsModel()
})
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-quiet-'))
  vi.stubEnv('TEST_HOLD_FILE', join(dir, 'go'))
})
afterEach(async () => {
  await letGo()
  await service?.stop()
  service = null
  vi.unstubAllEnvs()
  await rm(dir, { recursive: true })
})

const letGo = (): Promise<void> => writeFile(join(dir, 'go'), '')

/** A service whose first model serves and whose next one is held before it loads; with what is known of that one. */
async function loading(options: Partial<InferenceServiceOptions> = {}) {
  await letGo()
  const started = await startService(
    { loadsQuietly: true, childEntry: HELD_CHILD, restartFirstMs: 20, ...options },
    digits,
  )
  service = started.service
  const serving = service.status().childPid as number
  await rm(join(dir, 'go'))
  const swap = service.swap({ ...digits, version: '2.0.0' })
  swap.catch(() => undefined)
  const others = (): number[] => childrenOf(process.pid).filter((pid) => pid !== serving && runsHeldChild(pid))
  await vi.waitUntil(() => others().length === 1, WAIT)
  return { ...started, serving, swap, candidate: others()[0] as number }
}

function childrenOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.flatMap((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim()
    return text === '' ? [] : text.split(' ').map(Number)
  })
}

function runsHeldChild(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(HELD_CHILD)
  } catch {
    return false
  }
}

/** Nice values that the threads of a process have, each once. */
function nicesOf(pid: number): number[] {
  const nices = readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      return getPriority(Number(thread))
    } catch {
      // It has just ended.
      return []
    }
  })
  return [...new Set(nices)]
}

describe.runIf(isAllowed)('a model that loads beside the one that serves', () => {
  it('stands back with all its threads, and is as quick as the other when it takes over', async () => {
    const { service, serving, swap, candidate } = await loading()
    await vi.waitUntil(() => nicesOf(candidate).join() === `${LEAST_PRIORITY}`, WAIT)
    expect(nicesOf(serving)).toEqual([getPriority()])
    expect(await service.infer(picture)).toMatchObject({ ok: true, model: 'digits@1.0.0' })
    await letGo()
    await swap
    expect(service.status().childPid).toBe(candidate)
    expect(nicesOf(candidate)).toEqual([getPriority()])
    expect(await service.infer(picture)).toMatchObject({ ok: true, model: 'digits@2.0.0' })
    expect(nicesOf(candidate)).toEqual([getPriority()])
  })

  it('stands back no longer than it may, since on a busy node it would never be done', async () => {
    const { swap, candidate } = await loading({ quietMs: 1 })
    await vi.waitUntil(() => nicesOf(candidate).join() === `${getPriority()}`, WAIT)
    await letGo()
    await swap
  })

  it('stands back for nothing once the one that served is dead', async () => {
    const { service, serving, swap, candidate } = await loading()
    await vi.waitUntil(() => nicesOf(candidate).join() === `${LEAST_PRIORITY}`, WAIT)
    process.kill(serving, 'SIGKILL')
    await vi.waitUntil(() => nicesOf(candidate).join() === `${getPriority()}`, WAIT)
    await letGo()
    await swap
    expect(await service.infer(picture)).toMatchObject({ ok: true, model: 'digits@2.0.0' })
  })
})

it('loads as any other where nobody asks it to stand back', async () => {
  const { swap, candidate } = await loading({ loadsQuietly: false })
  expect(nicesOf(candidate)).toEqual([getPriority()])
  await letGo()
  await swap
})

it('knows no priority of a process that is not there', () => {
  expect(setNice(2 ** 30, LEAST_PRIORITY)).toBe(false)
})

it('says at the start of a node where a model cannot be lifted again', async () => {
  await using home = new DaemonHome()
  const isRoot = process.getuid?.() === 0
  const under = isRoot ? ['setpriv', '--bounding-set=-sys_nice', '--inh-caps=-sys_nice'] : []
  const { daemon } = await home.serve({ under })
  const isSaid = (): boolean => daemon.lines.some((line) => line.includes('"model.loads_loudly"'))
  if (isRoot || !isAllowed) await eventually(isSaid, { what: 'it is said' })
  else expect(isSaid()).toBe(false)
})
