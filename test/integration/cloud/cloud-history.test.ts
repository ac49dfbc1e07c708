import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CloudHistorySource } from '../../../src/cloud/cloud-history.ts'
import { readClouds } from '../../../src/cloud/cloud-range.ts'
import type { HistoryGap, HistoryKind, HistoryRows } from '../../../src/link/history-source.ts'
import { cloudBlock, cloudRecord, publishBlocks } from '../../support/cloud-blocks.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'

let east: NatsFixture
let west: NatsFixture
beforeEach(async () => {
  ;[east, west] = await Promise.all([natsFixture(), natsFixture()])
  await Promise.all([east.addStream(), west.addStream()])
})
afterEach(async () => {
  await east[Symbol.asyncDispose]()
  await west[Symbol.asyncDispose]()
})

const clouds = () => [
  { name: 'east', servers: [east.url], stream: 'EDGE' },
  { name: 'west', servers: [west.url], stream: 'EDGE' },
]
const never = new AbortController().signal
const RESULT = {
  code: 200,
  pred: 7,
  confidence: 0.4,
  model: 'digits@1',
  total_ms: 5,
  bytes: 9,
  reason: 'low_confidence',
}
const result = (seq: number) => cloudRecord(seq, RESULT)
const at = (seq: number) => cloudRecord(seq).timestamp

async function read(
  kinds: readonly HistoryKind[],
  range: { fromMs?: number; toMs?: number; limitPerKind?: number } = {},
  key = 'n1',
) {
  const source = new CloudHistorySource({
    clouds: clouds(),
    identify: (nodeKey) => ({ node: nodeKey, site: null }),
    timeoutMs: 60_000,
  })
  const rows: HistoryRows[] = []
  const gaps: HistoryGap[] = []
  const sink = { rows: (page: HistoryRows) => void rows.push(page), gap: (gap: HistoryGap) => void gaps.push(gap) }
  const outcome = await source.read(key, { fromMs: 0, toMs: 9e15, kinds, ...range }, sink, never)
  const seqs = rows.flatMap((page) => page.rows.map((row) => `${page.kind} ${page.epoch} ${row.seq}`))
  return { outcome, seqs, gaps }
}

describe('the past of a node as the cloud holds it', () => {
  it('is what all regions hold together, each record once, by kind and in the range', async () => {
    await publishBlocks(east, cloudBlock([result(1), result(2)], { prevSeq: 0 }))
    await publishBlocks(
      west,
      cloudBlock([result(2), result(4)], { prevSeq: 1 }),
      cloudBlock([result(5)], { epoch: 'e2', prevSeq: 0 }),
      cloudBlock(
        [
          cloudRecord(3, {
            event: 'corrupt',
            reason: 'crc',
            first_seq: null,
            last_seq: null,
            records: {},
            bytes: 9,
            msg: 'x',
          }),
        ],
        { recordClass: 'ledger' },
      ),
    )
    const { outcome, seqs, gaps } = await read(['results', 'ledger'])
    expect(outcome).toEqual({ ok: true, truncated: false })
    expect(seqs).toEqual(['results e1 1', 'results e1 2', 'results e1 4', 'results e2 5', 'ledger e1 3'])
    expect(gaps).toEqual([])
    expect((await read(['results'], { fromMs: at(2), toMs: at(4) })).seqs).toEqual(['results e1 2', 'results e1 4'])
    expect(await read(['results'], { limitPerKind: 3 })).toMatchObject({
      outcome: { ok: true, truncated: true },
      seqs: { length: 3 },
    })
  })

  it('tells what is missing and why, what is no block, and what is no record of its class', async () => {
    const eviction = {
      event: 'evicted',
      reason: 'max_bytes',
      first_seq: 2,
      last_seq: 3,
      records: {},
      bytes: 9,
      msg: 'x',
    }
    await publishBlocks(
      east,
      cloudBlock([result(1)], { prevSeq: 0 }),
      cloudBlock([result(5), cloudRecord(6, { code: 'none' })], { prevSeq: 3 }),
      cloudBlock([result(9)], { prevSeq: 8 }),
      cloudBlock([cloudRecord(7_200_000, eviction)], { recordClass: 'ledger' }),
    )
    await publishBlocks(west, { subject: 'edge.plant.n1.results', headers: {}, body: Buffer.from('junk') })
    const { seqs, gaps } = await read(['results'], { toMs: at(9) })
    expect(seqs).toEqual(['results e1 1', 'results e1 5', 'results e1 9'])
    expect(gaps.map(({ reason, fromMs, toMs }) => [reason, fromMs, toMs])).toEqual([
      ['1 unreadable messages in west', 0, at(9)],
      ['evicted', at(1), at(5)],
      ['missing', at(6), at(9)],
      ['unreadable', at(6), at(6)],
    ])
  })

  it('goes on without a dead region and says so, and fails only when all are dead', async () => {
    await publishBlocks(east, cloudBlock([result(1)]))
    await west.kill()
    const one = await read(['results'])
    expect(one).toMatchObject({ outcome: { ok: true }, seqs: ['results e1 1'] })
    expect(one.gaps.map((gap) => gap.reason)).toEqual(['west does not answer'])
    await east.kill()
    const none = await read(['results'])
    expect(none.outcome).toMatchObject({ ok: false, code: 'CLOUD_UNREACHABLE' })
    await Promise.all([east.restart(), west.restart()])
  })

  it('asks a dead region once and not at every read', async () => {
    await publishBlocks(east, cloudBlock([result(1)]))
    let dials = 0
    const silent = createServer(() => {
      dials += 1
    })
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const source = new CloudHistorySource({
      clouds: [...clouds().slice(0, 1), { name: 'west', servers: [`nats://127.0.0.1:${port}`], stream: 'EDGE' }],
      identify: (node) => ({ node, site: null }),
      timeoutMs: 10_000,
    })
    const reasons: string[] = []
    const sink = { rows: () => undefined, gap: (gap: HistoryGap) => void reasons.push(gap.reason) }
    for (let n = 0; n < 3; n += 1) {
      const outcome = await source.read('n1', { fromMs: 0, toMs: 9e15, kinds: ['results'] }, sink, never)
      expect(outcome).toMatchObject({ ok: true })
    }
    expect(reasons).toEqual(Array.from({ length: 3 }, () => 'west does not answer'))
    expect(dials).toBe(1)
    silent.close()
  })

  it('asks which site is meant when several have a node of that name', async () => {
    await publishBlocks(east, cloudBlock([result(1)]), cloudBlock([result(1)], { site: 'mine' }))
    expect((await read(['results'])).outcome).toMatchObject({
      ok: false,
      code: 'USAGE',
      next: ['say which: mine/n1 or plant/n1'],
    })
  })

  it('takes no more than it may, and says that there is more', async () => {
    await publishBlocks(east, ...Array.from({ length: 10 }, (_, n) => cloudBlock([result(n + 1)])))
    const query = { node: 'n1', site: null, classes: ['abnormal' as const], fromMs: 0, toMs: 9e15 }
    const found = await readClouds(clouds(), query, never, { maxBytes: 400 })
    expect(found.truncated).toBe(true)
    expect(found.records.length).toBeLessThan(10)
  })
})
