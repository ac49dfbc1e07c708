import { describe, expect, test, vi } from 'vitest'
import type { BusUser } from '../../../protocol/bus-users.ts'
import { BusJournal } from '../../../src/rollout/journal/bus-journal.ts'
import { BusLeases } from '../../../src/rollout/journal/bus-lease.ts'
import { ask } from '../../support/bus-attempts.ts'
import { natsBus } from '../../support/nats-bus.ts'
import { storeOf } from '../../support/rollout/bus-store.ts'
import { planOf, started, took } from '../../support/rollout/events.ts'
import { journalLaws } from '../../support/rollout/journal-laws.ts'
import { leaseLaws, taken } from '../../support/rollout/lease-laws.ts'

const MIA = { kind: 'operator', name: 'mia', role: 'operator', sites: ['plant'] } as const satisfies BusUser
const CONTROLLER = { kind: 'controller', name: 'ctl' } as const satisfies BusUser

/** A bus for one test, and two members that drive rollouts there. */
async function pair({ leaseMs, timeoutMs }: { readonly leaseMs?: number; readonly timeoutMs?: number } = {}) {
  const bus = await natsBus({}, leaseMs === undefined ? {} : { leaseMs })
  const stores = [await storeOf(bus, MIA, timeoutMs), await storeOf(bus, CONTROLLER, timeoutMs)] as const
  return {
    bus,
    stores,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(stores.map((store) => store.close()))
      await bus[Symbol.asyncDispose]()
    },
  }
}

describe('a journal on a bus with accounts', () => {
  journalLaws(async () => {
    const { stores, ...rest } = await pair()
    return { one: new BusJournal(stores[0]), other: new BusJournal(stores[1]), ...rest }
  })
})

describe('leases on a bus with accounts', () => {
  leaseLaws(async (leaseMs) => {
    const { stores, ...rest } = await pair({ leaseMs })
    const leases = (at: 0 | 1): BusLeases => new BusLeases(stores[at], { leaseMs })
    return { one: leases(0), other: leases(1), leaseMs, ...rest }
  })
})

test('viewers follow rollouts and write none, nodes do neither, and nobody takes back what is written', async () => {
  await using held = await pair()
  const { bus, stores } = held
  const [journal, leases] = [new BusJournal(stores[0]), new BusLeases(stores[0])]
  await journal.append('r1', started(planOf(['n1'])), 0)
  await taken(leases, 'mia')

  const viewer = await storeOf(bus, { kind: 'operator', name: 'vic', role: 'viewer', sites: ['plant'] })
  const [reading, looking] = [new BusJournal(viewer), new BusLeases(viewer)]
  expect(await reading.list()).toEqual(['r1'])
  expect(await reading.read('r1')).toHaveLength(1)
  expect(await looking.look('r1')).toMatchObject({ heldBy: 'mia' })
  await expect(reading.append('r1', took(1), 1)).rejects.toMatchObject({ code: 'JOURNAL_FAILING' })
  await expect(looking.take('r2', 'vic')).rejects.toMatchObject({ code: 'JOURNAL_FAILING' })
  await viewer.close()

  const stolen = await bus.connect(await bus.member({ kind: 'node', site: 'plant', node: 'n1' }))
  const api = '$JS.archive.API'
  for (const subject of ['rollout.r1', 'rollout.new', 'rollout-lease.r1', `${api}.STREAM.INFO.ROLLOUT`]) {
    expect([subject, await ask(stolen, subject, { body: '{}' })]).toEqual([subject, 'refused'])
  }
  await stolen.close()

  const mia = await bus.connect(await bus.member(MIA))
  for (const call of ['PURGE', 'DELETE', 'UPDATE', 'MSG.DELETE']) {
    const subject = `${api}.STREAM.${call}.ROLLOUT`
    expect([subject, await ask(mia, subject, { body: '{"seq":1}' })]).toEqual([subject, 'refused'])
  }
  await mia.close()
  const { state, config } = await bus.operate(({ streams }) => streams.info('ROLLOUT'))
  expect(state.messages).toBe(1)
  expect(config).toMatchObject({ deny_delete: true, deny_purge: true, allow_rollup_hdrs: false })
})

test('what somebody writes beside the journal counts as nothing and stops nobody', async () => {
  // An empty one ends what a reader is sent, which then waits for so long before it looks behind it.
  await using held = await pair({ timeoutMs: 3000 })
  const { bus, stores } = held
  const [one, other] = [new BusJournal(stores[0]), new BusJournal(stores[1])]
  await one.append('r1', started(planOf(['n1'])), 0)
  const mia = await bus.connect(await bus.member(MIA))
  const forged = JSON.stringify({ seq: 1, event: started(planOf(['n9'])) })
  for (const body of ['', '{', forged, JSON.stringify({ seq: 9, event: took(9) }), '{"seq":2,"event":{"type":"x"}}']) {
    expect(await ask(mia, 'rollout.r1', { body })).toMatchObject({ text: expect.stringContaining('"seq"') })
  }
  await mia.close()
  expect(await other.append('r1', took(1), 1)).toEqual({ ok: true, seq: 2 })
  // Who knew of none of it finds another last and looks again.
  expect(await one.append('r1', took(2), 2)).toEqual({ ok: true, seq: 3 })
  const entries = [
    { seq: 1, event: started(planOf(['n1'])) },
    { seq: 2, event: took(1) },
    { seq: 3, event: took(2) },
  ]
  expect(await one.read('r1')).toEqual(entries)
  expect(await other.read('r1')).toEqual(entries)
})

test('while the bus is away nothing is appended, and what follows goes on when it is back', async () => {
  // One that is away answers nothing, so that its silence is waited out.
  await using held = await pair({ timeoutMs: 3000 })
  const { bus, stores } = held
  const [one, other] = [new BusJournal(stores[0]), new BusJournal(stores[1])]
  await one.append('r1', started(planOf(['n1'])), 0)
  const heard: number[] = []
  const end = new AbortController()
  const following = other.follow('r1', 0, ({ seq }) => heard.push(seq), end.signal)
  await vi.waitFor(() => expect(heard).toEqual([1]), { timeout: 60_000 })
  await bus.kill()
  await expect(one.append('r1', took(1), 1)).rejects.toMatchObject({ code: 'JOURNAL_FAILING' })
  await bus.restart()
  await vi.waitFor(async () => expect(await one.append('r1', took(1), 1)).toMatchObject({ ok: true }), {
    timeout: 60_000,
  })
  await vi.waitFor(() => expect(heard).toEqual([1, 2]), { timeout: 60_000 })
  end.abort()
  await following
})

test('a stream that is full is told as full, with who can give it room; nothing that was there is lost', async () => {
  await using held = await pair()
  const journal = new BusJournal(held.stores[0])
  await journal.append('r1', started(planOf(['n1'])), 0)
  const { state, config } = await held.bus.operate(({ streams }) => streams.info('ROLLOUT'))
  await held.bus.operate(({ streams }) => streams.update('ROLLOUT', { ...config, max_bytes: state.bytes + 1 }))
  await expect(journal.append('r1', took(1), 1)).rejects.toMatchObject({
    code: 'JOURNAL_FAILING',
    message: expect.stringContaining('the stream ROLLOUT takes nothing more'),
    next: [expect.stringContaining('edgedeck doctor'), expect.stringContaining('max_bytes')],
  })
  await held.bus.operate(({ streams }) => streams.update('ROLLOUT', config))
  expect(await journal.append('r1', took(1), 1)).toEqual({ ok: true, seq: 2 })
  expect(await journal.read('r1')).toHaveLength(2)
})
