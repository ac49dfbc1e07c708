import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { AuditLog } from '../../../edge-daemon/audit/audit-log.ts'
import { openStore, type Store, type StoredRecord } from '../../../edge-daemon/store/store.ts'
import { DiskEpoch } from '../../../edge-daemon/upstream/disk-epoch.ts'
import type { AuditRecord } from '../../../protocol/audit.ts'
import { checkChain } from '../../../protocol/audit-chain.ts'
import type { Merged } from '../../../src/cloud/merge.ts'
import { blocksOf, readOf } from '../../support/cloud-reading.ts'
import { HUBS, wireTo } from '../../support/nats-bus.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { storeFolder } from '../../support/store-folder.ts'
import { keptLog, someRecords, uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 20 }

/** One node on a folder: its store, its uplink, and everything it was told is kept. */
async function node(dir: string, nats: NatsFixture) {
  const store = await openStore({ dir, nodeName: 'n1', maxBytes: 1e9, segmentBytes: 1e6 })
  const disk = new DiskEpoch(store, keptLog())
  const bench = uplinkOf(store, wireTo(nats), { disk })
  bench.uplink.start()
  return {
    store,
    disk,
    ...bench,
    /** Everything it has for upstream is acknowledged. */
    drained: () =>
      vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON),
    keep: async (...args: Parameters<typeof someRecords>) => {
      const kept = await store.append(someRecords(...args))
      if (!kept.stored) throw new Error(kept.msg)
      return kept.seqs
    },
    stop: async () => {
      await bench.uplink.stop()
      await store.close()
    },
  }
}

/** Lines of a store that are for upstream. */
async function linesOf(store: Store): Promise<string[]> {
  const records: StoredRecord[] = await store.read({ classes: ['abnormal', 'alert', 'stat', 'ledger'], limit: 100_000 })
  return records.map(({ line }) => line)
}

/** Every line is there; what two disks have in common may be there once. */
function expectHolds(read: Merged, ...stores: readonly (readonly string[])[]): void {
  const wanted = new Set(stores.flat())
  const held = new Set(read.records.map(({ line }) => line))
  expect([...wanted].filter((line) => !held.has(line))).toEqual([])
  expect(read.records.length).toBe(held.size)
  expect(read.conflicts).toEqual([])
  expect(read.copies.twice).toBe(0)
}

test.each(HUBS)(
  'a copied disk on a second node takes a new epoch; of neither is anything lost or taken for the other, %s',
  async (_name, hub) => {
    await using nats = await hub()
    using folder = storeFolder()
    const first = await node(folder.dir, nats)
    await first.keep('abnormal', 60)
    await first.drained()
    // What is copied has a backlog too.
    await nats.kill()
    await first.keep('abnormal', 30)
    await first.keep('alert', 5)
    await first.stop()
    const copy = join(folder.dir, '..', 'copy')
    cpSync(folder.dir, copy, { recursive: true })
    await nats.restart()

    const [a, b] = [await node(folder.dir, nats), await node(copy, nats)]
    for (let round = 0; round < 5; round += 1) {
      await Promise.all([
        a.keep('abnormal', 7),
        b.keep('abnormal', 9, 121),
        b.keep('stat', 1, 122),
        a.keep('alert', 1, 123),
      ])
      await Promise.all([a.drained(), b.drained()])
    }
    const read = await readOf(nats)
    expectHolds(read, await linesOf(a.store), await linesOf(b.store))
    const forks = a.store.forks.length + b.store.forks.length
    expect(forks).toBeGreaterThanOrEqual(1)
    expect(forks).toBeLessThanOrEqual(2)
    const [forked] = [a, b].filter(({ store }) => store.forks.length > 0)
    expect(forked?.disk.findings()).toContainEqual(expect.objectContaining({ code: 'new_epoch' }))
    expect([...a.disk.findings(), ...b.disk.findings()].map(({ code }) => code)).toContain('same_name')
    const told = read.ledger.filter(({ record }) => record.event === 'new_epoch')
    expect(told.length).toBe(forks)
    await Promise.all([a.stop(), b.stop()])
  },
)

test.each(HUBS)(
  'a disk that was restored from an older copy takes a new epoch and loses nothing of after, %s',
  async (_name, hub) => {
    await using nats = await hub()
    using folder = storeFolder()
    let its = await node(folder.dir, nats)
    await its.keep('abnormal', 40)
    await its.drained()
    // The copy has a backlog, which travels before the disk is set back.
    await nats.kill()
    await its.keep('abnormal', 15)
    await its.stop()
    const old = join(folder.dir, '..', 'old')
    cpSync(folder.dir, old, { recursive: true })
    await nats.restart()
    its = await node(folder.dir, nats)
    await its.keep('abnormal', 25)
    await its.drained()
    const before = await linesOf(its.store)
    await its.stop()
    rmSync(folder.dir, { recursive: true })
    cpSync(old, folder.dir, { recursive: true })

    its = await node(folder.dir, nats)
    await its.keep('abnormal', 10)
    await its.drained()
    await its.keep('abnormal', 30)
    await its.drained()
    expectHolds(await readOf(nats), before, await linesOf(its.store))
    expect(its.store.forks).toHaveLength(1)
    expect(its.disk.findings()).toMatchObject([{ code: 'new_epoch', msg: expect.stringContaining('restored') }])
    const [entry] = await its.store.read({ classes: ['ledger'], limit: 1 })
    expect(JSON.parse(entry?.line ?? '')).toMatchObject({ event: 'new_epoch', reason: 'restored' })
    await its.stop()
  },
)

/** Write down that somebody wants something, so many times, in the account of a node. */
async function act(store: Store, verb: string, count: number): Promise<void> {
  const log = new AuditLog({ store, nodeName: 'n1' })
  await log.start()
  const who = { kind: 'operator', name: 'mia', role: 'operator' } as const
  for (let n = 0; n < count; n += 1) {
    await log.write({ timestamp: Date.now(), phase: 'intent', verb, who, route: 'direct', address: '10.0.0.9' })
  }
  await log.stop()
}

test.each(HUBS.slice(1))(
  'the audit of a copied and of a restored disk goes on, and the fork stands in the stream, %s',
  async (_name, hub) => {
    await using nats = await hub()
    await nats.addAuditStream()
    using folder = storeFolder()
    const first = await node(folder.dir, nats)
    await act(first.store, 'before', 5)
    await first.drained()
    await nats.kill()
    await act(first.store, 'waiting', 3)
    await first.stop()
    const [copy, old] = [join(folder.dir, '..', 'copy'), join(folder.dir, '..', 'old')]
    cpSync(folder.dir, copy, { recursive: true })
    cpSync(folder.dir, old, { recursive: true })
    await nats.restart()

    const [a, b] = [await node(folder.dir, nats), await node(copy, nats)]
    for (let round = 0; round < 3; round += 1) {
      await Promise.all([act(a.store, 'a', 2), act(b.store, 'b', 3)])
      await Promise.all([a.drained(), b.drained()])
    }
    await Promise.all([a.stop(), b.stop()])
    const c = await node(old, nats)
    await act(c.store, 'c', 4)
    await c.drained()
    await c.stop()

    const blocks = await blocksOf(nats, 'cloud', 'edge.plant.n1.audit')
    const held = new Map(
      blocks.flatMap(({ records }) => records.map(({ line }) => [line, JSON.parse(line) as AuditRecord] as const)),
    )
    const records = [...held.values()]
    const counts = ['before', 'waiting', 'a', 'b', 'c'].map((verb) => records.filter((its) => its.verb === verb).length)
    expect(counts).toEqual([5, 3, 6, 9, 4])
    expect(checkChain(records).faults.map(({ kind, n }) => `${kind} ${n}`)).toEqual(['forked 9'])
  },
  60_000,
)

test('a disk that was wiped begins anew, and the ledger and the console are told', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  using folder = storeFolder()
  let its = await node(folder.dir, nats)
  await its.keep('abnormal', 40)
  await its.drained()
  const before = await linesOf(its.store)
  await its.stop()
  rmSync(folder.dir, { recursive: true })
  its = await node(folder.dir, nats)
  await its.keep('abnormal', 15)
  await its.drained()
  await vi.waitFor(async () => expect(await linesOf(its.store)).toHaveLength(16), SOON)
  await its.drained()
  expectHolds(await readOf(nats), before, await linesOf(its.store))
  expect(its.disk.findings()).toMatchObject([{ code: 'same_name', msg: expect.stringContaining('wiped') }])
  const [entry] = await its.store.read({ classes: ['ledger'], limit: 1 })
  expect(JSON.parse(entry?.line ?? '')).toMatchObject({ event: 'new_epoch', reason: 'wiped' })
  await its.stop()
})
