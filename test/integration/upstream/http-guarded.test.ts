import { mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { HttpWire } from '../../../edge-daemon/upstream/http.ts'
import { HttpCloud } from '../../../src/demo/http-cloud.ts'
import { type ArchivedBlock, archivedBlocks, httpCloudProcess } from '../../support/http-cloud-process.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { tcpLink } from '../../support/tcp-link.ts'
import { someRecords, uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 10 }

function wireTo(port: number, ackTimeoutMs = 30_000, probeIntervalMs = 200): HttpWire {
  return new HttpWire({ url: `http://127.0.0.1:${port}/blocks`, ackTimeoutMs, probeIntervalMs })
}

/** Every record of a class is there, once and in order. */
function expectExactlyOnce(
  blocks: readonly ArchivedBlock[],
  tail: string,
  store: MemoryStore,
  recordClass: string,
): void {
  const seqs = blocks.filter(({ subject }) => subject === `edge.plant.n1.${tail}`).flatMap((block) => block.seqs)
  expect(seqs).toEqual(store.records.filter((record) => record.class === recordClass).map(({ seq }) => seq))
}

test('a receiver that compares before it stores is asked, told what goes before, and believed by the name of the block', async () => {
  await using cloud = await httpCloudProcess()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 100))
  await store.append(someRecords('alert', 3))
  const wire = wireTo(cloud.port)
  {
    await using bench = uplinkOf(store, wire, { encoding: 'auto' })
    bench.uplink.start()
    await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
    expect(bench.uplink.status().guarantee).toBe('exactly_once')
    expect(wire).toMatchObject({ guarded: true, encodings: ['zstd', 'gzip'], maxBodyBytes: 1024 * 1024 })
  }
  await cloud.kill()
  const blocks = await cloud.blocks()
  expectExactlyOnce(blocks, 'results', store, 'abnormal')
  expectExactlyOnce(blocks, 'alerts', store, 'alert')
  expect(new Set(blocks.map(({ headers }) => headers['content-encoding']))).toEqual(new Set(['zstd']))
})

test('answers that are lost on the way cost neither a record nor a duplicate', async () => {
  await using cloud = await httpCloudProcess()
  await using link = await tcpLink(cloud.port)
  const store = new MemoryStore()
  {
    await using bench = uplinkOf(store, wireTo(link.port, 1000))
    bench.uplink.start()
    await vi.waitFor(() => expect(bench.uplink.status().state).toBe('up'), SOON)
    for (let round = 0; round < 4; round += 1) {
      link.hang('answers')
      const heardBytes = link.clientBytes()
      await store.append(someRecords('abnormal', 60))
      await vi.waitFor(() => expect(link.clientBytes()).toBeGreaterThan(heardBytes + 400), SOON)
      await vi.waitFor(() => expect(bench.uplink.status().state).toBe('down'), SOON)
      await link.mend()
      await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
    }
  }
  await cloud.kill()
  expectExactlyOnce(await cloud.blocks(), 'results', store, 'abnormal')
}, 240_000)

test('a receiver killed again and again while blocks come holds each record once', async () => {
  await using cloud = await httpCloudProcess()
  const store = new MemoryStore()
  {
    await using bench = uplinkOf(store, wireTo(cloud.port, 1000), { blockBytes: 2048 })
    bench.uplink.start()
    for (let round = 0; round < 3; round += 1) {
      const acked = bench.uplink.status().ackedSeq
      await store.append(someRecords('abnormal', 400))
      await store.append(someRecords('stat', 100))
      await vi.waitFor(() => expect(bench.uplink.status().ackedSeq).toBeGreaterThan(acked), SOON)
      await cloud.kill()
      await cloud.restart()
    }
    await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  }
  await cloud.kill()
  const blocks = await cloud.blocks()
  expectExactlyOnce(blocks, 'results', store, 'abnormal')
  expectExactlyOnce(blocks, 'stats', store, 'stat')
  expect(blocks.length).toBeGreaterThan(100)
}, 240_000)

test('a receiver that was put back to an older state gets again what it lost, and the ledger says so', async () => {
  await using cloud = await httpCloudProcess()
  const store = new MemoryStore()
  {
    await using bench = uplinkOf(store, wireTo(cloud.port, 1000), { blockBytes: 1024 })
    bench.uplink.start()
    await store.append(someRecords('abnormal', 100))
    await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
    const log = join(cloud.dir, 'blocks.log')
    const older = Math.floor(statSync(log).size / 2)
    await store.append(someRecords('abnormal', 50))
    await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
    await cloud.kill()
    truncateSync(log, older)
    expect((await cloud.blocks()).flatMap(({ seqs }) => seqs).length).toBeLessThan(60)
    await cloud.restart()
    await vi.waitFor(() => {
      const ledger = store.records.filter((record) => record.class === 'ledger')
      expect(ledger.map(({ line }) => (JSON.parse(line) as { reason: string }).reason)).toEqual(['tail_lost'])
      expect(bench.uplink.status().backlogRecords).toBe(0)
    }, SOON)
  }
  await cloud.kill()
  const blocks = await cloud.blocks()
  expectExactlyOnce(blocks, 'results', store, 'abnormal')
  expectExactlyOnce(blocks, 'ledger', store, 'ledger')
}, 240_000)

test('a receiver that was restarted with less between two looks at it is known by the id of its start', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-cloud-'))
  const store = new MemoryStore()
  let cloud = new HttpCloud(dir)
  try {
    const port = await cloud.start(0)
    // It looks so seldom that a busy machine has started the receiver again before.
    await using bench = uplinkOf(store, wireTo(port, 30_000, 6000), { blockBytes: 1024 })
    bench.uplink.start()
    await store.append(someRecords('abnormal', 100))
    await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)
    // Nothing is sent meanwhile, so that nobody finds the port closed.
    await cloud.stop()
    truncateSync(join(dir, 'blocks.log'), Math.floor(statSync(join(dir, 'blocks.log')).size / 2))
    cloud = new HttpCloud(dir)
    await cloud.start(port)
    await vi.waitFor(() => {
      const ledger = store.records.filter((record) => record.class === 'ledger')
      expect(ledger.map(({ line }) => (JSON.parse(line) as { reason: string }).reason)).toEqual(['tail_lost'])
      expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 })
    }, SOON)
    expect(bench.log.lines.filter((line) => line.includes('ECONN'))).toEqual([])
    expect(bench.log.lines.join('\n')).toContain('the receiver was started again')
    await bench.uplink.stop()
    await cloud.stop()
    expectExactlyOnce(await archivedBlocks(dir), 'results', store, 'abnormal')
  } finally {
    await cloud.stop()
    rmSync(dir, { recursive: true })
  }
}, 240_000)

test('a copied disk that sends to the same receiver goes on in an epoch of its own; neither loses a record', async () => {
  await using cloud = await httpCloudProcess()
  const [first, copy] = [new MemoryStore(), new MemoryStore()]
  const both = someRecords('abnormal', 20)
  for (const store of [first, copy]) await store.append(both)
  for (const [store, more] of [
    [first, 10],
    [copy, 15],
  ] as const) {
    await store.append(someRecords('abnormal', more, store === first ? 50 : 70))
    await using bench = uplinkOf(store, wireTo(cloud.port), { blockBytes: 1024 })
    bench.uplink.start()
    await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)
  }
  await cloud.kill()
  const results = (await cloud.blocks()).filter(({ subject }) => subject.endsWith('.results'))
  const of = (epoch: string): number[] => results.filter((block) => block.epoch === epoch).flatMap(({ seqs }) => seqs)
  expect(copy.epoch).not.toBe(first.epoch)
  expect(of(first.epoch)).toEqual(first.records.map(({ seq }) => seq))
  const own = copy.records.filter((record) => record.class === 'abnormal').map(({ seq }) => seq)
  expect(own.slice(20).every((seq) => of(copy.epoch).includes(seq))).toBe(true)
  const flagged = results.filter(
    (block) => block.epoch === copy.epoch && block.headers['edge-origin-epoch'] !== undefined,
  )
  expect(flagged.every(({ headers }) => headers['edge-maybe-duplicate'] === '1')).toBe(true)
}, 240_000)
