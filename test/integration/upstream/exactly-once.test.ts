import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, headers } from 'nats'
import { expect, test, vi } from 'vitest'
import type { StoredRecord } from '../../../edge-daemon/store/contract.ts'
import { buildBlock } from '../../../edge-daemon/upstream/block.ts'
import { blocksOf, readOf, seqsOf } from '../../support/cloud-reading.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { HUBS, NO_MARKS, wireTo } from '../../support/nats-bus.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { tcpLink } from '../../support/tcp-link.ts'
import { someRecords, uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 20 }
const RESULTS = 'edge.plant.n1.results'

async function drained({ uplink }: ReturnType<typeof uplinkOf>): Promise<void> {
  await vi.waitFor(() => expect(uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)
}

function ledgerOf(store: MemoryStore): { event: string; reason: string; first_seq: number; last_seq: number }[] {
  return store.records.filter((record) => record.class === 'ledger').map(({ line }) => JSON.parse(line))
}

function seqs(records: readonly StoredRecord[], recordClass = 'abnormal'): number[] {
  return records.filter((record) => record.class === recordClass).map(({ seq }) => seq)
}

/** Put blocks on their way whose answers never come back, and break the link. */
async function sendUnanswered(nats: NatsFixture, link: Awaited<ReturnType<typeof tcpLink>>, store: MemoryStore) {
  const { length } = await nats.messages(RESULTS)
  link.hang('answers')
  await store.append(someRecords('abnormal', 3))
  await vi.waitFor(async () => expect((await nats.messages(RESULTS)).length).toBe(length + 1), SOON)
  link.cut()
}

test.each(HUBS)('stores a block once whose acknowledgement was lost, %s', async (_name, hub) => {
  await using nats = await hub()
  await using link = await tcpLink(nats.port)
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 50))
  await using bench = uplinkOf(store, wireTo(nats, link.port, 500))
  bench.uplink.start()
  await drained(bench)
  for (let round = 0; round < 3; round += 1) {
    await sendUnanswered(nats, link, store)
    await link.mend()
    await drained(bench)
  }
  const read = await readOf(nats)
  expect(seqsOf(read)).toEqual(seqs(store.records))
  expect(read.copies).toEqual({ twice: 0, flagged: 0, acrossRegions: 0, resent: 0, reborn: 0 })
  expect(read.gaps).toEqual([])
  expect(bench.uplink.status().maybeDuplicates).toBe(0)
})

test('sends nothing again that has arrived and expired while the link was away: its mark tells', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await using link = await tcpLink(nats.port)
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 10))
  await using bench = uplinkOf(store, wireTo(nats, link.port, 500))
  bench.uplink.start()
  await drained(bench)
  await sendUnanswered(nats, link, store)
  // Everything that may expire does; only what is to stay for ever stays.
  await nats.operate((manager) => manager.streams.update('EDGE', { max_age: 1e9, duplicate_window: 1e9 }))
  await vi.waitFor(async () => expect(await nats.messages()).toEqual([]), SOON)
  expect(await nats.messages(`edge.plant.n1.mark.abnormal.${store.epoch}`)).toHaveLength(1)
  await nats.operate((manager) => manager.streams.update('EDGE', { max_age: 0 }))

  await store.append(someRecords('abnormal', 2))
  await link.mend()
  await drained(bench)
  expect(seqsOf(await readOf(nats))).toEqual([14, 15])
  expect(bench.uplink.status().maybeDuplicates).toBe(0)
})

test('flags and counts what may have arrived and expired where no mark tells', async () => {
  await using nats = await natsFixture()
  await nats.addStream(NO_MARKS)
  await using link = await tcpLink(nats.port)
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 10))
  await using bench = uplinkOf(store, wireTo(nats, link.port, 500), { syncedAfterMs: 0 })
  bench.uplink.start()
  await drained(bench)
  await vi.waitFor(() => expect(store.chains('cloud').abnormal?.syncedSeq).toBe(10), SOON)
  await sendUnanswered(nats, link, store)
  await nats.operate((manager) => manager.streams.purge('EDGE'))
  await store.append(someRecords('abnormal', 2))
  await link.mend()
  await drained(bench)
  const blocks = await blocksOf(nats)
  expect(blocks.map(({ firstSeq, maybeDuplicate }) => [firstSeq, maybeDuplicate])).toEqual([[11, true]])
  expect(bench.uplink.status().maybeDuplicates).toBe(1)
  expect(ledgerOf(store)).toEqual([])
})

test('goes on behind what was acknowledged after the stream was purged, and its blocks are known for what they are', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 10))
  await using bench = uplinkOf(store, wireTo(nats), { syncedAfterMs: 0 })
  bench.uplink.start()
  await drained(bench)
  await vi.waitFor(() => expect(store.chains('cloud').abnormal?.syncedSeq).toBe(10), SOON)
  await nats.operate((manager) => manager.streams.purge('EDGE'))
  await store.append(someRecords('abnormal', 3))
  await drained(bench)
  await nats.kill()
  await nats.restart()
  await store.append(someRecords('abnormal', 3))
  await drained(bench)
  expect(seqsOf(await readOf(nats))).toEqual([11, 12, 13, 14, 15, 16])
  expect(ledgerOf(store)).toEqual([])
})

test.each(HUBS)(
  'sends again what the hub lost when it came back from an older copy of its disk, %s',
  async (_name, hub) => {
    await using nats = await hub({ syncInterval: 'always' })
    const store = new MemoryStore()
    await store.append(someRecords('abnormal', 40))
    await using bench = uplinkOf(store, wireTo(nats))
    bench.uplink.start()
    await drained(bench)
    await nats.kill()
    const copy = join(nats.dir, 'copy')
    await cp(join(nats.dir, 'jetstream'), copy, { recursive: true })
    await nats.restart()
    await store.append(someRecords('abnormal', 70))
    await store.append(someRecords('alert', 2))
    await drained(bench)
    await nats.kill()
    await rm(join(nats.dir, 'jetstream'), { recursive: true })
    await cp(copy, join(nats.dir, 'jetstream'), { recursive: true })
    await nats.restart()
    // Also without a new record: nobody waits for one to notice.
    await vi.waitFor(async () => expect(seqsOf(await readOf(nats))).toEqual(seqs(store.records)), SOON)
    await vi.waitFor(async () => expect(seqsOf(await readOf(nats), 'alert')).toHaveLength(2), SOON)
    await drained(bench)

    const read = await readOf(nats)
    expect(read.copies.twice).toBe(0)
    expect(read.gaps).toEqual([])
    const rewound = ledgerOf(store).filter(({ event }) => event === 'rewound')
    expect(rewound).toContainEqual(
      expect.objectContaining({
        reason: 'tail_lost',
        first_seq: 41,
        last_seq: 110,
        msg: expect.stringContaining('cloud'),
      }),
    )
    expect(bench.log.lines.join('\n')).toContain('uplink.rewound')
  },
)

test.each(HUBS)(
  'sends again what the hub lost though others have filled up its positions since, %s',
  async (_name, hub) => {
    await using nats = await hub({ syncInterval: 'always' })
    await using link = await tcpLink(nats.port)
    const store = new MemoryStore()
    await store.append(someRecords('abnormal', 5))
    await using bench = uplinkOf(store, wireTo(nats, link.port))
    bench.uplink.start()
    await drained(bench)
    await nats.kill()
    const copy = join(nats.dir, 'copy')
    await cp(join(nats.dir, 'jetstream'), copy, { recursive: true })
    await nats.restart()
    await drained(bench)
    // The first of its class: nothing of it is left.
    await store.append(someRecords('alert', 1))
    await drained(bench)
    link.hang('answers')
    await nats.kill()
    await rm(join(nats.dir, 'jetstream'), { recursive: true })
    await cp(copy, join(nats.dir, 'jetstream'), { recursive: true })
    await nats.restart()
    const connection = await nats.door.connectAs('n2')
    for (let n = 0; n < 10; n += 1) await connection.request('edge.plant.n2.results', '{}', { timeout: 60_000 })
    await connection.close()
    link.cut()
    await link.mend()
    await vi.waitFor(async () => expect(await nats.messages('edge.plant.n1.alerts')).toHaveLength(1), SOON)
    await drained(bench)
    const [alert] = await nats.messages('edge.plant.n1.alerts')
    expect(alert?.header.get('Edge-Maybe-Duplicate')).toBe('1')
    expect(await nats.messages(RESULTS)).toHaveLength(1)
    expect(ledgerOf(store)).toMatchObject([{ event: 'rewound', reason: 'tail_lost', first_seq: 1, last_seq: 6 }])
  },
)

test('sends everything that is kept to a stream that was made anew', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 40))
  await using bench = uplinkOf(store, wireTo(nats))
  bench.uplink.start()
  await drained(bench)
  await nats.operate((manager) => manager.streams.delete('EDGE'))
  await nats.addStream()
  await store.append(someRecords('abnormal', 1))
  await vi.waitFor(async () => expect(seqsOf(await readOf(nats))).toEqual(seqs(store.records)), SOON)
  await drained(bench)
  expect(ledgerOf(store)).toContainEqual(expect.objectContaining({ event: 'rewound', reason: 'archive_replaced' }))
})

test('a stream that is full is told by name and waited for; nothing is lost when it gets room', async () => {
  await using nats = await natsFixture()
  await nats.addStream({ max_bytes: 3000 })
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 300))
  await using bench = uplinkOf(store, wireTo(nats))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().error).toContain('maximum bytes exceeded'), SOON)
  expect(bench.uplink.status()).toMatchObject({ state: 'down' })
  expect(bench.uplink.status().backlogRecords).toBeGreaterThan(0)
  await nats.operate((manager) => manager.streams.update('EDGE', { max_bytes: 1e8 }))
  await drained(bench)
  const read = await readOf(nats)
  expect(seqsOf(read)).toEqual(seqs(store.records))
  expect(read.copies.twice + read.copies.flagged).toBe(0)
})

test('is not fooled by somebody who publishes on its subject, or with any message id', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 20))
  await using bench = uplinkOf(store, wireTo(nats))
  bench.uplink.start()
  await drained(bench)
  const connection = await connect({ servers: nats.url })
  const foreign = headers()
  foreign.set('Nats-Msg-Id', `${store.epoch}-21`)
  for (let n = 0; n < 3; n += 1) {
    await connection.request(RESULTS, '{}', { headers: foreign, timeout: 60_000 })
    await store.append(someRecords('abnormal', 5))
    await drained(bench)
  }
  await connection.close()
  const own = (await nats.messages(RESULTS)).filter(({ header }) => header.get('Edge-Epoch') !== '')
  expect(own.map(({ header }) => header.get('Edge-First-Seq'))).toEqual(['1', '21', '26', '31'])
  expect(store.forks).toEqual([])
})

test('tells what is committed, held and surely synced apart, by class', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await using link = await tcpLink(nats.port)
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 10))
  await using bench = uplinkOf(store, wireTo(nats, link.port), { syncedAfterMs: 4000 })
  bench.uplink.start()
  await drained(bench)
  expect(bench.uplink.status().levels?.abnormal).toEqual({ committed: 10, held: 10, synced: 0 })
  await vi.waitFor(() => expect(bench.uplink.status().levels?.abnormal?.synced).toBe(10), SOON)
  // Also on disk, for whoever has to choose what to drop.
  await vi.waitFor(() => expect(store.chains('cloud').abnormal?.syncedSeq).toBe(10), SOON)
  link.cut()
  await store.append(someRecords('abnormal', 1))
  await vi.waitFor(() => expect(bench.uplink.status().state).toBe('down'), SOON)
  expect(bench.uplink.status().levels?.abnormal).toEqual({ committed: 11, held: 10, synced: 10 })
})

test('calls nothing synced that is gone meanwhile behind a link that never broke, and sends it again', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 10))
  await using bench = uplinkOf(store, wireTo(nats), { syncedAfterMs: 6000 })
  bench.uplink.start()
  await drained(bench)
  const connection = await connect({ servers: nats.url })
  await (await jetstreamManager(connection)).streams.delete('EDGE')
  await connection.close()
  await nats.addStream()
  expect(await nats.messages(RESULTS)).toEqual([])
  const synced: number[] = []
  await vi.waitFor(async () => {
    synced.push(bench.uplink.status().levels?.abnormal?.synced ?? -1)
    expect(seqsOf(await readOf(nats))).toEqual(seqs(store.records))
  }, SOON)
  expect(new Set(synced)).toEqual(new Set([0]))
  expect(ledgerOf(store)).toMatchObject([{ event: 'rewound', reason: 'archive_replaced' }])
  expect(bench.log.lines.filter((line) => line.includes('uplink.down'))).toEqual([])
  await vi.waitFor(() => expect(bench.uplink.status().levels?.abnormal?.synced).toBe(10), SOON)
})

test.each(HUBS)(
  'the stream itself refuses what does not follow its last block, whoever sends it, and stores no part of it, %s',
  async (name, hub) => {
    await using nats = await hub()
    const store = new MemoryStore()
    await store.append(someRecords('abnormal', 2))
    const run = await store.readRun({ class: 'abnormal', afterSeq: 0, limit: 2, maxBytes: 1e6 })
    if (run === null) throw new Error('the store is empty')
    const subject = { subject: RESULTS, recordClass: 'abnormal' } as const
    const made = { ...subject, encoding: 'gzip', epoch: store.epoch, originEpoch: null, previous: null } as const
    const block = await buildBlock(run, { ...made, maybeDuplicate: false })
    const wires = [wireTo(nats), wireTo(nats)] as const
    for (const wire of wires) {
      wire.start(() => {})
      await vi.waitFor(() => expect(wire.state).toBe('up'), SOON)
      const asked = { ...subject, epoch: store.epoch, position: 0 }
      expect(await wire.holding(asked)).toMatchObject({ outcome: 'nothing', after: 0 })
    }
    const [first, second] = await Promise.all(wires.map((wire) => wire.send(block, 0)))
    expect([first?.outcome, second?.outcome].toSorted()).toEqual(['conflict', 'held'])
    expect(await nats.messages()).toHaveLength(1)
    expect(await nats.messages(`edge.plant.n1.mark.abnormal.${store.epoch}`)).toHaveLength(
      name === 'with marks' ? 1 : 0,
    )
    await Promise.all(wires.map((wire) => wire.stop()))
  },
)
