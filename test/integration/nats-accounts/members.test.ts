import type { NatsConnection } from 'nats'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { BusUser } from '../../../protocol/bus-users.ts'
import { revokeUsers } from '../../../src/nats-accounts/set-up.ts'
import { ask, listen, publishFor } from '../../support/bus-attempts.ts'
import { type BusMember, type NatsBus, natsBus } from '../../support/nats-bus.ts'

const API = '$JS.archive.API'
const MIA: BusUser = { kind: 'operator', name: 'mia', role: 'operator', sites: ['plant', 'Werk.Süd'] }
const VIC: BusUser = { kind: 'operator', name: 'vic', role: 'viewer', sites: ['plant'] }
const ADA: BusUser = { kind: 'operator', name: 'ada', role: 'admin', sites: '*' }
const SOON = { timeout: 60_000, interval: 50 }

let bus: NatsBus
const open: Record<string, NatsConnection> = {}

beforeAll(async () => {
  bus = await natsBus()
  const users: readonly BusUser[] = [
    MIA,
    VIC,
    ADA,
    { kind: 'controller', name: 'eu' },
    { kind: 'reader', name: 'bi' },
    { kind: 'node', site: 'plant', node: 'n1' },
  ]
  for (const user of users) open['name' in user ? user.name : user.node] = await bus.connect(await bus.member(user))
  for (const tail of ['results', 'audit']) await ask(as('n1'), `edge.plant.n1.${tail}`, { body: 'kept' })
})

afterAll(async () => {
  for (const connection of Object.values(open)) await connection.close()
  await bus?.[Symbol.asyncDispose]()
})

function as(name: string): NatsConnection {
  const connection = open[name]
  if (connection === undefined) throw new Error(`nobody is called ${name}`)
  return connection
}

function consumerOf(stream: string, filter: string, more: object = {}) {
  const config = { name: 'c', filter_subject: filter, deliver_policy: 'all', ack_policy: 'none', ...more }
  return { body: JSON.stringify({ stream_name: stream, config }) }
}

test('who asks a node is heard at its own sites, and nobody else answers', async () => {
  const heard: string[] = []
  as('n1').subscribe('edge.plant.n1.rpc', {
    callback: (_error, message) => {
      heard.push(message.reply ?? '')
      message.respond('open')
    },
  })
  await as('n1').flush()
  for (const who of ['mia', 'vic', 'ada', 'eu']) {
    expect([who, await ask(as(who), 'edge.plant.n1.rpc')]).toEqual([who, expect.objectContaining({ text: 'open' })])
  }
  expect(heard.map((reply) => reply.split('.').slice(0, 3).join('.'))).toEqual([
    '_INBOX.operator.mia',
    '_INBOX.operator.vic',
    '_INBOX.operator.ada',
    '_INBOX.controller.eu',
  ])
  expect(await listen(as('mia'), 'edge.Werk=2ES=C3=BCd.*.status')).toBe('allowed')
  expect(await listen(as('mia'), 'edge.plant.*.rpc.out.mia.>')).toBe('allowed')
  expect(await listen(as('ada'), 'edge.*.*.status')).toBe('allowed')
})

test.each([
  'edge.other.n1.rpc',
  'edge.other.n1.rpc.in.s',
  'edge.werk=2ES=C3=BCd.n1.rpc',
  ...[
    'results',
    'stats',
    'alerts',
    'ledger',
    'metrics',
    'logs.error',
    'audit',
    'status',
    'rpc.out.mia.s',
    'resend.normal',
  ].map((tail) => `edge.plant.n1.${tail}`),
  'audit.operator.vic',
  '_INBOX.operator.vic.x',
  '$SYS.REQ.CLAIMS.UPDATE',
  ...['EDGE', 'AUDIT'].flatMap((stream) =>
    [
      'STREAM.MSG.GET',
      'STREAM.MSG.DELETE',
      'STREAM.PURGE',
      'STREAM.DELETE',
      'STREAM.UPDATE',
      'DIRECT.GET',
      'CONSUMER.CREATE',
    ].map((call) => `${API}.${call}.${stream}`),
  ),
  `${API}.STREAM.CREATE.MINE`,
  `${API}.CONSUMER.CREATE.EDGE.c.edge.other.n1.results`,
  `${API}.CONSUMER.CREATE.EDGE.c.edge.*.n1.results`,
  `${API}.CONSUMER.CREATE.EDGE.c.>`,
  `${API}.CONSUMER.CREATE.AUDIT.c.edge.other.n1.audit`,
])('an operator of some sites cannot send on %s', async (subject) => {
  expect(await ask(as('mia'), subject, { body: '{}' })).toBe('refused')
})

test.each([
  '>',
  'edge.>',
  'edge.plant.*.results',
  'edge.other.*.status',
  'edge.plant.*.rpc',
  'edge.plant.*.rpc.in.>',
  'edge.plant.*.rpc.out.vic.>',
  '_INBOX.>',
  '_INBOX.operator.vic.>',
  '_INBOX.node.>',
  'audit.>',
])('an operator of some sites cannot listen on %s', async (subject) => {
  expect(await listen(as('mia'), subject)).toBe('refused')
})

test('records are read at own sites, who did what by operators and admins only, and a filter is what the subject says', async () => {
  const call = (stream: string, filter: string): string => `${API}.CONSUMER.CREATE.${stream}.c.${filter}`
  const results = call('EDGE', 'edge.plant.n1.results')
  for (const who of ['mia', 'vic', 'ada', 'eu', 'bi']) {
    const made = await ask(as(who), results, consumerOf('EDGE', 'edge.plant.n1.results'))
    expect([who, made]).toEqual([who, expect.objectContaining({ text: expect.stringContaining('"created"') })])
    expect(await ask(as(who), `${API}.CONSUMER.DELETE.EDGE.c`)).toMatchObject({ text: expect.stringContaining('true') })
  }
  const otherwise = await ask(as('mia'), results, consumerOf('EDGE', 'edge.other.n1.results'))
  expect(otherwise).toMatchObject({ text: expect.stringContaining('did not match filtered subject') })
  const audit = call('AUDIT', 'edge.plant.n1.audit')
  expect(await ask(as('vic'), audit, consumerOf('AUDIT', 'edge.plant.n1.audit'))).toBe('refused')
  expect(await ask(as('mia'), audit, consumerOf('AUDIT', 'edge.plant.n1.audit'))).toMatchObject({ status: 0 })
})

test('what an operator writes of itself is in the audit behind what it wrote before, and nobody takes it out', async () => {
  expect(await ask(as('mia'), 'audit.operator.mia', { body: 'did' })).toMatchObject({
    text: expect.stringContaining('AUDIT'),
  })
  expect(await ask(as('mia'), `${API}.DIRECT.GET.AUDIT.audit.operator.mia`)).toMatchObject({ text: 'did' })
  expect(await ask(as('mia'), `${API}.DIRECT.GET.AUDIT.audit.operator.vic`)).toBe('refused')
  const rollup = await ask(as('mia'), 'audit.operator.mia', { headers: { 'Nats-Rollup': 'sub' } })
  expect(rollup).toMatchObject({ text: expect.stringContaining('rollup not permitted') })
  // Not even who keeps the streams deletes a record, short of the whole stream.
  await bus.operate(async ({ streams }) => {
    await expect(streams.deleteMessage('AUDIT', 1)).rejects.toThrow('message delete not permitted')
    await expect(streams.purge('AUDIT')).rejects.toThrow('stream purge not permitted')
  })
})

test('a consumer does not carry records to a subject of somebody else', async () => {
  const before = await bus.operate(({ streams }) => streams.info('AUDIT'))
  for (const target of ['edge.plant.n1.audit', 'audit.operator.vic', 'edge.plant.n1.results']) {
    await ask(
      as('ada'),
      `${API}.CONSUMER.CREATE.EDGE.p.edge.plant.n1.results`,
      consumerOf('EDGE', 'edge.plant.n1.results', { name: 'p', deliver_subject: target }),
    )
    await publishFor(as('n1'), 'edge.plant.n1.results', '_INBOX.node.plant.n1.x', { body: 'more' })
    await ask(as('ada'), `${API}.CONSUMER.DELETE.EDGE.p`)
  }
  const after = await bus.operate(({ streams }) => streams.info('AUDIT', { subjects_filter: '>' }))
  expect(after.state.last_seq).toBe(before.state.last_seq)
})

/** Resolves with why the server cut a connection. */
async function cut(connection: NatsConnection): Promise<string> {
  return String((await connection.closed()) ?? 'nothing')
}

/** In with credentials that live so long; on a busy machine they may be over before, and are asked for anew with a longer life. */
async function shortly(lifeMs: number): Promise<{ member: BusMember; connection: NatsConnection }> {
  const member = await bus.member(VIC, { expiresAtMs: Date.now() + lifeMs })
  try {
    return { member, connection: await bus.connect(member) }
  } catch (error) {
    if (lifeMs > 60_000) throw error
    return shortly(2 * lifeMs)
  }
}

test('whoever has expired is cut, and not let in again', async () => {
  const { member, connection } = await shortly(2000)
  expect(await cut(connection)).toMatch(/expired/i)
  // Claims end with the second that they name.
  await vi.waitFor(() => expect(bus.connect(member)).rejects.toThrow(/expired|authorization/i), SOON)
})

test('whoever is taken back is cut once the server reads its configuration again; later credentials of the key count', async () => {
  const member: BusMember = await bus.member(MIA)
  const [connection, other] = [await bus.connect(member), as('vic')]
  await revokeUsers(bus.dir, [member.key.publicKey], Date.now())
  bus.reload()
  expect(await cut(connection)).toMatch(/revo|authorization|closed/i)
  await expect(bus.connect(member)).rejects.toThrow(/revo|authorization/i)
  expect(other.isClosed()).toBe(false)
  // Claims are dated by the second: those of the one of the revocation count no more.
  await vi.waitFor(async () => (await bus.connect(await bus.member(MIA, { key: member.key }))).close(), SOON)
})
