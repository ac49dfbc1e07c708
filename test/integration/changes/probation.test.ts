import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChangingNode } from '../../support/changing-node.ts'
import { eventually } from '../../support/edge-daemon.ts'

let node: ChangingNode

beforeEach(() => {
  node = new ChangingNode()
})
afterEach(async () => {
  await node[Symbol.asyncDispose]()
})

const isPutAside = (): boolean => node.status.conditions.some(({ code }) => code === 'model_put_aside')

describe('a model that a rollout brings', { timeout: 240_000 }, () => {
  test('serves on probation, is confirmed, and is what serves after a start; what was there before is served again on a revert', async () => {
    const item = await node.shelve('2.0.0')
    await node.serve()
    expect(node.version).toBe('1.0.0')
    await node.activate(item)
    expect(node.version).toBe('2.0.0')
    expect(node.changes.change).toMatchObject({ activation: 'a1', isLocked: true, served: { requests: 0 } })
    expect(await node.infer(3)).toEqual([200, 200, 200])
    await eventually(() => node.changes.change?.served?.requests === 3, { what: 'three are counted' })
    expect(await node.ask('change.confirm', { activation: 'a1' })).toMatchObject({ phase: 'confirmed' })
    expect(await node.ask('change.end')).toMatchObject({ phase: 'confirmed', isLocked: false })
    await node.killed()
    expect(node.version).toBe('2.0.0')
    expect(node.changes).toMatchObject({ confirmed: [item], models: ['digits@1.0.0', 'digits@2.0.0'] })
    await node.ask('change.revert', { activation: 'a1', why: 'worse than it was' })
    expect((await node.until('reverted')).fault).toMatchObject({ kind: 'asked', msg: 'worse than it was' })
    await eventually(() => node.version === '1.0.0', { what: 'the model before serves' })
    await expect(node.ask('change.confirm', { activation: 'a1' })).rejects.toThrow(/^CHANGE_UNFIT: .*worse than it was/)
    await node.killed()
    expect(node.version).toBe('1.0.0')
    expect(node.changes.confirmed).toEqual([])
  })

  test('goes back by itself when nobody confirms, and says why', async () => {
    const item = await node.shelve('2.0.0')
    await node.serve()
    const beganMs = Date.now()
    await node.activate(item, { confirmWithinSec: 10 })
    // Ten seconds from when it began to serve, which was meanwhile; the two clocks are read one after the other.
    const { until = 0 } = node.changes.change ?? {}
    expect(until).toBeGreaterThan(beganMs + 10_000 - 500)
    expect(until).toBeLessThan(Date.now() + 10_000 + 500)
    const change = await node.until('reverted')
    expect(change.fault?.kind).toBe('unconfirmed')
    expect(node.version).toBe('1.0.0')
    await eventually(() => node.status.conditions.some(({ code }) => code === 'model_returned'), { what: 'it is told' })
    await expect(node.ask('change.confirm', { activation: 'a1' })).rejects.toThrow(/^CHANGE_UNFIT/)
  })

  test('goes back when too many answers take too long, and when the process of the model dies twice', async () => {
    node.configure({ 'alerts.latency': '50ms' })
    const item = await node.shelve('2.0.0')
    await node.serve()
    await node.activate(item, { gates: { maxSlowPct: 10, minRequests: 10 } })
    await node.ask('fault.slow' as never, { ms: 70 })
    await node.infer(12)
    expect((await node.until('reverted')).fault?.kind).toBe('slow')
    await node.ask('fault.slow' as never, { ms: 0 })

    await node.activate(item, { activation: 'a2' })
    await node.diesTwice()
    expect((await node.until('reverted')).fault).toMatchObject({ kind: 'unclean_starts' })
    expect(node.version).toBe('1.0.0')
    expect(await node.infer(2)).toEqual([200, 200])
  })

  test('never serves when it does not load, and what serves goes on', async () => {
    const item = await node.shelve('2.0.0', Buffer.from('this is no graph at all'))
    await node.serve()
    const { childPid } = node
    await node.ask('change.stage', { item, sources: [{ kind: 'link' }] })
    await eventually(() => ['staged', 'failed'].includes(node.changes.change?.phase ?? ''), { what: 'it is looked at' })
    if (node.changes.change?.phase === 'staged') {
      await node.ask('change.activate', { activation: 'a1', confirmWithinSec: 60, gates: {} })
      expect((await node.until('failed')).fault?.kind).toBe('load')
    }
    expect(node.changes.change).toMatchObject({ phase: 'failed', isLocked: true })
    expect(node.childPid).toBe(childPid)
    expect(await node.infer(2)).toEqual([200, 200])
  })

  test('goes back after two kills of the daemon while it is new on it, and not after one', async () => {
    const item = await node.shelve('2.0.0')
    await node.serve()
    await node.activate(item)
    await node.killed()
    expect(node.version).toBe('2.0.0')
    expect(node.changes.change).toMatchObject({ phase: 'probation', uncleanStarts: 1 })
    // An orderly stop says nothing against it.
    await node.served?.daemon.stop()
    await node.serve()
    expect(node.changes.change).toMatchObject({ phase: 'probation', uncleanStarts: 1 })
    await node.killed()
    expect(node.version).toBe('1.0.0')
    expect(await node.until('reverted')).toMatchObject({ uncleanStarts: 2, fault: { kind: 'unclean_starts' } })
  })

  test('goes back to what the node was set up with when the confirmed package is spoilt on the disk meanwhile', async () => {
    const first = await node.shelve('2.0.0')
    await node.serve()
    await node.activate(first)
    await node.ask('change.confirm', { activation: 'a1' })
    await node.ask('change.end')
    // Started again, so that no process holds it warm.
    await node.served?.daemon.stop()
    await node.serve()
    const second = await node.shelve('3.0.0')
    await node.activate(second, { activation: 'a2', rollout: 'r2' })
    expect(node.version).toBe('3.0.0')
    node.spoil(first)
    await node.ask('change.revert', { activation: 'a2', why: 'tried', rollout: 'r2' })
    await node.until('reverted')
    await eventually(() => node.version === '1.0.0', { what: 'the model of the folder serves' })
    await eventually(isPutAside, { what: 'it is told' })
    expect(await node.infer(2)).toEqual([200, 200])
    await node.ask('change.end', { rollout: 'r2' })
    // Another that is confirmed ends what is told of it.
    await node.activate(second, { activation: 'a3', rollout: 'r3' })
    await node.ask('change.confirm', { activation: 'a3', rollout: 'r3' })
    await node.until('confirmed')
    await eventually(() => !isPutAside(), { what: 'it is no longer told' })
  })

  test('that was confirmed serves again by itself after a start at which it could not be loaded', async () => {
    const item = await node.shelve('2.0.0')
    await node.serve()
    await node.activate(item)
    await node.ask('change.confirm', { activation: 'a1' })
    await node.until('confirmed')
    await node.kill()
    // Every process of a model but the second dies as one does that finds no memory, until there is some.
    const inHome = (name: string): string => join(node.home.dir, name)
    const [dies, started, memory] = [inHome('dies.cjs'), inHome('started'), inHome('memory')]
    writeFileSync(
      dies,
      `const { appendFileSync, existsSync, statSync } = require('node:fs')
      if (/child\\.[jt]s$/.test(process.argv[1]) && !existsSync(${JSON.stringify(memory)})) {
        appendFileSync(${JSON.stringify(started)}, '.')
        if (statSync(${JSON.stringify(started)}).size !== 2) process.kill(process.pid, 'SIGKILL')
      }`,
    )
    await node.serve({ env: { NODE_OPTIONS: `--require ${dies}` } })
    expect(node.version).toBe('1.0.0')
    expect(isPutAside()).toBe(true)
    expect(await node.infer(2)).toEqual([200, 200])
    writeFileSync(memory, '')
    await eventually(() => node.version === '2.0.0', { what: 'it serves again', timeoutMs: 120_000 })
    await eventually(() => !isPutAside(), { what: 'it is no longer told' })
    expect(node.changes.confirmed).toEqual([item])
  })

  test('goes back at the next start when its time passed while the daemon was down', async () => {
    const item = await node.shelve('2.0.0')
    await node.serve()
    await node.activate(item, { confirmWithinSec: 8 })
    await node.kill()
    await new Promise((resolve) => setTimeout(resolve, 8500))
    await node.serve()
    expect(node.version).toBe('1.0.0')
    expect((await node.until('reverted')).fault?.kind).toBe('unconfirmed')
  })
})
