import { DiscardPolicy, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { connect, type NatsConnection } from 'nats'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RECORD_CLASSES } from '../../../protocol/subjects.ts'
import { type StreamItem, type StreamQuery, StreamReader } from '../../../src/cloud/stream-reader.ts'
import { cloudBlock, cloudRecord, encodeBlock, publishBlocks } from '../../support/cloud-blocks.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'

let nats: NatsFixture
let connection: NatsConnection
beforeEach(async () => {
  nats = await natsFixture()
  connection = await connect({ servers: nats.url })
})
afterEach(async () => {
  await connection.close()
  await nats[Symbol.asyncDispose]()
})

const region = () => ({ name: 'east', servers: [nats.url], stream: 'EDGE' })
const whole: StreamQuery = { node: 'n1', site: null, classes: RECORD_CLASSES, fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }

const publish = (...blocks: Parameters<typeof publishBlocks>[1][]) => publishBlocks(nats, ...blocks)

async function readAll(query: Partial<StreamQuery> = {}, signal = new AbortController().signal): Promise<StreamItem[]> {
  const reader = await StreamReader.open(region(), 60_000)
  try {
    const items: StreamItem[] = []
    for await (const item of reader.read({ ...whole, ...query }, signal)) items.push(item)
    return items
  } finally {
    await reader.close()
  }
}

const told = (items: readonly StreamItem[]) =>
  items.map((item) =>
    item.kind === 'block'
      ? `${item.block.recordClass}${item.block.resent ? '*' : ''} ${item.block.firstSeq}`
      : item.msg,
  )

describe('reading what a region holds', () => {
  it('gives the blocks of one node by class, in order, those sent again last, and leaves no consumer behind', async () => {
    await nats.addStream()
    await publish(
      cloudBlock([cloudRecord(1)]),
      cloudBlock([cloudRecord(2)], { recordClass: 'alert' }),
      cloudBlock([cloudRecord(3, {}, 'n2')], { node: 'n2' }),
      cloudBlock([cloudRecord(4)], { resent: true }),
      cloudBlock([cloudRecord(5)], { site: 'mine' }),
      cloudBlock([cloudRecord(6)]),
    )
    expect(told(await readAll())).toEqual(['alert 2', 'abnormal 1', 'abnormal 5', 'abnormal 6', 'abnormal* 4'])
    expect(told(await readAll({ site: 'mine' }))).toEqual(['abnormal 5'])
    expect(told(await readAll({ classes: ['alert', 'stat'] }))).toEqual(['alert 2'])
    const manager = await jetstreamManager(connection)
    expect(await manager.consumers.list('EDGE').next()).toEqual([])
  })

  it('reads on over many batches, and stops behind the range', async () => {
    await nats.addStream()
    const blocks = Array.from({ length: 200 }, (_, n) => cloudBlock([cloudRecord(n + 1)], { prevSeq: n }))
    await publish(...blocks)
    expect(await readAll()).toHaveLength(200)
    const { timestamp } = cloudRecord(50)
    const near = await readAll({ fromMs: 0, toMs: timestamp, marginMs: 10_000 })
    expect(told(near).at(-1)).toBe('abnormal 61')
    // What the stream took long before the range is not even asked for.
    expect(await readAll({ fromMs: Date.now() + 3_600_000, marginMs: 0 })).toEqual([])
  })

  it('reads on behind a block of a clock that was ahead for a while', async () => {
    await nats.addStream()
    const [before, ahead, after] = [cloudRecord(1), cloudRecord(2), cloudRecord(3)]
    const timestamp = Date.now() + 365 * 86_400_000
    const wrong = { ...ahead, timestamp, line: JSON.stringify({ ...JSON.parse(ahead.line), timestamp }) }
    await publish(cloudBlock([before]), cloudBlock([wrong]), cloudBlock([after]))
    const query = { fromMs: 0, toMs: after.timestamp, marginMs: 3_600_000 }
    expect(told(await readAll(query))).toEqual(['abnormal 1', 'abnormal 2', 'abnormal 3'])
  })

  it('hands over what is no block as such, and goes on', async () => {
    await nats.addStream()
    const good = encodeBlock(cloudBlock([cloudRecord(1)]))
    await publish({ ...good, body: Buffer.from('junk') }, { ...good, headers: {} }, cloudBlock([cloudRecord(2)]))
    expect(told(await readAll())).toEqual([
      'the body is no zstd',
      'the header of epoch is missing or wrong',
      'abnormal 2',
    ])
  })

  it('is content with a stream that knows no subjects of blocks sent again', async () => {
    const manager = await jetstreamManager(connection)
    await manager.streams.add({
      name: 'EDGE',
      subjects: ['edge.*.*.results'],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      storage: StorageType.Memory,
    })
    await publish(cloudBlock([cloudRecord(1)]))
    expect(told(await readAll())).toEqual(['abnormal 1'])
  })

  it('goes on where it was when the server comes back', async () => {
    await nats.addStream()
    await publish(...Array.from({ length: 150 }, (_, n) => cloudBlock([cloudRecord(n + 1)])))
    const reader = await StreamReader.open(region(), 5000)
    const seqs: number[] = []
    for await (const item of reader.read(whole, new AbortController().signal)) {
      if (item.kind === 'block') seqs.push(item.block.firstSeq)
      if (seqs.length === 100) {
        await nats.kill()
        await nats.restart()
      }
    }
    await reader.close()
    expect(seqs).toEqual(Array.from({ length: 150 }, (_, n) => n + 1))
  })

  it('ends when the signal comes', async () => {
    await nats.addStream()
    await publish(...Array.from({ length: 20 }, (_, n) => cloudBlock([cloudRecord(n + 1)])))
    const abort = new AbortController()
    const reader = await StreamReader.open(region())
    let count = 0
    for await (const _ of reader.read(whole, abort.signal)) {
      count += 1
      if (count === 5) abort.abort()
    }
    await reader.close()
    expect(count).toBe(5)
  })

  it('says which stream is missing, and which server does not answer, without credentials', async () => {
    await expect(readAll()).rejects.toMatchObject({
      code: 'CLOUD_UNREACHABLE',
      message: expect.stringContaining('stream EDGE: stream not found'),
    })
    const gone = { name: 'west', servers: ['nats://user:secret@127.0.0.1:1'], stream: 'EDGE' }
    const refused = await StreamReader.open(gone, 60_000).catch((error: Error) => error)
    expect(refused).toMatchObject({ code: 'CLOUD_UNREACHABLE' })
    expect(String(refused)).toMatch(/west \(nats:\/\/127\.0\.0\.1:1\)/)
    expect(String(refused)).not.toContain('secret')
  })
})
