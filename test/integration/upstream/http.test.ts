import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { HttpWire } from '../../../edge-daemon/upstream/http.ts'
import { UPSTREAM_CLASSES } from '../../../protocol/subjects.ts'
import { type HttpReceiver, httpReceiver } from '../../support/http-receiver.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { tcpLink } from '../../support/tcp-link.ts'
import { seqsIn, someRecords, uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 20 }

function wireTo(url: string, ackTimeoutMs = 30_000): HttpWire {
  return new HttpWire({ url, ackTimeoutMs, probeIntervalMs: 200 })
}

function heldSeqs(receiver: HttpReceiver): number[] {
  return receiver.held.flatMap((block) => seqsIn(block.body, 'gzip'))
}

test('posts blocks with their subject and headers, in order', async () => {
  await using receiver = await httpReceiver()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 100))
  await using bench = uplinkOf(store, wireTo(receiver.url))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)

  expect(heldSeqs(receiver)).toEqual(store.records.map(({ seq }) => seq))
  let previous: string | undefined
  for (const { headers, body } of receiver.held) {
    const seqs = seqsIn(body, 'gzip')
    const digest = createHash('sha256').update(gunzipSync(body)).digest('hex')
    expect(headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      'content-encoding': 'gzip',
      'edge-subject': 'edge.plant.n1.results',
      'edge-epoch': store.epoch,
      'edge-first-seq': String(seqs[0]),
      'edge-last-seq': String(seqs.at(-1)),
      'edge-digest': digest,
    })
    expect(headers['edge-prev-digest']).toBe(previous)
    previous = digest
  }
  expect(bench.uplink.status()).toMatchObject({
    kind: 'http',
    state: 'up',
    error: null,
    guarantee: 'at_least_once',
  })
  expect(bench.uplink.status().rttMs).toBeGreaterThan(0)
})

test.each([
  ['a 500', { status: 500 }, 'the receiver answered 500'],
  ['a refusal that only an operator can mend', { status: 401 }, 'does not let this node in'],
  ['a redirect, which it does not follow', { status: 302, headers: { Location: '/elsewhere' } }, 'redirects are not'],
  ['an answer that never comes', 'hang', 'no complete answer within 400 ms'],
  ['an answer cut in its middle', 'cut', '127.0.0.1'],
] as const)('keeps what waits through %s and delivers it afterwards', async (_, mood, error) => {
  await using receiver = await httpReceiver()
  receiver.mood = mood
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 10))
  await using bench = uplinkOf(store, wireTo(receiver.url, 400))
  bench.uplink.start()
  await vi.waitFor(() => {
    expect(receiver.posts.length).toBeGreaterThan(0)
    expect(bench.uplink.status()).toMatchObject({ state: 'down', backlogRecords: 10, ackedSeq: 0 })
    expect(bench.uplink.status().error).toContain(error)
  }, SOON)
  receiver.mood = { status: 200 }
  await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)
  expect(new Set(heldSeqs(receiver)).size).toBe(10)
})

test('sends nothing of a class before the seconds of Retry-After are over', async () => {
  await using receiver = await httpReceiver()
  const postedAtMs: number[] = []
  receiver.mood = () => {
    postedAtMs.push(performance.now())
    return postedAtMs.length === 1 ? { status: 429, headers: { 'Retry-After': '2' } } : { status: 200 }
  }
  const store = new MemoryStore()
  await store.append(someRecords('stat', 1))
  await using bench = uplinkOf(store, wireTo(receiver.url))
  bench.uplink.start()
  await vi.waitFor(() => expect(receiver.posts).toHaveLength(1), SOON)
  await store.append(someRecords('stat', 1))
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  const [refusedAtMs = 0, againAtMs = 0] = postedAtMs
  expect(againAtMs - refusedAtMs).toBeGreaterThan(1900)
  expect(heldSeqs(receiver)).toEqual([1, 2])
})

test('a class that is refused does not hold up the others', async () => {
  await using receiver = await httpReceiver()
  receiver.mood = ({ headers }) => ({ status: String(headers['edge-subject']).endsWith('.ledger') ? 500 : 204 })
  const store = new MemoryStore()
  for (const recordClass of UPSTREAM_CLASSES) await store.append(someRecords(recordClass, 5))
  await using bench = uplinkOf(store, wireTo(receiver.url))
  bench.uplink.start()
  await vi.waitFor(() => {
    expect(bench.uplink.status().backlogRecords).toBe(5)
    expect(bench.uplink.status().error).toContain('500')
  }, SOON)
})

test('halves a block that is too large until the receiver takes it', async () => {
  await using receiver = await httpReceiver()
  receiver.mood = ({ body }) => ({ status: seqsIn(body, 'gzip').length > 7 ? 413 : 204 })
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 100))
  await using bench = uplinkOf(store, wireTo(receiver.url))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  expect(heldSeqs(receiver)).toEqual(store.records.map(({ seq }) => seq))
})

test('counts by class exactly the bytes that a link in between saw, and drains after it was cut', async () => {
  await using receiver = await httpReceiver()
  await using link = await tcpLink(receiver.port)
  const store = new MemoryStore()
  await using bench = uplinkOf(store, wireTo(`http://127.0.0.1:${link.port}/blocks`))
  bench.uplink.start()
  for (const recordClass of UPSTREAM_CLASSES) await store.append(someRecords(recordClass, 40))
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  link.cut()
  await store.append(someRecords('alert', 3))
  await vi.waitFor(() => expect(bench.uplink.status().state).toBe('down'), SOON)
  expect(bench.uplink.status().backlogRecords).toBe(3)
  await link.mend()
  await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)

  await vi.waitFor(() => {
    const sent = Object.values(bench.uplink.sentBytes()).reduce((sum, bytes) => sum + bytes, 0)
    expect(sent).toBe(link.clientBytes())
  }, SOON)
  const sent = bench.uplink.sentBytes()
  for (const recordClass of UPSTREAM_CLASSES) {
    const tail = {
      abnormal: 'results',
      stat: 'stats',
      alert: 'alerts',
      metric: 'metrics',
      ledger: 'ledger',
      audit: 'audit',
      error: 'logs.error',
    }
    const own = receiver.held.filter(({ headers }) => headers['edge-subject'] === `edge.plant.n1.${tail[recordClass]}`)
    const bodyBytes = own.reduce((sum, { body }) => sum + body.length, 0)
    expect(sent[recordClass]).toBeGreaterThan(bodyBytes + own.length * 300)
    expect(sent[recordClass]).toBeLessThan(bodyBytes + own.length * 800)
  }
})

test('knows that an idle receiver went away and came back', async () => {
  await using receiver = await httpReceiver()
  await using link = await tcpLink(receiver.port)
  await using bench = uplinkOf(new MemoryStore(), wireTo(`http://127.0.0.1:${link.port}/blocks`, 4000))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().state).toBe('up'), SOON)
  link.hang()
  await vi.waitFor(() => expect(bench.uplink.status().state).toBe('down'), SOON)
  await link.mend()
  await vi.waitFor(() => expect(bench.uplink.status().state).toBe('up'), SOON)
  expect(bench.log.lines.map((line) => line.split(' ')[1])).toEqual(['uplink.up', 'uplink.down', 'uplink.up'])
})

test('sends what nobody told it of, since the worker of the store died with its word, at the next commit', async () => {
  await using receiver = await httpReceiver()
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 2))
  await using bench = uplinkOf(store, wireTo(receiver.url))
  bench.uplink.start()
  await store.append(someRecords('stat', 1))
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  store.dying = true
  await store.append(someRecords('abnormal', 3))
  store.dying = false
  await store.append(someRecords('stat', 1))
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  expect(heldSeqs(receiver).toSorted((a, b) => a - b)).toEqual(store.records.map(({ seq }) => seq))
})

test('flags what may have arrived at a receiver that does not tell, and nothing else', async () => {
  await using receiver = await httpReceiver()
  const store = new MemoryStore()
  await using bench = uplinkOf(store, wireTo(receiver.url))
  bench.uplink.start()
  await store.append(someRecords('abnormal', 5))
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  receiver.mood = 'cut'
  await store.append(someRecords('abnormal', 5))
  await vi.waitFor(() => expect(receiver.posts.length).toBeGreaterThan(1), SOON)
  receiver.mood = { status: 200 }
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  await store.append(someRecords('abnormal', 5))
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  expect(receiver.held.map(({ headers }) => headers['edge-maybe-duplicate'])).toEqual([undefined, '1', undefined])
  expect(bench.uplink.status()).toMatchObject({ guarantee: 'at_least_once', maybeDuplicates: 1 })
})

test('a proxy that refuses in front of a receiver does not make it one that does not compare', async () => {
  await using receiver = await httpReceiver()
  receiver.told = { status: 503 }
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 5))
  await using bench = uplinkOf(store, wireTo(receiver.url))
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().error).toContain('503'), SOON)
  expect(receiver.posts).toEqual([])
  expect(bench.uplink.status().guarantee).toBeUndefined()
  receiver.told = { status: 200, headers: { 'Edge-Receiver': 'r1', 'Edge-Max-Body': '300' } }
  await vi.waitFor(() => expect(receiver.posts.length).toBeGreaterThan(0), SOON)
  // 204 without the name of the block is no acknowledgement.
  await vi.waitFor(() => expect(bench.uplink.status().error).toContain('another receiver answers'), SOON)
  expect(bench.uplink.status()).toMatchObject({ guarantee: 'exactly_once', backlogRecords: 5 })
})

test.each([
  ['zstd, gzip', 'zstd'],
  ['gzip, zstd;q=0', 'gzip'],
  ['br', 'gzip'],
])('to a receiver that takes %s blocks go as %s', async (taken, encoding) => {
  await using receiver = await httpReceiver()
  receiver.told = { status: 204, headers: { 'Accept-Encoding': taken } }
  const store = new MemoryStore()
  await store.append(someRecords('stat', 5))
  await using bench = uplinkOf(store, wireTo(receiver.url), { encoding: 'auto' })
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().backlogRecords).toBe(0), SOON)
  expect(receiver.held.map(({ headers }) => headers['content-encoding'])).toEqual([encoding])
})
