import { createHash } from 'node:crypto'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { NatsWire } from '../../../edge-daemon/upstream/nats.ts'
import { subjectOf, UPSTREAM_CLASSES } from '../../../protocol/subjects.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { natsFixture } from '../../support/nats-server.ts'
import { tcpLink } from '../../support/tcp-link.ts'
import { seqsIn, someRecords, uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 20 }
const RESULTS = 'edge.plant.n1.results'

function wireTo(port: number, ackTimeoutMs = 30_000): NatsWire {
  return new NatsWire({ servers: [`nats://127.0.0.1:${port}`], ackTimeoutMs, clientName: 'test' })
}

test('starts without a server and drains when there is one again, losing nothing', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await nats.kill()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 300))
  await using bench = uplinkOf(store, wireTo(nats.port))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().state).toBe('down'), SOON)
  expect(bench.uplink.status()).toMatchObject({ backlogRecords: 300, ackedSeq: 0, rttMs: null })
  expect(bench.uplink.status().error).toContain('connection refused')

  await nats.restart()
  await vi.waitFor(() => expect(bench.uplink.status().ackedSeq).toBe(300), SOON)
  await nats.kill()
  await store.append(someRecords('abnormal', 300))
  await vi.waitFor(() => expect(bench.uplink.status().state).toBe('down'), SOON)
  expect(bench.uplink.status().backlogRecords).toBe(300)
  await nats.restart()
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)

  expect(bench.uplink.status()).toMatchObject({ state: 'up', error: null, ackedSeq: 600, oldestAt: null })
  expect(bench.uplink.transferLatency().count).toBe(600)
  const seqs = (await nats.messages(RESULTS)).flatMap((message) => seqsIn(message.data, 'gzip'))
  expect(new Set(seqs).size).toBe(600)
})

test('loses nothing when the server is killed again and again under load', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const store = new MemoryStore()
  await using bench = uplinkOf(store, wireTo(nats.port))
  bench.uplink.start()
  for (let round = 0; round < 4; round += 1) {
    await store.append(someRecords('abnormal', 400))
    await vi.waitFor(() => expect(bench.uplink.status().ackedSeq).toBeGreaterThan(round * 400), SOON)
    await nats.kill()
    await nats.restart()
  }
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  const seqs = (await nats.messages(RESULTS)).flatMap((message) => seqsIn(message.data, 'gzip'))
  expect([...new Set(seqs)]).toEqual(store.records.map((record) => record.seq))
})

test('counts by class exactly the bytes that a link in between saw, also across a cut', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await nats.addAuditStream()
  await using link = await tcpLink(nats.port)
  const store = new MemoryStore()
  await using bench = uplinkOf(store, wireTo(link.port))
  bench.uplink.start()
  for (const recordClass of UPSTREAM_CLASSES) await store.append(someRecords(recordClass, 40))
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  link.cut()
  await store.append(someRecords('alert', 3))
  await vi.waitFor(() => expect(bench.uplink.status().state).toBe('down'), SOON)
  await link.mend()
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)

  await vi.waitFor(() => {
    const sent = bench.uplink.sentBytes()
    expect(Object.values(sent).reduce((sum, bytes) => sum + bytes, 0)).toBe(link.clientBytes())
  }, SOON)
  const sent = bench.uplink.sentBytes()
  expect(link.connections()).toBeGreaterThanOrEqual(2)
  for (const recordClass of UPSTREAM_CLASSES) {
    const held = await nats.messages(subjectOf({ site: 'plant', node: 'n1' }, recordClass))
    const bodyBytes = held.reduce((sum, message) => sum + message.data.length, 0)
    // A block is its body, its headers and its mark (the audit has none); never less, and never another class's bytes.
    const leastBytes = recordClass === 'audit' ? 350 : 700
    expect(sent[recordClass]).toBeGreaterThan(bodyBytes + held.length * leastBytes)
    expect(sent[recordClass]).toBeLessThan(bodyBytes + held.length * 900)
  }
  expect(sent.control).toBeGreaterThan(100)
})

test('brings who did what to a stream of its own, once, and says what is missing where there is none', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const store = new MemoryStore()
  await using bench = uplinkOf(store, wireTo(nats.port))
  bench.uplink.start()
  await store.append(someRecords('audit', 3))
  await store.append(someRecords('alert', 2))
  await vi.waitFor(() => expect(bench.uplink.status().error).toMatch(/^3 audit records wait: .*not found/), SOON)
  expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 3, ackedSeq: 5 })

  await nats.addAuditStream()
  await nats.kill()
  await nats.restart()
  await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ backlogRecords: 0, error: null }), SOON)
  await nats.kill()
  await store.append(someRecords('audit', 2))
  await nats.restart()
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  const blocks = await nats.messages('edge.plant.n1.audit')
  expect(blocks.flatMap(({ data }) => seqsIn(data, 'gzip'))).toEqual([1, 2, 3, 6, 7])
  // Whoever may write to it may neither purge nor delete.
  await expect(nats.operate((manager) => manager.streams.purge('AUDIT'))).rejects.toThrow(/purge/)
  await expect(nats.operate((manager) => manager.streams.deleteMessage('AUDIT', 1))).rejects.toThrow(/delete/)
})

test.each(['gzip', 'zstd'] as const)(
  'writes %s blocks of the configured size with their headers, in order',
  async (encoding) => {
    await using nats = await natsFixture()
    await nats.addStream()
    const store = new MemoryStore()
    await store.append(someRecords('abnormal', 100))
    await using bench = uplinkOf(store, wireTo(nats.port), { encoding })
    bench.uplink.start()
    await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)

    const messages = await nats.messages(RESULTS)
    expect(messages.length).toBeGreaterThan(3)
    expect(messages.flatMap((message) => seqsIn(message.data, encoding))).toEqual(store.records.map(({ seq }) => seq))
    let previous = ''
    let previousSeq = 0
    for (const { data, header } of messages) {
      const plain = encoding === 'zstd' ? zstdDecompressSync(data) : gunzipSync(data)
      const seqs = seqsIn(data, encoding)
      const digest = createHash('sha256').update(plain).digest('hex')
      expect(plain.length).toBeLessThanOrEqual(4096)
      expect(header.get('Content-Type')).toBe('application/x-ndjson')
      expect(header.get('Content-Encoding')).toBe(encoding)
      expect(header.get('Edge-Epoch')).toBe(store.epoch)
      expect(header.get('Edge-First-Seq')).toBe(String(seqs[0]))
      expect(header.get('Edge-Last-Seq')).toBe(String(seqs.at(-1)))
      expect(header.get('Edge-Digest')).toBe(digest)
      expect(header.get('Edge-Prev-Digest')).toBe(previous)
      expect(header.get('Edge-Prev-Seq')).toBe(String(previousSeq))
      previousSeq = seqs.at(-1) ?? 0
      expect(header.get('Nats-Msg-Id')).toBe('')
      previous = digest
    }
  },
)

test('brings all ledger records, then all alerts, before a backlog of results, and an alert of now before its rest', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await using link = await tcpLink(nats.port)
  link.cut()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 2000))
  await store.append(someRecords('stat', 200))
  await store.append(someRecords('alert', 200))
  await store.append(someRecords('ledger', 200))
  // In the middle of the backlog something happens.
  const saveChain = store.saveChain.bind(store)
  let happened = false
  store.saveChain = async (target, recordClass, chain) => {
    await saveChain(target, recordClass, chain)
    if (happened || recordClass !== 'abnormal' || chain.cursor < 200) return
    happened = true
    await store.append(someRecords('alert', 1))
  }
  await using bench = uplinkOf(store, wireTo(link.port))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().state).toBe('down'), SOON)
  await link.mend()
  await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ backlogRecords: 0, ackedSeq: 2601 }), SOON)

  const subjects = (await nats.messages()).map((message) => message.subject.split('.').at(-1))
  const firstRest = subjects.findIndex((tail) => tail === 'results' || tail === 'stats')
  const urgent = subjects.slice(0, firstRest)
  expect(urgent.lastIndexOf('ledger')).toBeGreaterThan(4)
  expect(urgent.indexOf('alerts')).toBe(urgent.lastIndexOf('ledger') + 1)
  expect(subjects.slice(firstRest).filter((tail) => tail === 'ledger' || tail === 'alerts')).toEqual(['alerts'])
  expect(subjects.lastIndexOf('alerts')).toBeLessThan(subjects.lastIndexOf('results') - 5)
})

test('counts every byte of a message for its class and none of them as control', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const store = new MemoryStore()
  await using bench = uplinkOf(store, wireTo(nats.port))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().rttMs).not.toBeNull(), SOON)
  // Before the first block the stream is asked what it holds, which is no class's.
  await store.append(someRecords('abnormal', 1))
  await vi.waitFor(() => expect(bench.uplink.status().ackedSeq).toBe(1), SOON)
  const before = bench.uplink.sentBytes()
  await store.append(someRecords('abnormal', 300))
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  expect(bench.uplink.sentBytes().control).toBe(before.control)
})

test('notices a half-open link, makes a new one and sends again', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await using link = await tcpLink(nats.port)
  const store = new MemoryStore()
  await using bench = uplinkOf(store, wireTo(link.port, 500))
  bench.uplink.start()
  await store.append(someRecords('alert', 1))
  await vi.waitFor(() => expect(bench.uplink.status().ackedSeq).toBe(1), SOON)
  link.hang()
  await store.append(someRecords('alert', 1))
  await vi.waitFor(() => expect(bench.uplink.status().error).toContain('no acknowledgement within 500 ms'), SOON)
  expect(bench.uplink.status()).toMatchObject({ state: 'down', backlogRecords: 1 })
  await link.mend()
  await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', ackedSeq: 2 }), SOON)
})

test('says which stream to make while none holds its subjects, and goes on once it is made', async () => {
  await using nats = await natsFixture()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 5))
  await using bench = uplinkOf(store, wireTo(nats.port))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().error).toContain(`no stream holds ${RESULTS}; create it`), SOON)
  expect(bench.uplink.status()).toMatchObject({ state: 'down', backlogRecords: 5, ackedSeq: 0 })
  await nats.addStream()
  await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)
})

test('splits what the server finds too large, and notes in the ledger the one record that stays too large', async () => {
  await using nats = await natsFixture({ maxPayloadBytes: 3000 })
  await nats.addStream()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 4).map((record) => ({ ...record, body: { noise: noise(1200) } })))
  await store.append([{ class: 'abnormal', timestamp: Date.now(), body: { noise: noise(9000) } }])
  await store.append(someRecords('abnormal', 1))
  await using bench = uplinkOf(store, wireTo(nats.port), { blockBytes: 16_384 })
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)

  const seqs = (await nats.messages(RESULTS)).flatMap((message) => seqsIn(message.data, 'gzip'))
  expect(seqs).toEqual([1, 2, 3, 4, 6])
  const [ledger] = await nats.messages('edge.plant.n1.ledger')
  expect(JSON.parse(gunzipSync(ledger?.data ?? '').toString())).toMatchObject({
    event: 'undeliverable',
    reason: 'too_large',
    first_seq: 5,
    last_seq: 5,
    records: { abnormal: 1 },
  })
  expect(bench.uplink.status()).toMatchObject({ state: 'up' })
  expect(bench.uplink.status().error).toContain('last: abnormal 5')
})

test('goes on behind its cursor after a restart', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const store = new MemoryStore()
  await store.append(someRecords('stat', 10))
  {
    await using bench = uplinkOf(store, wireTo(nats.port))
    bench.uplink.start()
    await vi.waitFor(() => expect(bench.uplink.status().ackedSeq).toBe(10), SOON)
  }
  await store.append(someRecords('stat', 10))
  await using bench = uplinkOf(store, wireTo(nats.port))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().ackedSeq).toBe(20), SOON)
  const seqs = (await nats.messages('edge.plant.n1.stats')).flatMap((message) => seqsIn(message.data, 'gzip'))
  expect(seqs).toEqual(store.records.map(({ seq }) => seq))
})

/** Text that does not compress below its size. */
function noise(sizeBytes: number): string {
  let text = ''
  for (let n = 0; text.length < sizeBytes; n += 1) text += createHash('sha512').update(String(n)).digest('base64')
  return text.slice(0, sizeBytes)
}
