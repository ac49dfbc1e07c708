import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import type { Journal, LeaseBook } from '../../../src/rollout/contract.ts'
import { type DriveEnd, type DriverOptions, RolloutDriver } from '../../../src/rollout/driver.ts'
import { fold } from '../../../src/rollout/fold.ts'
import { FileJournal } from '../../../src/rollout/journal/file-journal.ts'
import { FileLeases } from '../../../src/rollout/journal/file-lease.ts'
import { planOf, started, took } from '../../support/rollout/events.ts'
import { taken } from '../../support/rollout/lease-laws.ts'
import { NodeSlots } from '../../support/rollout/node-slots.ts'
import { plainBrain } from '../../support/rollout/plain-brain.ts'

/** So long that no driver loses it because the machine is busy. */
const LEASE_MS = 60_000
const SOON = { timeout: 60_000, interval: 20 }
const KEYS = ['n1', 'n2', 'n3', 'n4']
const NEVER = new AbortController().signal

/** A folder with a rollout that was started over four nodes, and what drives it. */
async function bench() {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-driver-'))
  const journal = new FileJournal({ dir, lookEveryMs: 20 })
  const leases = new FileLeases({ dir, leaseMs: LEASE_MS })
  const nodes = new NodeSlots()
  await journal.append('r1', started(planOf(KEYS), Date.now()), 0)
  const drive = (changes: Partial<DriverOptions> = {}, signal = NEVER): Promise<DriveEnd> =>
    new RolloutDriver({
      rollout: 'r1',
      holder: 'test',
      journal,
      leases,
      targetOf: () => nodes,
      decide: plainBrain,
      judge: null,
      tickMs: 50,
      ...changes,
    }).run(signal)
  return {
    journal,
    leases,
    nodes,
    drive,
    state: async () => fold(null, await journal.read('r1')),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true }),
  }
}

const ONCE = Object.fromEntries(
  KEYS.flatMap((key) => ['stage', 'activate', 'confirm', 'end'].map((step) => [`${key} ${step}`, 1])),
)

test('drives a rollout to its end, every step once and none before its intent is written', async () => {
  using held = await bench()
  const { nodes, journal, drive, leases } = held
  const before: string[] = []
  const target = {
    observe: (keys: readonly string[]) => nodes.observe(keys),
    carryOut: async (order: Parameters<NodeSlots['carryOut']>[0]) => {
      const written = (await journal.read('r1')).some(
        ({ event }) => event.type === 'step.intended' && event.node === order.node && event.step === order.step,
      )
      before.push(`${order.node} ${order.step} ${written}`)
      return nodes.carryOut(order)
    },
  }
  expect(await drive({ targetOf: () => target })).toEqual({ why: 'ended' })
  expect(before.filter((line) => !line.endsWith('true'))).toEqual([])
  expect(nodes.counted('done')).toEqual(ONCE)
  expect(nodes.counted('again')).toEqual({})
  expect(await held.state()).toMatchObject({ phase: 'done', term: 1 })
  expect(await leases.look('r1')).toBeNull()
  expect(await drive()).toEqual({ why: 'ended' })
  expect(await drive({ rollout: 'r2' })).toEqual({ why: 'nothing' })
})

test('a second driver waits while the first lives, and goes on with what the first left', async () => {
  using held = await bench()
  const { nodes, drive } = held
  nodes.tookMs = 150
  const stop = new AbortController()
  const first = drive({ holder: 'mia at bastion' }, stop.signal)
  await vi.waitFor(() => expect(nodes.log.length).toBeGreaterThan(2), SOON)
  expect(await drive({ holder: 'controller' })).toMatchObject({ why: 'held', by: { heldBy: 'mia at bastion' } })
  stop.abort()
  expect(await first).toEqual({ why: 'stopped' })
  expect(await drive({ holder: 'controller' })).toEqual({ why: 'ended' })
  expect(nodes.counted('done')).toEqual(ONCE)
  expect(await held.state()).toMatchObject({ phase: 'done', term: 2, driver: { holder: 'controller' } })
})

test('two drivers that each believe to hold the lease: the later term goes on, the other has no effect and ends', async () => {
  using held = await bench()
  const { nodes, drive, journal } = held
  nodes.tookMs = 100
  const eachTheirOwn: LeaseBook = {
    take: async () => ({
      get untilMs() {
        return performance.now() + LEASE_MS
      },
      renew: async () => true,
      release: async () => undefined,
    }),
    look: async () => null,
  }
  const first = drive({ leases: eachTheirOwn, holder: 'first' })
  await vi.waitFor(() => expect(nodes.log.length).toBeGreaterThan(2), SOON)
  const second = drive({ leases: eachTheirOwn, holder: 'second' })
  expect(await first).toEqual({ why: 'lost' })
  expect(await second).toEqual({ why: 'ended' })
  const entries = await journal.read('r1')
  const at = entries.findIndex(({ event }) => event.type === 'driver.took' && event.term === 2)
  expect(entries.slice(at).filter(({ event }) => event.term === 1)).toEqual([])
  expect(nodes.counted('done')).toEqual(ONCE)
  expect(await held.state()).toMatchObject({ phase: 'done', term: 2 })
})

test('a driver whose lease is over begins nothing more, though its appends would still be taken', async () => {
  using held = await bench()
  const { nodes, drive, journal } = held
  nodes.tookMs = 30
  const untilMs = performance.now() + 300
  const ending: LeaseBook = {
    // The bus of the leases is away: nobody says that it is over.
    take: async () => ({
      untilMs,
      renew: async () => {
        throw new EdgeError('JOURNAL_FAILING', { message: 'the bus is away' })
      },
      release: async () => undefined,
    }),
    look: async () => null,
  }
  const slow: Journal = {
    list: () => journal.list(),
    read: (...args) => journal.read(...args),
    follow: (...args) => journal.follow(...args),
    append: async (...args) => {
      await new Promise((resolve) => setTimeout(resolve, 60))
      return journal.append(...args)
    },
  }
  expect(await drive({ leases: ending, journal: slow })).toEqual({ why: 'lost' })
  const before = nodes.log.length
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(nodes.log.length).toBeLessThanOrEqual(before + KEYS.length)
  expect(nodes.counted('done')).not.toEqual(ONCE)
})

test('where the journal takes no intent nothing is done', async () => {
  using held = await bench()
  const { nodes, drive, journal, leases } = held
  const full: Journal = {
    list: () => journal.list(),
    read: (...args) => journal.read(...args),
    follow: (...args) => journal.follow(...args),
    append: async (rollout, event, seq) => {
      if (event.type !== 'step.intended') return journal.append(rollout, event, seq)
      throw new EdgeError('JOURNAL_FAILING', { message: 'the disk is full' })
    },
  }
  await expect(drive({ journal: full })).rejects.toMatchObject({ code: 'JOURNAL_FAILING' })
  expect(nodes.log).toEqual([])
  expect(await leases.look('r1')).toBeNull()
  expect(await drive()).toEqual({ why: 'ended' })
})

test('a node that knows a higher term than the journal ends the driver, and the next one is above it', async () => {
  using held = await bench()
  const { nodes, drive } = held
  const plan = planOf(KEYS)
  const order = { plan, node: 'n1', step: 'stage', activation: null, why: null, mandate: null } as const
  expect(await nodes.carryOut({ ...order, term: 7 })).toMatchObject({ ok: true })
  expect(await drive()).toEqual({ why: 'ended' })
  expect(await held.state()).toMatchObject({ term: 8 })

  using other = await bench()
  let isTold = false
  const hidden = {
    // It is not told of n1's change until its step was refused.
    observe: (keys: readonly string[]) => {
      const seen = other.nodes.observe(keys)
      const blind = [...seen.nodes].map(([key, node]) => [key, isTold ? node : { ...node, change: null }] as const)
      return { ...seen, nodes: new Map(blind) }
    },
    carryOut: (step: Parameters<NodeSlots['carryOut']>[0]) => other.nodes.carryOut(step),
  }
  await other.nodes.carryOut({ ...order, term: 5 })
  expect(await other.drive({ targetOf: () => hidden })).toEqual({ why: 'lost' })
  isTold = true
  expect(await other.drive({ targetOf: () => hidden })).toEqual({ why: 'ended' })
  expect(await other.state()).toMatchObject({ phase: 'done', term: 6 })
})

test('what a person decides in the middle is obeyed at once', async () => {
  using held = await bench()
  const { nodes, drive, journal } = held
  nodes.tookMs = 100
  const release = Promise.withResolvers<void>()
  const target = {
    observe: (keys: readonly string[]) => nodes.observe(keys),
    // It is still in the middle when it is decided, however long that takes.
    carryOut: async (order: Parameters<NodeSlots['carryOut']>[0]) => {
      if (order.step === 'confirm') await release.promise
      return nodes.carryOut(order)
    },
  }
  const driving = drive({ tickMs: 5000, targetOf: () => target })
  await vi.waitFor(() => expect(nodes.counted('done')).toHaveProperty('n1 activate'), SOON)
  const by = { name: 'mia', signature: null, chain: null }
  const abort = {
    type: 'person.decided',
    at: Date.now(),
    term: 0,
    decision: 'abort',
    wave: null,
    by,
    why: null,
  } as const
  await vi.waitFor(async () => {
    const last = (await journal.read('r1')).length
    expect(await journal.append('r1', abort, last)).toMatchObject({ ok: true })
  }, SOON)
  release.resolve()
  expect(await driving).toEqual({ why: 'ended' })
  expect(await held.state()).toMatchObject({ phase: 'reverted' })
  for (const key of KEYS) expect(nodes.change(key)?.phase).toBe('reverted')
})

test('a driver behind whom the journal lost its end stops', async () => {
  using held = await bench()
  const { nodes, drive, journal, leases } = held
  nodes.tookMs = 100
  let isCut = false
  const cut: Journal = {
    list: () => journal.list(),
    follow: (...args) => journal.follow(...args),
    read: async (rollout, afterSeq = 0) => {
      const entries = await journal.read(rollout)
      return (isCut ? entries.slice(0, 2) : entries).filter(({ seq }) => seq > afterSeq)
    },
    append: async (...args) => (isCut ? { ok: false, why: 'conflict' } : journal.append(...args)),
  }
  const driving = drive({ journal: cut })
  await vi.waitFor(() => expect(nodes.log.length).toBeGreaterThan(2), SOON)
  isCut = true
  expect(await driving).toEqual({ why: 'lost' })
  await (await taken(leases, 'next')).release()
  expect(await journal.append('r1', took(9), (await journal.read('r1')).length)).toMatchObject({ ok: true })
})
