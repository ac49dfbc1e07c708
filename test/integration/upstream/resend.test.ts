import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { HttpWire } from '../../../edge-daemon/upstream/http.ts'
import { NatsWire } from '../../../edge-daemon/upstream/nats.ts'
import { ResendBook } from '../../../edge-daemon/upstream/resend/book.ts'
import type { ResendReport } from '../../../edge-daemon/upstream/resend/request.ts'
import { type ResendOrder, Resends } from '../../../edge-daemon/upstream/resend/resends.ts'
import type { Wire } from '../../../edge-daemon/upstream/wire.ts'
import { archivedBlocks, httpCloudProcess } from '../../support/http-cloud-process.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { tcpLink } from '../../support/tcp-link.ts'
import { keptLog, seqsIn, uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 10 }
const MINUTE_MS = 60_000

/** A store with a record a second of each class over ten minutes, from 0 on. */
async function tenMinutes(): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (let second = 0; second < 600; second += 1) {
    const body = { code: 200, msg: 'x'.repeat(100) }
    await store.append([
      { class: 'normal', timestamp: second * 1000, body },
      { class: 'abnormal', timestamp: second * 1000, body },
    ])
  }
  return store
}

function seqsOf(store: MemoryStore, recordClass: string, fromMs: number, toMs: number): number[] {
  return store.records
    .filter((record) => record.class === recordClass && record.timestamp >= fromMs && record.timestamp <= toMs)
    .map(({ seq }) => seq)
}

interface Node {
  readonly order: (order?: Partial<ResendOrder>) => Promise<ResendReport>
  readonly report: (requestId?: string) => ResendReport
  readonly done: (requestId?: string) => Promise<ResendReport>
  readonly uplink: ReturnType<typeof uplinkOf>['uplink']
  [Symbol.asyncDispose](): Promise<void>
}

/** The uplink of a node with its book of requests. */
async function nodeOf(store: MemoryStore, wire: Wire, at: string | null = null): Promise<Node> {
  const book = new ResendBook(at, keptLog())
  await book.load()
  const bench = uplinkOf(store, wire, { resends: book })
  const lastSeq = (): number => store.records.length
  const resends = new Resends(book, { status: () => ({ lastSeq: lastSeq() }) as never }, [bench.uplink])
  const range = { fromMs: 2 * MINUTE_MS, toMs: 4 * MINUTE_MS, classes: ['abnormal', 'normal'], target: null } as const
  bench.uplink.start()
  const report = (requestId = 'r1'): ResendReport => resends.report(requestId)
  return {
    uplink: bench.uplink,
    order: (order = {}) => resends.order({ requestId: 'r1', ...range, ...order }),
    report,
    done: async (requestId = 'r1') => {
      await vi.waitFor(() => expect(report(requestId).state).toBe('done'), SOON)
      return report(requestId)
    },
    [Symbol.asyncDispose]: () => bench.uplink.stop(),
  }
}

function natsWire(port: number, ackTimeoutMs = 30_000): NatsWire {
  return new NatsWire({ servers: [`nats://127.0.0.1:${port}`], ackTimeoutMs, clientName: 'test' })
}

async function heldSeqs(nats: NatsFixture, tail: string): Promise<number[]> {
  const messages = await nats.messages(`edge.plant.n1.${tail}`)
  return messages.flatMap(({ data, header }) => seqsIn(data, header.get('Content-Encoding')))
}

test('sends a range again beside the live subjects, once however often it is asked, and live goes on', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const store = await tenMinutes()
  await using node = await nodeOf(store, natsWire(nats.port))
  await vi.waitFor(() => expect(node.uplink.status().backlogRecords).toBe(0), SOON)
  await Promise.all([node.order(), node.order()])
  const report = await node.done()
  expect(report).toMatchObject({ records: 242, leftOut: 0, error: null, target: 'cloud' })
  expect(report.blocks).toBeGreaterThan(4)
  expect(await node.order()).toEqual(report)

  await store.append([{ class: 'abnormal', timestamp: 700_000, body: { code: 500 } }])
  await vi.waitFor(() => expect(node.uplink.status().backlogRecords).toBe(0), SOON)
  for (const recordClass of ['abnormal', 'normal']) {
    const range = seqsOf(store, recordClass, 2 * MINUTE_MS, 4 * MINUTE_MS)
    expect(await heldSeqs(nats, `resend.${recordClass}`)).toEqual(range)
  }
  expect(await heldSeqs(nats, 'results')).toEqual(seqsOf(store, 'abnormal', 0, 1e9))
  const [message] = await nats.messages('edge.plant.n1.resend.abnormal')
  expect(message?.header.get('Edge-Resend')).toBe('r1')
  await expect(node.order({ fromMs: 0 })).rejects.toThrow('another range')
})

test('a link that is cut and answers that are lost make no second copy, also with a book that was lost', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await using link = await tcpLink(nats.port)
  const store = await tenMinutes()
  const range = { fromMs: 0, toMs: 10 * MINUTE_MS }
  {
    await using node = await nodeOf(store, natsWire(link.port, 2000))
    await vi.waitFor(() => expect(node.uplink.status().backlogRecords).toBe(0), SOON)
    // Slow enough that there is still something to be cut off.
    link.shape({ kbitPerSec: 128 })
    await node.order(range)
    for (const cut of ['answers', 'cut', 'answers'] as const) {
      const { blocks } = node.report()
      await vi.waitFor(() => expect(node.report().blocks).toBeGreaterThan(blocks), SOON)
      if (cut === 'cut') link.cut()
      else link.hang('answers')
      await vi.waitFor(() => expect(node.report().error).not.toBeNull(), SOON)
      await link.mend()
    }
    link.shape({})
    await node.done()
  }
  // A book that begins empty: the receiver is asked what it holds of this very request.
  await using forgetful = await nodeOf(store, natsWire(nats.port))
  await forgetful.order(range)
  const report = await forgetful.done()
  expect(report.records).toBe(1200)
  for (const recordClass of ['abnormal', 'normal']) {
    expect(await heldSeqs(nats, `resend.${recordClass}`)).toEqual(seqsOf(store, recordClass, 0, 1e9))
  }
}, 240_000)

test('a node that stops in the middle goes on after its start, and remembers what is done', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-resend-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const at = join(dir, 'resends.json')
  await using nats = await natsFixture()
  await nats.addStream()
  await using link = await tcpLink(nats.port)
  link.shape({ kbitPerSec: 256 })
  const store = await tenMinutes()
  const range = { fromMs: 0, toMs: 10 * MINUTE_MS }
  {
    await using node = await nodeOf(store, natsWire(link.port), at)
    await node.order(range)
    await vi.waitFor(() => expect(node.report().blocks).toBeGreaterThan(3), SOON)
  }
  expect(readFileSync(at, 'utf8')).toContain('"r1"')
  {
    await using node = await nodeOf(store, natsWire(nats.port), at)
    expect((await node.done()).records).toBe(1200)
  }
  await using node = await nodeOf(store, natsWire(nats.port), at)
  expect(await node.order(range)).toMatchObject({ state: 'done', records: 1200 })
  expect(await heldSeqs(nats, 'resend.abnormal')).toEqual(seqsOf(store, 'abnormal', 0, 1e9))
}, 240_000)

test('over HTTP each request is a chain of its own at the receiver', async () => {
  await using cloud = await httpCloudProcess()
  await using link = await tcpLink(cloud.port)
  const store = await tenMinutes()
  {
    const wire = new HttpWire({ url: `http://127.0.0.1:${link.port}/blocks`, ackTimeoutMs: 2000, probeIntervalMs: 200 })
    await using node = await nodeOf(store, wire)
    link.shape({ kbitPerSec: 128 })
    await node.order()
    await vi.waitFor(() => expect(node.report().blocks).toBeGreaterThan(1), SOON)
    link.hang('answers')
    await vi.waitFor(() => expect(node.report().error).not.toBeNull(), SOON)
    await link.mend()
    link.shape({})
    await node.done()
    // An older range behind a newer one.
    await node.order({ requestId: 'r2', fromMs: MINUTE_MS, toMs: 3 * MINUTE_MS })
    await node.done('r2')
  }
  await cloud.kill()
  const blocks = await archivedBlocks(cloud.dir)
  for (const [resend, fromMs, toMs] of [
    ['r1', 2, 4],
    ['r2', 1, 3],
  ] as const) {
    const held = blocks.filter((block) => block.resend === resend && block.subject.endsWith('.resend.normal'))
    const range = seqsOf(store, 'normal', fromMs * MINUTE_MS, toMs * MINUTE_MS)
    expect(held.flatMap(({ seqs }) => seqs)).toEqual(range)
  }
}, 240_000)

test('a damaged book is set aside and does not stop the start; what cannot be sent is refused with a cure', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-resend-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const at = join(dir, 'resends.json')
  writeFileSync(at, '{"v":1,"requests":[{"requestId":')
  const log = keptLog()
  const book = new ResendBook(at, log)
  await book.load()
  expect(log.lines.join()).toContain('damaged')
  expect(readFileSync(`${at}.damaged`, 'utf8')).toContain('requestId')
  const none = new Resends(book, { status: () => ({ lastSeq: 1 }) as never }, [])
  const order: ResendOrder = { requestId: 'a', fromMs: 0, toMs: 1, classes: ['stat'], target: null }
  await expect(none.order(order)).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
  expect(() => none.report('a')).toThrow('knows no request')
  const target = { name: 'eu', isUp: false, resender: { wake: () => {}, current: null } }
  const slow = new Resends(book, { status: () => ({ lastSeq: 1 }) as never }, [target])
  for (let n = 0; n < 16; n += 1) await slow.order({ ...order, requestId: `a${n}` })
  await expect(slow.order(order)).rejects.toThrow('16 requests wait already')
  await expect(slow.order({ ...order, target: 'us' })).rejects.toMatchObject({ next: ['its targets are: eu'] })
})
