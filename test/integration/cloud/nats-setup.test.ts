import { PassThrough } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { NatsWire } from '../../../edge-daemon/upstream/nats.ts'
import { auditConfiguration, STREAM_KINDS, STREAMS, streamConfiguration } from '../../../protocol/stream-config.ts'
import { type NatsSetupRequest, runNatsSetup } from '../../../src/commands/nats.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { someRecords, uplinkOf } from '../../support/uplink-bench.ts'

const NONE = { blocks: {}, audit: {} }
/** Names of the streams beside that of the blocks. */
const OTHERS = STREAM_KINDS.filter((kind) => kind !== 'blocks').map((kind) => STREAMS[kind]().name)
const SOON = { timeout: 60_000, interval: 20 }

async function setUp(nats: NatsFixture | null, changes: Partial<NatsSetupRequest> = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const clouds = nats === null ? [] : [{ name: 'eu', servers: [nats.url], stream: 'EDGE' }]
  const request = { clouds, wishes: NONE, apply: true, format: 'json' as const, timeoutMs: 60_000, ...changes }
  const isGood = await runNatsSetup(request, { stdout, stderr, signal: new AbortController().signal })
  const text = (stream: PassThrough): string => (stream.read() as Buffer | null)?.toString() ?? ''
  return { isGood, out: text(stdout), err: text(stderr) }
}

test('prints what `nats stream add --config` takes, without any server', async () => {
  const { isGood, out } = await setUp(null, {
    apply: false,
    wishes: { blocks: { sites: ['plant'], maxBytes: 5e9 }, audit: { sites: ['plant'] } },
  })
  expect(isGood).toBe(true)
  expect(JSON.parse(out)).toEqual([
    streamConfiguration({ sites: ['plant'], maxBytes: 5e9 }),
    auditConfiguration({ sites: ['plant'] }),
    ...STREAM_KINDS.slice(2).map((kind) => STREAMS[kind]()),
  ])
})

test('gives the numbers of the table their units, and says what to do when a region does not answer', async () => {
  const { out } = await setUp(null, { apply: false, format: 'table', wishes: { ...NONE, blocks: { maxBytes: 5e9 } } })
  expect(out).toMatch(/max_bytes +5000000000 \(5\.0 GB\) /)
  expect(out).toMatch(/max_age +604800000000000 ns \(7d\b/)
  const dead = await setUp(null, { clouds: [{ name: 'eu', servers: ['nats://127.0.0.1:9'], stream: 'EDGE' }] })
  expect(dead).toMatchObject({ isGood: false, err: expect.stringContaining('→ see that the servers run') })
})

test('touches nothing until it is told to, makes the stream, and then has nothing to do', async () => {
  await using nats = await natsFixture()
  const looked = await setUp(nats, { apply: false })
  expect(JSON.parse(looked.out)).toMatchObject([
    { region: 'eu', stream: 'EDGE', action: 'to create' },
    ...OTHERS.map((stream) => ({ region: 'eu', stream, action: 'to create' })),
  ])
  expect(looked.err).toContain('with --apply does it')
  expect(await nats.operate(async (manager) => (await manager.streams.list().next()).length)).toBe(0)

  const made = await setUp(nats, { wishes: { ...NONE, blocks: { maxBytes: 1e9 } } })
  expect(JSON.parse(made.out)).toMatchObject([
    { region: 'eu', action: 'created' },
    ...OTHERS.map(() => ({ action: 'created' })),
  ])
  const again = await setUp(nats)
  expect(JSON.parse(again.out)).toMatchObject([
    { action: 'as it should be', changes: [] },
    ...OTHERS.map(() => ({ action: 'as it should be', changes: [] })),
  ])

  const { config } = await nats.operate((manager) => manager.streams.info('EDGE'))
  expect(config).toMatchObject({ ...streamConfiguration({ maxBytes: 1e9 }), metadata: { edge_encodings: 'gzip,zstd' } })
})

test('mends a stream that was made by hand, and blocks go on with marks', async () => {
  await using nats = await natsFixture()
  await nats.addStream({ allow_atomic: false, allow_direct: false, discard: 'old' } as never)
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 5))
  const wire = new NatsWire({ servers: [nats.url], ackTimeoutMs: 2000, clientName: 'test' })
  await using bench = uplinkOf(store, wire)
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().ackedSeq).toBe(5), SOON)
  const table = await setUp(nats, { format: 'table' })
  expect(table).toMatchObject({ isGood: true, err: '' })
  expect(table.out).toMatch(/eu +EDGE +updated +discard +old +new/)
  await nats.kill()
  await nats.restart()
  await store.append(someRecords('abnormal', 5))
  await vi.waitFor(() => expect(bench.uplink.status().ackedSeq).toBe(10), SOON)
  expect(await nats.messages(`edge.plant.n1.mark.abnormal.${store.epoch}`)).toHaveLength(1)
  expect(await nats.messages()).toHaveLength(2)
})

test('says what it cannot change, and which region does not answer', async () => {
  await using nats = await natsFixture()
  await nats.addStream({ storage: 'memory' } as never)
  const refused = await setUp(nats)
  expect(refused.isGood).toBe(false)
  expect(JSON.parse(refused.out)).toMatchObject([
    { action: 'refused', changes: [{ setting: 'storage' }] },
    ...OTHERS.map(() => ({ action: 'created' })),
  ])
  await nats.kill()
  const dead = await setUp(nats)
  expect(dead.isGood).toBe(false)
  expect(dead.err).toContain('eu (nats://127.0.0.1')
})

test('a node makes the stream for itself only when it is told to', async () => {
  await using nats = await natsFixture()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 5))
  const told = { servers: [nats.url], ackTimeoutMs: 2000, clientName: 'test' }
  {
    await using bench = uplinkOf(store, new NatsWire(told))
    bench.uplink.start()
    await vi.waitFor(() => expect(bench.uplink.status().error).toContain('edgedeck nats setup'), SOON)
  }
  await using bench = uplinkOf(store, new NatsWire({ ...told, createStream: true }))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().ackedSeq).toBe(5), SOON)
  const { config } = await nats.operate((manager) => manager.streams.info('EDGE'))
  expect(config).toMatchObject({ discard: 'new', allow_direct: true, max_bytes: 1e9 })
})
