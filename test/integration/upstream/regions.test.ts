import { connect } from 'nats'
import { expect, test, vi } from 'vitest'
import { NatsWire } from '../../../edge-daemon/upstream/nats.ts'
import { RegionFailover } from '../../../edge-daemon/upstream/region-failover.ts'
import type { Uplink } from '../../../edge-daemon/upstream/uplink.ts'
import { UPSTREAM_CLASSES } from '../../../protocol/subjects.ts'
import { merge } from '../../../src/cloud/merge.ts'
import { blocksOf } from '../../support/cloud-reading.ts'
import { freePort } from '../../support/free-port.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { keptLog, someRecords, uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 20 }

function wireTo({ url }: NatsFixture): NatsWire {
  return new NatsWire({ servers: [url], ackTimeoutMs: 30_000, clientName: 'test' })
}

function drained(uplink: Uplink): Promise<void> {
  return vi.waitFor(() => expect(uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)
}

test('all: each region has everything once, a dead one holds up nobody and is filled when it is back', async () => {
  await using eu = await natsFixture()
  await using us = await natsFixture()
  await Promise.all([eu.addStream(), us.addStream()])
  const store = new MemoryStore()
  await using toEu = uplinkOf(store, wireTo(eu), { name: 'eu' })
  await using toUs = uplinkOf(store, wireTo(us), { name: 'us' })
  toEu.uplink.start()
  toUs.uplink.start()
  await store.append(someRecords('abnormal', 50))
  await Promise.all([drained(toEu.uplink), drained(toUs.uplink)])
  await eu.kill()
  await store.append(someRecords('abnormal', 50))
  await drained(toUs.uplink)
  expect(toEu.uplink.status()).toMatchObject({ region: 'eu', backlogRecords: 50 })
  await eu.restart()
  await drained(toEu.uplink)
  for (const [nats, region] of [[eu, 'eu'] as const, [us, 'us'] as const]) {
    const read = merge(await blocksOf(nats, region), { fromStart: true })
    expect(read.records.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(store.records.map(({ seq }) => seq))
    expect({ ...read.copies, gaps: read.gaps }).toMatchObject({ twice: 0, flagged: 0, gaps: [] })
  }
})

test('regions that a leaf node joins, with node subjects denied both ways, keep to themselves', async () => {
  const denied = 'deny_imports: ["edge.>"], deny_exports: ["edge.>"]'
  const leafPort = await freePort()
  await using eu = await natsFixture({
    domain: 'eu',
    moreConfig: `leafnodes { host: "127.0.0.1", port: ${leafPort} }`,
  })
  await using us = await natsFixture({
    domain: 'us',
    moreConfig: `leafnodes { reconnect: 1, remotes: [{ url: "nats-leaf://127.0.0.1:${leafPort}", ${denied} }] }`,
  })
  await Promise.all([eu.addStream(), us.addStream()])
  await joined(eu, us)
  const store = new MemoryStore()
  await using toEu = uplinkOf(store, wireTo(eu), { name: 'eu' })
  await using toUs = uplinkOf(store, wireTo(us), { name: 'us' })
  toEu.uplink.start()
  toUs.uplink.start()
  for (let round = 0; round < 3; round += 1) {
    await store.append(someRecords('abnormal', 40))
    await Promise.all([drained(toEu.uplink), drained(toUs.uplink)])
  }
  for (const [nats, region] of [[eu, 'eu'] as const, [us, 'us'] as const]) {
    const read = merge(await blocksOf(nats, region), { fromStart: true })
    expect(read.records.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(store.records.map(({ seq }) => seq))
    expect({ ...read.copies, gaps: read.gaps }).toMatchObject({ twice: 0, flagged: 0, gaps: [] })
  }
  expect(store.forks).toEqual([])
})

test('failover: another region takes over within seconds, and gives back; the union holds everything, no region a block twice', async () => {
  await using eu = await natsFixture()
  await using us = await natsFixture()
  await Promise.all([eu.addStream(), us.addStream()])
  const store = new MemoryStore()
  const options = { dormant: true, syncedAfterMs: 200 }
  await using toEu = uplinkOf(store, wireTo(eu), { name: 'eu', ...options })
  await using toUs = uplinkOf(store, wireTo(us), { name: 'us', ...options })
  const log = keptLog()
  // Time stands still for it until the region of its choice is there, however long that takes.
  let isPatient = true
  const failover = new RegionFailover({
    regions: [toEu.uplink, toUs.uplink],
    syncedElsewhere: (name) => {
      const chains = store.chains(name === 'eu' ? 'us' : 'eu')
      return Object.fromEntries(UPSTREAM_CLASSES.map((its) => [its, chains[its]?.syncedSeq ?? 0]))
    },
    log,
    takeOverAfterMs: 1000,
    returnAfterMs: 1000,
    nowMs: () => (isPatient ? 0 : performance.now()),
  })
  toEu.uplink.start()
  toUs.uplink.start()
  failover.start()
  try {
    await store.append(someRecords('abnormal', 50))
    await drained(toEu.uplink)
    isPatient = false
    expect(toUs.uplink.isDormant).toBe(true)
    await vi.waitFor(() => expect(store.chains('eu').abnormal?.syncedSeq).toBe(50), SOON)
    // The last ones are held there and not surely synced when it goes.
    await store.append(someRecords('abnormal', 10))
    await drained(toEu.uplink)
    await eu.kill()
    await store.append(someRecords('abnormal', 40))
    await vi.waitFor(() => expect(failover.active).toBe('us'), SOON)
    await drained(toUs.uplink)
    expect(toEu.uplink.status()).toMatchObject({ state: 'down', backlogRecords: 0 })
    const inUs = (await blocksOf(us, 'us')).flatMap(({ records }) => records.map(({ seq }) => seq))
    expect(Math.min(...inUs)).toBeGreaterThan(50)
    expect(inUs.at(-1)).toBe(100)

    await eu.restart()
    await vi.waitFor(() => expect(failover.active).toBe('eu'), SOON)
    await store.append(someRecords('abnormal', 20))
    await drained(toEu.uplink)
    expect(toUs.uplink.status()).toMatchObject({ state: 'up', error: 'stands by: blocks go to eu' })
    const blocks = [...(await blocksOf(eu, 'eu')), ...(await blocksOf(us, 'us'))]
    const read = merge(blocks, { fromStart: true })
    expect(read.records.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(store.records.map(({ seq }) => seq))
    expect({ ...read.copies, gaps: read.gaps }).toMatchObject({ twice: 0, flagged: 0, gaps: [] })
    expect(log.lines).toEqual([
      'warn uplink.region blocks go to us now: eu is not reached',
      'warn uplink.region blocks go to eu now: it is back',
    ])
  } finally {
    failover.stop()
  }
})

test('what another region has is passed over, and not told as acknowledged here', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 10))
  await using bench = uplinkOf(store, wireTo(nats), { name: 'us', dormant: true })
  bench.uplink.start()
  bench.uplink.activate({ abnormal: 6 })
  expect(bench.uplink.status()).toMatchObject({ ackedSeq: 0, backlogRecords: 4 })
  bench.uplink.connect()
  await drained(bench.uplink)
  expect(bench.uplink.status()).toMatchObject({ ackedSeq: 10, levels: { abnormal: { held: 10 } } })
  expect((await blocksOf(nats, 'us')).flatMap(({ records }) => records.map(({ seq }) => seq))).toEqual([7, 8, 9, 10])
})

/** What is said on one server is heard on the other: the leaf link stands. */
async function joined(eu: NatsFixture, us: NatsFixture): Promise<void> {
  const [from, to] = [await connect({ servers: us.url }), await connect({ servers: eu.url })]
  let heard = 0
  to.subscribe('joined', {
    callback: () => {
      heard += 1
    },
  })
  await to.flush()
  await vi.waitFor(() => {
    from.publish('joined')
    expect(heard).toBeGreaterThan(0)
  }, SOON)
  await Promise.all([from.close(), to.close()])
}
