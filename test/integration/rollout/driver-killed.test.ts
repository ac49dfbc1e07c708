import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { StepOrder } from '../../../src/rollout/contract.ts'
import { fold } from '../../../src/rollout/fold.ts'
import { FileJournal } from '../../../src/rollout/journal/file-journal.ts'
import { planOf, started } from '../../support/rollout/events.ts'
import { NodeSlots } from '../../support/rollout/node-slots.ts'

const MAIN = join(import.meta.dirname, '../../support/rollout/driver-main.ts')
const LEASE_MS = 1000
const KEYS = ['n1', 'n2', 'n3']
const STEPS = ['stage', 'activate', 'confirm', 'end'] as const
const ONCE = Object.fromEntries(KEYS.flatMap((key) => STEPS.map((step) => [`${key} ${step}`, 1])))

/** Nodes that drivers in other processes reach, and that can hold an answer back. */
async function served() {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-killed-'))
  const nodes = new NodeSlots()
  const journal = new FileJournal({ dir })
  await journal.append('r1', started(planOf(KEYS), Date.now()), 0)
  let onStep: ((order: StepOrder, when: 'before' | 'after') => Promise<void>) | null = null
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', async () => {
      if (request.url === '/observe') {
        const seen = nodes.observe(KEYS)
        response.end(JSON.stringify({ ...seen, nodes: [...seen.nodes] }))
        return
      }
      const order = JSON.parse(Buffer.concat(chunks).toString()) as StepOrder
      await onStep?.(order, 'before')
      const outcome = await nodes.carryOut(order)
      await onStep?.(order, 'after')
      response.end(JSON.stringify(outcome))
    })
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const children: ChildProcess[] = []
  return {
    nodes,
    journal,
    /** Called around each step. */
    on: (listener: typeof onStep) => {
      onStep = listener
    },
    drive: (holder: string): ChildProcess => {
      const child = fork(MAIN, [dir, url, String(LEASE_MS), holder], { stdio: 'inherit' })
      children.push(child)
      return child
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of children) child.kill('SIGKILL')
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)))
}

/** Every step of every node, before it is carried out and after. */
const POINTS = STEPS.flatMap((step) => (['before', 'after'] as const).map((when) => ({ step, when })))

describe.each(POINTS)('a driver at $step, $when the node took it', ({ step, when }) => {
  test('killed: the next goes on, and no step is done twice', async () => {
    await using held = await served()
    const { nodes, journal, on, drive } = held
    const first = drive('first')
    const gone = ended(first)
    on(async (order, at) => {
      if (order.node !== 'n2' || order.step !== step || at !== when) return
      on(null)
      first.kill('SIGKILL')
      await gone
    })
    await gone
    expect(await ended(drive('second'))).toBe(0)
    expect(nodes.counted('done')).toEqual(ONCE)
    expect(nodes.counted('CHANGE_UNFIT')).toEqual({})
    const state = fold(null, await journal.read('r1'))
    expect(state).toMatchObject({ phase: 'done', driver: { holder: 'second' } })
    // On a machine that is very busy the second may have had to take it again.
    expect(state?.term).toBeGreaterThanOrEqual(2)
  })

  test('stopped past its lease and continued: it has no effect any more', async () => {
    await using held = await served()
    const { nodes, journal, on, drive } = held
    const first = drive('first')
    const isStopped = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    on(async (order, at) => {
      if (order.node !== 'n2' || order.step !== step || at !== when) return
      // What the second asks is not held back.
      on(null)
      first.kill('SIGSTOP')
      isStopped.resolve()
      await release.promise
    })
    await isStopped.promise
    const second = drive('second')
    expect(await ended(second)).toBe(0)
    const mark = nodes.log.length
    const entries = (await journal.read('r1')).length
    const firstEnded = ended(first)
    release.resolve()
    first.kill('SIGCONT')
    expect(await firstEnded).toBe(0)
    // What was held back on its way is refused or known already; it changes nothing.
    expect(nodes.log.slice(mark).filter(({ outcome }) => outcome === 'done')).toEqual([])
    expect((await journal.read('r1')).length).toBe(entries)
    expect(nodes.counted('done')).toEqual(ONCE)
    expect(fold(null, await journal.read('r1'))).toMatchObject({ phase: 'done', driver: { holder: 'second' } })
  })
})
