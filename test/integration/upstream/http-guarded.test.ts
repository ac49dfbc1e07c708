import { expect, test, vi } from 'vitest'
import { HttpWire } from '../../../edge-daemon/upstream/http.ts'
import { type ArchivedBlock, httpCloudProcess } from '../../support/http-cloud-process.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { tcpLink } from '../../support/tcp-link.ts'
import { someRecords, uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 20_000, interval: 10 }

function wireTo(port: number, ackTimeoutMs = 2000): HttpWire {
  return new HttpWire({ url: `http://127.0.0.1:${port}/blocks`, ackTimeoutMs, probeIntervalMs: 200 })
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
    await using bench = uplinkOf(store, wireTo(link.port, 300))
    bench.uplink.start()
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
}, 60_000)

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
}, 60_000)
