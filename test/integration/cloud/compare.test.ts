import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type CompareOutcome, type CompareRequest, runCompare } from '../../../src/commands/compare.ts'
import { cloudBlock, cloudRecord, publishBlocks } from '../../support/cloud-blocks.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { DaemonHome, eventually, postPicture, SOURCE } from '../../support/edge-daemon.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { samplePicture } from '../../support/pictures.ts'

let nats: NatsFixture
let home: DaemonHome
beforeEach(async () => {
  nats = await natsFixture()
  await nats.addStream()
  home = new DaemonHome()
})
afterEach(async () => {
  await home[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

interface Row {
  readonly recordClass: string
  readonly onNode: number | null
  readonly inCloud: number
  readonly missing: number[]
  readonly twice: number[]
}

async function compare(
  url: string,
  change: Partial<CompareRequest> = {},
): Promise<{ outcome: CompareOutcome; rows: Map<string, Row>; stderr: string }> {
  const io = new CapturedIo()
  const outcome = await runCompare(
    {
      name: 'n1',
      node: { key: 'n1', url },
      clouds: [{ name: 'east', servers: [nats.url], stream: 'EDGE' }],
      access: { version: '0.0.0' },
      fromMs: Date.now() - 3_600_000,
      toMs: Date.now(),
      format: 'json',
      timeoutMs: 60_000,
      ...change,
    },
    io,
  )
  const rows = JSON.parse(io.out()) as Row[]
  return { outcome, rows: new Map(rows.map((row) => [row.recordClass, row])), stderr: io.err() }
}

async function edit(use: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<unknown>): Promise<void> {
  const connection = await connect({ servers: nats.url })
  await use(await jetstreamManager(connection))
  await connection.close()
}

it('tells a cloud that holds all of a real node once from one that lost, doubled or altered something', async () => {
  home.configure({ 'upstream.nats.servers': [nats.url], 'filter.aggregateCount': 2 })
  const { inferUrl, liveUrl } = await home.serve({ program: SOURCE })
  await postPicture(inferUrl, samplePicture(7))
  for (let n = 0; n < 3; n += 1) {
    await postPicture(inferUrl, Buffer.from(`no picture ${n}`))
    await eventually(async () => (await nats.messages('edge.plant.n1.results')).length === n + 1, {
      what: 'it goes up',
    })
  }
  const sound = await compare(liveUrl)
  expect({ outcome: sound.outcome, stderr: sound.stderr }).toEqual({ outcome: 'sound', stderr: '' })
  expect(sound.rows.get('abnormal')).toMatchObject({ onNode: 3, inCloud: 3 })

  const [first, second] = await nats.messages('edge.plant.n1.results')
  await edit((manager) => manager.streams.deleteMessage('EDGE', second?.seq ?? 0))
  const lost = await compare(liveUrl)
  expect(lost.outcome).toBe('faulty')
  expect(lost.rows.get('abnormal')?.missing).toHaveLength(1)

  // Without the guards that keep the node itself from doing so.
  const names = [...(first?.header.keys() ?? [])].filter((name) => !name.startsWith('Nats-'))
  const headers = Object.fromEntries(names.map((name) => [name, first?.header.get(name) ?? '']))
  await publishBlocks(nats, { subject: 'edge.plant.n1.results', headers, body: Buffer.from(first?.data ?? []) })
  expect((await compare(liveUrl)).rows.get('abnormal')?.twice).toHaveLength(1)
  await publishBlocks(nats, { subject: 'edge.plant.n1.results', headers: {}, body: Buffer.from('junk') })
  expect((await compare(liveUrl)).stderr).toMatch(/^edgedeck: east holds 1 messages that are no blocks \(message \d+: /)
})

it('looks at the cloud alone when the node is dead, and knows no better when a region is', async () => {
  await publishBlocks(nats, cloudBlock([cloudRecord(1)], { prevSeq: 0 }))
  const wide = { fromMs: 0, toMs: 9e15, timeoutMs: 60_000 }
  const alone = await compare('ws://127.0.0.1:1/live', wide)
  expect(alone).toMatchObject({ outcome: 'unanswered', stderr: expect.stringContaining('n1: connection refused') })
  expect(alone.rows.get('abnormal')).toMatchObject({ onNode: null, inCloud: 1 })
  const west = { name: 'west', servers: ['nats://127.0.0.1:1'], stream: 'EDGE' }
  const blind = await compare('ws://127.0.0.1:1/live', { ...wide, node: null, clouds: [west] })
  expect(blind).toMatchObject({ outcome: 'unanswered', stderr: expect.stringContaining('CLOUD_UNREACHABLE: west') })
})
