import { afterEach, expect, test } from 'vitest'
import { eventually } from '../../support/edge-daemon.ts'
import { LiveNode, logBody, statusBody, TestConsole } from '../../support/live-node.ts'

const open: { stop(): Promise<void> }[] = []

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.stop()
})

async function start(options: ConstructorParameters<typeof LiveNode>[0] = {}): Promise<LiveNode> {
  const node = await new LiveNode(options).start()
  open.push(node.server)
  return node
}

const EVER = { fromMs: 0, toMs: 9e15 }

test('sends only lines that pass the filter of a subscription, with its backlog', async () => {
  const node = await start()
  node.keep('logs', logBody('uplink lost', 'error'))
  node.keep('logs', logBody('uplink back', 'info'))
  const console = await TestConsole.open(node.url)
  const filter = { level: 'warn', pattern: 'UPLINK', ignoreCase: true } as const
  console.send({ t: 'subscribe', id: 's', topic: 'logs', credits: 100, backlog: 10, filter })
  await console.until(() => console.rows('s').length === 1)
  node.publish('logs', logBody('uplink slow', 'warn'))
  node.publish('logs', logBody('disk slow', 'warn'))
  node.publish('logs', logBody('uplink fine', 'debug'))
  node.publish('logs', logBody('uplink gone', 'fatal'))
  await console.until(() => console.rows('s').length === 3)
  expect(console.rows('s').map(({ seq }) => seq)).toEqual([1, 3, 6])
})

test('reads what passes a filter, newest first, and goes on before the last', async () => {
  const node = await start()
  for (let i = 0; i < 2000; i += 1) node.keep('logs', logBody(i % 100 === 0 ? `rare ${i}` : 'dull'))
  const console = await TestConsole.open(node.url)
  const read = { t: 'read', topic: 'logs', ...EVER, limit: 3, newestFirst: true, filter: { pattern: '^rare' } } as const
  console.send({ ...read, id: 'a' })
  await console.until(() => console.of('end').length === 1)
  expect(console.rows('a').map(({ seq }) => seq)).toEqual([1901, 1801, 1701])
  expect(console.of('end')).toMatchObject([{ truncated: true, lastSeq: 1701 }])
  console.send({ ...read, id: 'b', limit: 1000, beforeSeq: 1701, afterSeq: 1300 })
  await console.until(() => console.of('end').length === 2)
  expect(console.rows('b').map(({ seq }) => seq)).toEqual([1601, 1501, 1401, 1301])
  expect(console.of('end').at(-1)).toMatchObject({ truncated: false })
})

test('counts kept lines by step of time and level', async () => {
  const node = await start()
  for (let i = 0; i < 2500; i += 1) node.keep('logs', logBody('m', i % 10 === 0 ? 'error' : 'info'))
  const console = await TestConsole.open(node.url)
  console.send({ t: 'tally', id: 'h', fromMs: 1_000_001, toMs: 1_002_500, stepMs: 1000 })
  console.send({ t: 'tally', id: 'e', fromMs: 1_000_001, toMs: 1_002_500, stepMs: 1000, filter: { level: 'error' } })
  await console.until(() => console.of('tallied').length === 2)
  expect(console.of('tallied').find(({ id }) => id === 'h')).toMatchObject({
    stepMs: 1000,
    steps: [
      { startMs: 1_000_001, lines: [0, 900, 0, 100, 0] },
      { startMs: 1_001_001, lines: [0, 900, 0, 100, 0] },
      { startMs: 1_002_001, lines: [0, 450, 0, 50, 0] },
    ],
  })
  expect(console.of('tallied').find(({ id }) => id === 'e')?.steps[2]?.lines).toEqual([0, 0, 0, 50, 0])
})

test('says from when on a count is whole', async () => {
  const byClass = { log: { records: 1, bytes: 1, oldestAt: 1_000_900, maxBytes: null, maxAgeMs: null, evicted: 5 } }
  const body = statusBody()
  const node = await start({ snapshot: () => ({ ...body, store: { ...body.store, byClass } }) })
  const console = await TestConsole.open(node.url)
  console.send({ t: 'tally', id: 'h', fromMs: 1_000_001, toMs: 1_002_500, stepMs: 1000 })
  console.send({ t: 'tally', id: 'later', fromMs: 1_001_000, toMs: 1_002_500, stepMs: 1000 })
  await console.until(() => console.of('tallied').length === 2)
  const known = new Map(console.of('tallied').map(({ id, fromMs }) => [id, fromMs]))
  expect([known.get('h'), known.get('later')]).toEqual([1_000_900, 1_001_000])
})

test('refuses a pattern before anything is looked at, with the part that is wrong', async () => {
  const node = await start()
  let reads = 0
  const read = node.read.bind(node)
  node.read = (request) => {
    reads += 1
    return read(request)
  }
  const console = await TestConsole.open(node.url)
  const filter = { pattern: 'a(?=b)' }
  console.send({ t: 'subscribe', id: 's', topic: 'logs', credits: 1, backlog: 5, filter })
  console.send({ t: 'read', id: 'r', topic: 'logs', ...EVER, limit: 1, filter })
  console.send({ t: 'tally', id: 't', ...EVER, toMs: 1000, stepMs: 1000, filter })
  await console.until(() => console.of('error').length === 3)
  expect(console.of('error').map(({ id, code }) => `${id} ${code}`)).toEqual([
    's PATTERN_INVALID',
    'r PATTERN_INVALID',
    't PATTERN_INVALID',
  ])
  expect(console.of('error')[0]?.msg).toContain('(?=')
  expect(reads).toBe(0)
})

test('tells of lines that it did not look at, for want of time, and of none twice', async () => {
  const node = await start()
  const console = await TestConsole.open(node.url)
  const filter = { pattern: 'a[^x]{200}[0-9]' }
  console.send({ t: 'subscribe', id: 's', topic: 'logs', credits: 1000, filter })
  console.send({ t: 'subscribe', id: 'all', topic: 'logs', credits: 1000 })
  console.send({ t: 'ping', n: 7, at: 1 })
  await console.until(() => console.of('pong').length === 1)
  for (let i = 0; i < 20; i += 1) node.publish('logs', logBody('ab'.repeat(10_000)))
  await console.until(() => console.rows('all').length === 20 && console.missed('s') === 20)
  expect(console.of('gap')).toMatchObject([
    { id: 's', missed: 20, reason: 'over_quota', fromMs: 1_000_001, toMs: 1_000_020 },
  ])
  expect(console.rows('s')).toEqual([])
})

test('ends a search at once when its reader leaves or wants it no more', async () => {
  const node = await start()
  node.search.beforePage = () => new Promise(() => undefined)
  const console = await TestConsole.open(node.url)
  const filter = { pattern: 'x' }
  console.send({ t: 'read', id: 'r', topic: 'logs', ...EVER, limit: 1, filter })
  console.send({ t: 'tally', id: 't', ...EVER, toMs: 1000, stepMs: 1000, filter })
  console.send({ t: 'subscribe', id: 's', topic: 'logs', credits: 1, backlog: 5, filter })
  console.send({ t: 'unsubscribe', id: 'r' })
  console.send({ t: 'ping', n: 7, at: 1 })
  await console.until(() => console.of('pong').length === 1)
  expect(node.search.begun).toHaveLength(3)
  expect(node.search.ended.length).toBeGreaterThanOrEqual(1)
  console.close()
  await eventually(() => node.search.ended.length >= 3)
})
