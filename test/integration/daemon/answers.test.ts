import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ResultRecord, StatRecord } from '../../../protocol/records.ts'
import { DaemonHome, eventually, type InferAnswer, postPicture, type Served } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { samplePicture } from '../../support/pictures.ts'

const GARBAGE = Buffer.from('this is no picture')
const ABNORMAL_PER_SEC = 5

/** Records that the cloud holds under a subject, each once, with the epoch of their block. */
async function held<T extends { seq: number }>(nats: NatsFixture, tail: string) {
  const bySeq = new Map<number, T & { blockEpoch: string }>()
  for (const message of await nats.messages(`edge.plant.n1.${tail}`)) {
    const blockEpoch = message.header.get('Edge-Epoch')
    const isZstd = message.header.get('Content-Encoding') === 'zstd'
    const plain = isZstd ? zstdDecompressSync(message.data) : gunzipSync(message.data)
    for (const line of plain.toString().trimEnd().split('\n')) {
      const record = JSON.parse(line) as T
      bySeq.set(record.seq, { ...record, blockEpoch })
    }
  }
  return [...bySeq.values()]
}

/** One daemon with a cloud; each test sends pictures of its own. */
describe('what an answer says of its record', () => {
  const home = new DaemonHome()
  const startedMs = Date.now()
  let nats: NatsFixture
  let served: Served
  let console: TestConsole

  beforeAll(async () => {
    nats = await natsFixture()
    await nats.addStream()
    home.configure({
      'upstream.nats.servers': [nats.url],
      'filter.aggregateCount': 10,
      'filter.aggregateEvery': '1s',
      'filter.abnormalPerSec': ABNORMAL_PER_SEC,
    })
    served = await home.serve()
    console = await TestConsole.open(served.liveUrl)
  })
  afterAll(async () => {
    console?.close()
    await home[Symbol.asyncDispose]()
    await nats?.[Symbol.asyncDispose]()
  })

  let reads = 0
  /** Everything the node keeps of the results, as a console reads it. */
  async function keptResults(): Promise<ResultRecord[]> {
    reads += 1
    const id = `read-${reads}`
    console.send({ t: 'read', id, topic: 'results', fromMs: startedMs - 1000, toMs: Date.now() + 1000, limit: 10_000 })
    await console.until(() => console.of('end').some((end) => end.id === id))
    return console.rows(id) as ResultRecord[]
  }
  const post = (pictures: readonly Uint8Array[]) =>
    Promise.all(pictures.map((picture) => postPicture(served.inferUrl, picture)))

  it('a sure answer is stored under its sequence, and lies inside one statistic upstream', async () => {
    const answers = await post(Array.from({ length: 25 }, (_, n) => samplePicture(n % 10)))
    for (const answer of answers) {
      expect(answer).toMatchObject({ code: 200, stored: true, epoch: served.epoch, pred: expect.any(Number) })
    }
    expect(new Set(answers.map(({ seq }) => seq)).size).toBe(25)
    const kept = new Map((await keptResults()).map((record) => [record.seq, record]))
    for (const { seq, pred, timestamp } of answers) {
      expect(kept.get(seq as number)).toMatchObject({ code: 200, pred, timestamp, node_id: 'n1' })
    }
    const covering = (stats: readonly StatRecord[], { seq }: InferAnswer) =>
      stats.filter((stat) => (seq as number) >= stat.first_seq && (seq as number) <= stat.last_seq)
    let stats: (StatRecord & { blockEpoch: string })[] = []
    await eventually(async () => {
      stats = await held<StatRecord>(nats, 'stats')
      return answers.every((answer) => covering(stats, answer).length === 1)
    })
    expect(stats.reduce((sum, { count }) => sum + count, 0)).toBe(25)
    expect(new Set(stats.map(({ blockEpoch }) => blockEpoch))).toEqual(new Set([served.epoch]))
  })

  it('an abnormal answer is stored under its sequence, and found under it in the cloud', async () => {
    const answers = await post([GARBAGE, GARBAGE, GARBAGE])
    const kept = new Map((await keptResults()).map((record) => [record.seq, record]))
    for (const { code, epoch, stored, seq } of answers) {
      expect({ code, epoch, stored }).toEqual({ code: 422, epoch: served.epoch, stored: true })
      expect(kept.get(seq as number)).toMatchObject({ code: 422, pred: null, reason: 'undecodable' })
    }
    const seqs = answers.map(({ seq }) => seq)
    await eventually(async () => {
      const there = await held<ResultRecord>(nats, 'results')
      return seqs.every((seq) => there.some((record) => record.seq === seq && record.blockEpoch === served.epoch))
    })
  })

  it('a malformed request has no record; it is counted', async () => {
    const malformed = () => console.of('status').at(-1)?.inference.counters.malformed ?? 0
    console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10_000 })
    await console.until(() => console.of('status').length > 0)
    const before = { malformed: malformed(), kept: (await keptResults()).length }
    const answers = await Promise.all(
      ['{"image"', '{"picture":"AAAA"}', '{"image":"*"}'].map((body) =>
        fetch(`${served.inferUrl}/infer`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
      ),
    )
    for (const answer of answers) {
      expect(answer.status).toBe(400)
      expect(await answer.json()).not.toHaveProperty('seq')
    }
    await console.until(() => malformed() === before.malformed + 3)
    expect(await keptResults()).toHaveLength(before.kept)
  })

  it('abnormal answers over the rate stay on the node, marked, and go up as a count in statistics', async () => {
    const before = await held<ResultRecord>(nats, 'results')
    const answers = await post(Array.from({ length: 120 }, () => GARBAGE))
    expect(answers.every(({ stored }) => stored)).toBe(true)
    const seqs = new Set(answers.map(({ seq }) => seq))
    expect(seqs.size).toBe(120)
    const mine = (await keptResults()).filter(({ seq }) => seqs.has(seq))
    const over = mine.filter((record) => record.over_rate === true)
    expect(mine.every((record) => record.reason === 'undecodable')).toBe(true)
    expect(over.length).toBeGreaterThan(0)
    let sent = 0
    await eventually(
      async () => {
        const stats = await held<StatRecord>(nats, 'stats')
        const counted = stats.reduce((sum, stat) => sum + (stat.over_rate.undecodable ?? 0), 0)
        sent = (await held<ResultRecord>(nats, 'results')).length - before.length
        return counted === over.length && sent + counted === 120
      },
      { what: 'every one went up by itself or in a count' },
    )
    // Those of the tests before may have used up some of the second's rate.
    expect(sent).toBeGreaterThan(0)
    expect(over.length).toBeLessThan(120)
    await console.until(() => console.of('status').at(-1)?.inference.counters.overRate === over.length)
  })

  it('a declared fault is refused where faults.allow is not set, and changes nothing', async () => {
    console.send({ t: 'command', id: 'c1', verb: 'fault.slow', args: { ms: 100 } })
    console.send({ t: 'command', id: 'c2', verb: 'reboot', args: {} })
    await console.until(() => console.of('error').length === 2)
    // What is written to the audit first is answered later.
    expect(console.of('error').toSorted((a, b) => (a.id ?? '').localeCompare(b.id ?? ''))).toMatchObject([
      { id: 'c1', code: 'COMMAND_REFUSED', next: [expect.stringContaining('faults.allow')] },
      { id: 'c2', code: 'COMMAND_REFUSED', next: [expect.stringContaining('fault.slow')] },
    ])
    const frames = console.of('status').length
    await console.until(() => console.of('status').length > frames + 1)
    expect(console.of('status').at(-1)?.faults).toEqual({})
  })
})

describe('a declared fault where faults.allow is set', () => {
  it('slows the model, is shown, and is logged', async () => {
    await using home = new DaemonHome()
    home.configure({ 'faults.allow': true })
    const { inferUrl, liveUrl } = await home.serve()
    const console = await TestConsole.open(liveUrl)
    console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10_000 })
    console.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 1000, contains: 'fault.slow' })
    console.send({ t: 'command', id: 'c1', verb: 'fault.slow', args: { ms: 300 } })
    console.send({ t: 'command', id: 'c2', verb: 'fault.slow', args: { ms: 1e9 } })
    await console.until(() => console.of('done').length === 1 && console.of('error').length === 1)
    const beganMs = performance.now()
    expect(await postPicture(inferUrl, samplePicture(3))).toMatchObject({ code: 200, stored: true })
    expect(performance.now() - beganMs).toBeGreaterThan(290)
    await console.until(() => console.of('status').at(-1)?.faults.slow === 300 && console.rows('l').length === 1)
    console.close()
  })
})
