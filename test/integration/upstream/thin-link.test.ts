import { randomBytes } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { NatsWire } from '../../../edge-daemon/upstream/nats.ts'
import { UplinkPacer } from '../../../edge-daemon/upstream/uplink-pacer.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { natsFixture } from '../../support/nats-server.ts'
import { type TcpLink, tcpLink } from '../../support/tcp-link.ts'
import { uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 10 }
const BLOCK_BYTES = 256 * 1024

/** Records of a backlog that compress to about half, as statistics with their histograms do. */
function backlog(recordClass: 'stat' | 'abnormal', count: number): Parameters<MemoryStore['append']>[0] {
  return Array.from({ length: count }, () => ({
    class: recordClass,
    timestamp: Date.now() - 600_000,
    body: { code: 200, msg: randomBytes(150).toString('hex') },
  }))
}

/** Raise an alert; resolves with how long it took until the stream had it, and what the link carried meanwhile. */
async function alertOver(store: MemoryStore, link: TcpLink): Promise<{ ms: number; bytes: number }> {
  const [startedAtMs, bytesBefore] = [performance.now(), link.carriedBytes()]
  await store.append([{ class: 'alert', timestamp: Date.now(), body: { rule: 'cpu', state: 'firing' } }])
  const [{ seq = 0 } = {}] = store.records.slice(-1)
  await vi.waitFor(() => expect(store.cursors('cloud').alert).toBe(seq), SOON)
  return { ms: performance.now() - startedAtMs, bytes: link.carriedBytes() - bytesBefore }
}

test('while a backlog drains at a cap of 64 kbit/s, an alert is held within two block times', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await using link = await tcpLink(nats.port)
  const store = new MemoryStore()
  await store.append(backlog('stat', 1500))
  await store.append(backlog('abnormal', 300))
  let left = (): number => 0
  const pacer = new UplinkPacer({ capBytesPerSec: 8000, leftBytes: () => left() })
  const wire = new NatsWire({ servers: [`nats://127.0.0.1:${link.port}`], ackTimeoutMs: 30_000, clientName: 'test' })
  left = () => Object.values(wire.sentBytes()).reduce((sum, bytes) => sum + bytes, 0)
  await using bench = uplinkOf(store, wire, { pacer, blockBytes: BLOCK_BYTES })
  bench.uplink.start()
  await vi.waitFor(() => expect(link.clientBytes()).toBeGreaterThan(12_000), SOON)
  const [fromMs, fromBytes] = [performance.now(), link.clientBytes()]
  const took: number[] = []
  for (let round = 0; round < 3; round += 1) took.push((await alertOver(store, link)).ms)
  // About two seconds, and some for a busy machine; behind a block that is not cut for the cap it would be many more.
  expect(Math.max(...took)).toBeLessThan(7000)
  const bytesPerSec = (): number => ((link.clientBytes() - fromBytes) * 1000) / (performance.now() - fromMs)
  // Also after seconds in which a busy machine did nothing.
  await vi.waitFor(() => {
    expect(performance.now() - fromMs).toBeGreaterThan(4000)
    expect(bytesPerSec()).toBeGreaterThan(8000 - 10_000 / 4)
  }, SOON)
  // A block and a burst more than the cap may lie in the window.
  expect(bytesPerSec()).toBeLessThan(8000 + 10_000 / 4)
  expect(bench.uplink.status()).toMatchObject({ state: 'up' })
  expect(bench.uplink.status().drainSec).toBeGreaterThan(3)
  expect(bench.uplink.status().transfer?.count).toBeGreaterThan(50)
}, 240_000)

test('on a link of 64 kbit/s without a cap, blocks shrink until an alert waits about a second behind them', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await using link = await tcpLink(nats.port)
  link.shape({ kbitPerSec: 64, delayMs: 100 })
  const store = new MemoryStore()
  await store.append(backlog('stat', 1500))
  await store.append(backlog('abnormal', 1500))
  const wire = new NatsWire({ servers: [`nats://127.0.0.1:${link.port}`], ackTimeoutMs: 30_000, clientName: 'test' })
  await using bench = uplinkOf(store, wire, { blockBytes: BLOCK_BYTES })
  bench.uplink.start()
  await vi.waitFor(() => expect(store.cursors('cloud').stat).toBeGreaterThan(60), SOON)
  await vi.waitFor(() => expect(store.cursors('cloud').abnormal).toBeGreaterThan(1560), SOON)
  // Of the link's own time, whatever the machine does meanwhile: 3.5 s.
  expect((await alertOver(store, link)).bytes).toBeLessThan(28_000)
  expect(bench.log.lines.join('\n')).not.toContain('uplink.down')
}, 240_000)
