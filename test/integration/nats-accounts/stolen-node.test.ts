import type { NatsConnection } from 'nats'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { NatsWire } from '../../../edge-daemon/upstream/nats.ts'
import { RECORD_CLASSES, UPSTREAM_CLASSES } from '../../../protocol/subjects.ts'
import { type Bus, BusConnection } from '../../../tunnel/bus.ts'
import { ask, listen, publishFor } from '../../support/bus-attempts.ts'
import { accessOf, type NatsBus, natsBus } from '../../support/nats-bus.ts'

const API = '$JS.archive.API'
const SOON = { timeout: 60_000, interval: 20 }
const SITE = { kind: 'node', site: 'plant' } as const
/** What somebody has whose name the bus writes with every kind of escape. */
const STRANGE = { kind: 'node', site: 'Plant.A', node: '中文 N=1*>' } as const
const STRANGE_HEAD = 'edge.Plant=2EA.=E4=B8=AD=E6=96=87=20N=3D1=2A=3E'

let bus: NatsBus
let stolen: NatsConnection

beforeAll(async () => {
  bus = await natsBus()
  stolen = await bus.connect(await bus.member({ ...SITE, node: 'n1' }))
  const victim = await bus.connect(await bus.member({ ...SITE, node: 'n2' }))
  for (const tail of ['results', 'audit']) await ask(victim, `edge.plant.n2.${tail}`, { body: 'secret' })
  await victim.close()
})

afterAll(async () => {
  await stolen?.close()
  await bus?.[Symbol.asyncDispose]()
})

/** Messages by subject in both streams. */
async function held(): Promise<Record<string, number>> {
  const found = await bus.operate(({ streams }) =>
    Promise.all(['EDGE', 'AUDIT'].map((name) => streams.info(name, { subjects_filter: '>' }))),
  )
  return Object.assign({}, ...found.map(({ state }) => state.subjects ?? {})) as Record<string, number>
}

test('the node writes its own subjects, reads its own last block back, and knows the stream', async () => {
  expect(await ask(stolen, 'edge.plant.n1.results', { body: 'mine' })).toMatchObject({
    text: expect.stringContaining('"stream":"EDGE"'),
  })
  expect(await ask(stolen, `${API}.DIRECT.GET.EDGE.edge.plant.n1.results`)).toMatchObject({ text: 'mine' })
  expect(await ask(stolen, 'edge.plant.n1.audit', { body: 'mine' })).toMatchObject({
    text: expect.stringContaining('"stream":"AUDIT"'),
  })
  expect(await ask(stolen, `${API}.DIRECT.GET.AUDIT.edge.plant.n1.audit`)).toMatchObject({ text: 'mine' })
  expect(await ask(stolen, `${API}.STREAM.INFO.EDGE`)).toMatchObject({ text: expect.stringContaining('"created"') })
})

test('names with dots, upper case, wildcards and characters of every script are the node and nobody else', async () => {
  await using strange = await closing(bus.connect(await bus.member(STRANGE)))
  expect(await ask(strange.connection, `${STRANGE_HEAD}.results`, { body: 'x' })).toMatchObject({ status: 0 })
  expect(await ask(strange.connection, `${API}.DIRECT.GET.EDGE.${STRANGE_HEAD}.results`)).toMatchObject({ text: 'x' })
  expect(await listen(strange.connection, `${STRANGE_HEAD}.rpc`)).toBe('allowed')
  for (const other of [
    STRANGE_HEAD.toLowerCase(),
    STRANGE_HEAD.toUpperCase().replace('EDGE', 'edge'),
    'edge.Plant=2EA.x',
    'edge.*.*',
  ]) {
    if (other !== STRANGE_HEAD)
      expect([other, await listen(strange.connection, `${other}.rpc`)]).toEqual([other, 'refused'])
  }
  expect(await ask(strange.connection, `${STRANGE_HEAD.toLowerCase()}.results`)).toBe('refused')
})

const TAILS = [
  ...UPSTREAM_CLASSES.map(
    (name) => ({ alert: 'alerts', stat: 'stats', metric: 'metrics', error: 'logs.error' })[name as string] ?? name,
  ),
  'results',
  'status',
  'rpc',
  'rpc.in.s',
  'rpc.out.mia.s',
  ...RECORD_CLASSES.map((name) => `resend.${name}`),
  'mark.abnormal.e1',
]

test.each([
  ...TAILS.map((tail) => `edge.plant.n2.${tail}`),
  ...TAILS.map((tail) => `edge.other.n1.${tail}`),
  'edge.plant.n1.rpc',
  'edge.plant.n1.rpc.in.s',
  'edge.plant.n1.mark.abnormal.e1',
  'edge.plant.n1.logs.anything',
  'edge.plant.n11.results',
  'edge.plant.N1.results',
  'edge.plant.n1',
  'audit.operator.mia',
  '_INBOX.node.plant.n2.x.1',
  '_INBOX.operator.mia.x',
  '$JS.ACK.EDGE.c.1.1.1.1.1',
  '$SYS.REQ.SERVER.PING',
  '$SYS.REQ.CLAIMS.UPDATE',
  ...['$JS.API', API].flatMap((api) => [
    `${api}.INFO`,
    ...['EDGE', 'AUDIT'].flatMap((stream) => [
      `${api}.STREAM.MSG.GET.${stream}`,
      `${api}.STREAM.MSG.DELETE.${stream}`,
      `${api}.STREAM.PURGE.${stream}`,
      `${api}.STREAM.DELETE.${stream}`,
      `${api}.STREAM.UPDATE.${stream}`,
      `${api}.STREAM.SNAPSHOT.${stream}`,
      `${api}.STREAM.LEADER.STEPDOWN.${stream}`,
      `${api}.DIRECT.GET.${stream}`,
      `${api}.DIRECT.GET.${stream}.edge.plant.n2.results`,
      `${api}.DIRECT.GET.${stream}.edge.plant.>`,
      `${api}.CONSUMER.CREATE.${stream}`,
      `${api}.CONSUMER.CREATE.${stream}.c.edge.plant.n1.results`,
      `${api}.CONSUMER.DURABLE.CREATE.${stream}.c`,
      `${api}.CONSUMER.LIST.${stream}`,
      `${api}.CONSUMER.MSG.NEXT.${stream}.c`,
    ]),
    // A stream of one's own could be a mirror of all.
    `${api}.STREAM.CREATE.MINE`,
    `${api}.STREAM.NAMES`,
    `${api}.STREAM.LIST`,
    `${api}.STREAM.RESTORE.MINE`,
  ]),
])('a stolen node cannot send on %s', async (subject) => {
  expect(await ask(stolen, subject, { body: '{}' })).toBe('refused')
})

test.each([
  '>',
  'edge.>',
  'edge.plant.n1.>',
  'edge.plant.*.rpc',
  'edge.plant.n2.rpc',
  'edge.plant.n2.rpc.in.>',
  'edge.plant.n2.rpc.out.>',
  'edge.plant.n2.results',
  'edge.*.*.status',
  'audit.>',
  '_INBOX.>',
  '_INBOX.node.>',
  '_INBOX.node.plant.>',
  '_INBOX.node.plant.n2.>',
  '_INBOX.operator.>',
  '_INBOX.plant.n1.>',
  '_R_.>',
  '$JS.>',
  '$SYS.>',
])('a stolen node cannot listen on %s', async (subject) => {
  expect(await listen(stolen, subject)).toBe('refused')
})

test('a request with a body of its own reads nothing else through the subject that is its own', async () => {
  for (const body of [
    '{"seq":1}',
    '{"next_by_subj":"edge.plant.n2.results","seq":1}',
    '{"multi_last":["edge.>"]}',
    '{"last_by_subj":"edge.plant.n2.results"}',
  ]) {
    const outcome = await ask(stolen, `${API}.DIRECT.GET.EDGE.edge.plant.n1.results`, { body })
    expect(outcome).toMatchObject({ status: 408, text: '' })
  }
})

test('no header of a message erases what is there, or lets it come later or elsewhere', async () => {
  const before = await held()
  for (const tail of ['results', 'audit']) {
    for (const headers of [
      { 'Nats-Rollup': 'all' },
      { 'Nats-Rollup': 'sub' },
      { 'Nats-TTL': '1s' },
      { 'Nats-TTL': 'never' },
      { 'Nats-Schedule': '@every 1s', 'Nats-Schedule-Target': 'edge.plant.n2.results' },
      { 'Nats-Incr': '1' },
      { 'Nats-Batch-Id': 'b', 'Nats-Batch-Sequence': '1', 'Nats-Batch-Commit': '1' },
    ]) {
      const outcome = await ask(stolen, `edge.plant.n1.${tail}`, { headers, body: 'x' })
      expect([headers, outcome]).toEqual([
        headers,
        expect.objectContaining({ text: expect.stringContaining('"error"') }),
      ])
    }
  }
  expect(await held()).toEqual(before)
})

test('answers that it asks for in the name of others are stored nowhere, and taken by nobody', async () => {
  const heard: string[] = []
  const operator = await bus.member({ kind: 'operator', name: 'mia', role: 'admin', sites: '*' })
  const up = Promise.withResolvers<Bus>()
  const console_ = new BusConnection({
    open: () => bus.connect(operator),
    waitMs: () => 10_000,
    onUp: (opened) => {
      opened.subscribe('edge.*.*.status', ({ subject, data }) => heard.push(`${subject} ${Buffer.from(data)}`))
      up.resolve(opened)
      return () => {}
    },
  })
  console_.start()
  await up.promise
  const before = await held()
  // What is stored here in plain words comes back in the answer: its sender chooses what the answer says.
  await ask(stolen, 'edge.plant.n1.results', { body: '{"forged":true}' })
  for (const tail of ['results', 'audit', 'status', 'ledger', 'resend.abnormal']) {
    for (const [subject, body] of [
      ['edge.plant.n1.stats', 'x'],
      [`${API}.DIRECT.GET.EDGE.edge.plant.n1.results`, ''],
      [`${API}.STREAM.INFO.EDGE`, ''],
    ] as const) {
      await publishFor(stolen, subject, `edge.plant.n2.${tail}`, { body })
      await publishFor(stolen, subject, `audit.operator.mia`, { body })
    }
  }
  await publishFor(stolen, 'edge.plant.n1.status', 'edge.plant.n3.results', { body: 'last' })
  await vi.waitFor(() => expect(heard).toContain('edge.plant.n1.status last'), SOON)
  expect(heard.filter((line) => line.includes('forged'))).toEqual([])
  const after = await held()
  const { 'edge.plant.n1.results': _mine, 'edge.plant.n1.stats': _too, ...others } = after
  const { 'edge.plant.n1.results': _was, 'edge.plant.n1.stats': _had, ...beforeOthers } = before
  expect(others).toEqual(beforeOthers)
  await console_.stop()
})

test('an acknowledgement cannot be forged for another node: it waits where only its own answers come, below 128 random bits', async () => {
  const self = await bus.member({ ...SITE, node: 'n2' })
  await using watch = await closing(bus.connect(self))
  const inboxes: string[] = []
  watch.connection.subscribe('_INBOX.node.plant.n2.>', {
    callback: (_error, { subject }) => {
      inboxes.push(subject)
    },
  })
  await watch.connection.flush()
  const wire = new NatsWire({
    servers: [bus.url],
    ackTimeoutMs: 30_000,
    clientName: 'n2',
    access: () => accessOf(bus, self),
  })
  wire.start(() => {})
  await vi.waitFor(() => expect(wire.state).toBe('up'), SOON)
  const asked = { subject: 'edge.plant.n2.results', recordClass: 'abnormal', epoch: 'e1', position: 0 } as const
  expect(await wire.holding(asked)).toMatchObject({ outcome: 'nothing' })
  const [, random = ''] = /^_INBOX\.node\.plant\.n2\.([\w-]{22})\.\d+$/.exec(inboxes[0] ?? '') ?? []
  expect(Buffer.from(random, 'base64url')).toHaveLength(16)
  expect(await ask(stolen, `_INBOX.node.plant.n2.${random}.4`)).toBe('refused')
  await wire.stop()
})

async function closing(opening: Promise<NatsConnection>) {
  const connection = await opening
  return { connection, [Symbol.asyncDispose]: () => connection.close() }
}
