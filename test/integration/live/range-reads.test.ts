import { afterEach, expect, test } from 'vitest'
import { LiveNode, logBody, resultBody, statusBody, TestConsole } from '../../support/live-node.ts'

const open: { stop(): Promise<void> }[] = []

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.stop()
})

async function start(): Promise<LiveNode> {
  const node = await new LiveNode().start()
  open.push(node.server)
  return node
}

const EVER = { fromMs: 0, toMs: 9e15 }

/** Frames that were taken after a probe has come back: whatever the node was about to send has been sent. */
async function settled(console: TestConsole, n: number): Promise<void> {
  console.send({ t: 'ping', n, at: 1 })
  await console.until(() => console.of('pong').some((pong) => pong.n === n))
}

test('sends a frame of rows for each credit and waits for the next one', async () => {
  const node = await start()
  for (let i = 0; i < 1000; i += 1) node.keep('results', { ...resultBody(), msg: 'x'.repeat(900) })
  let pages = 0
  const read = node.read.bind(node)
  node.read = (request) => {
    pages += 1
    return read(request)
  }
  const console = await TestConsole.open(node.url)
  console.send({ t: 'read', id: 'r', topic: 'results', ...EVER, limit: 10_000, credits: 2 })
  await console.until(() => console.of('rows').length === 2)
  await settled(console, 1)
  expect(console.of('rows').length).toBe(2)
  expect(pages).toBeLessThanOrEqual(2)
  console.send({ t: 'credit', id: 'r', n: 1 })
  await console.until(() => console.of('rows').length === 3)
  await settled(console, 2)
  expect(console.of('rows').length).toBe(3)
  console.send({ t: 'credit', id: 'r', n: 10_000 })
  await console.until(() => console.of('end').length === 1)
  expect(console.rows('r').map(({ seq }) => seq)).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1))
  expect(console.of('end')).toMatchObject([{ id: 'r', truncated: false, lastSeq: 1000 }])
})

test('reads on where a limit cut, for every topic, without a row twice', async () => {
  const node = await start()
  const sample = { instance: 'i1', window_ms: 1000, status: statusBody() }
  const ledger = { event: 'evicted', reason: 'x', first_seq: 1, last_seq: 2, records: {}, bytes: 1, msg: 'm' }
  const alert = { rule: 'r', state: 'firing', severity: 'info', value: 1, threshold: 1, unit: '', since: 1, msg: 'm' }
  const bodies = { results: resultBody(), logs: logBody('m'), alerts: alert, status: sample, ledger } as const
  const topics = ['results', 'logs', 'alerts', 'status', 'ledger'] as const
  for (let i = 0; i < 30; i += 1) for (const topic of topics) node.keep(topic, bodies[topic])
  const console = await TestConsole.open(node.url)
  for (const topic of topics) {
    for (let afterSeq: number | null = 0, turn = 0; afterSeq !== null; turn += 1) {
      const id = `${topic}-${turn}`
      console.send({ t: 'read', id, topic, ...EVER, limit: 7, afterSeq, credits: 100 })
      await console.until(() => console.of('end').some((end) => end.id === id))
      const end = console.of('end').find((frame) => frame.id === id)
      afterSeq = end?.truncated === true ? (end.lastSeq ?? null) : null
    }
    const seqs = console.of('rows').flatMap((rows) => (rows.topic === topic ? rows.rows.map(({ seq }) => seq) : []))
    expect(seqs).toEqual(node.kept.get(topic)?.map(({ seq }) => seq))
  }
})

test('ends a read that waits for credit when nobody wants it any more, and its id is free again', async () => {
  const node = await start()
  for (let i = 0; i < 1000; i += 1) node.keep('results', { ...resultBody(), msg: 'x'.repeat(900) })
  const console = await TestConsole.open(node.url)
  console.send({ t: 'read', id: 'r', topic: 'results', ...EVER, limit: 10_000, credits: 1 })
  await console.until(() => console.of('rows').length === 1)
  console.send({ t: 'unsubscribe', id: 'r' })
  await console.until(() => console.of('end').length === 1)
  expect(console.of('end')).toMatchObject([{ id: 'r', truncated: true, lastSeq: console.rows('r').at(-1)?.seq }])
  console.send({ t: 'read', id: 'r', topic: 'results', ...EVER, limit: 1 })
  await console.until(() => console.of('end').length === 2)
})

test('lets reads that wait stand beside commands and subscriptions, and bounds how many there are', async () => {
  const node = await start()
  for (let i = 0; i < 200; i += 1) node.keep('results', { ...resultBody(), msg: 'x'.repeat(900) })
  const console = await TestConsole.open(node.url)
  for (let i = 0; i < 9; i += 1) {
    console.send({ t: 'read', id: `r${i}`, topic: 'results', ...EVER, limit: 10_000, credits: 1 })
  }
  await console.until(() => console.of('rows').length === 8 && console.of('error').length === 1)
  expect(console.of('error')).toMatchObject([{ id: 'r8', code: 'OVERLOADED' }])
  console.send({ t: 'command', id: 'c', verb: 'fault.slow', args: { ms: 1 } })
  console.send({ t: 'subscribe', id: 's', topic: 'logs', credits: 9, backlog: 5 })
  node.publish('logs', logBody('still here'))
  await console.until(() => console.of('done').length === 1 && console.rows('s').length === 1)
})

test('holds one page for a reader without credit, and the others read on', { timeout: 240_000 }, async () => {
  const node = await start()
  for (let i = 0; i < 20_000; i += 1) node.keep('results', { ...resultBody(), msg: 'x'.repeat(900) })
  let pages = 0
  const read = node.read.bind(node)
  node.read = async (request) => {
    pages += 1
    const page = await read(request)
    let bytes = 0
    return page.filter(({ line }, index) => {
      bytes += line.length
      return index === 0 || bytes <= request.maxBytes
    })
  }
  const [slow, quick] = [await TestConsole.open(node.url), await TestConsole.open(node.url)]
  for (let i = 0; i < 8; i += 1) {
    slow.send({ t: 'read', id: `s${i}`, topic: 'results', ...EVER, limit: 10_000, credits: 1 })
  }
  await slow.until(() => slow.of('rows').length === 8)
  expect(pages).toBe(8)
  quick.send({ t: 'read', id: 'q', topic: 'results', ...EVER, limit: 10_000, credits: 10_000 })
  await quick.until(() => quick.of('end').length === 1)
  expect(quick.rows('q').length).toBe(10_000)
  expect(slow.of('rows').length).toBe(8)
})

test('tells of a row that no frame can hold, and reads on behind it', async () => {
  const node = await start()
  node.keep('logs', logBody('before'))
  node.keep('logs', logBody('x'.repeat(300_000)))
  node.keep('logs', logBody('behind'))
  const console = await TestConsole.open(node.url)
  console.send({ t: 'read', id: 'r', topic: 'logs', ...EVER, limit: 3, credits: 5 })
  await console.until(() => console.of('end').length === 1)
  expect(console.rows('r').map(({ seq }) => seq)).toEqual([1, 3])
  expect(console.of('gap')).toMatchObject([{ id: 'r', missed: 1, reason: 'too_large' }])
  expect(console.of('end')).toMatchObject([{ truncated: false, lastSeq: 3 }])
})

test('sends a picture in pieces that decode one by one, a credit each', async () => {
  const node = await start()
  const bytes = Buffer.from(Array.from({ length: 400_001 }, (_, index) => (index * 31) % 256))
  node.pictures.set(41, { contentType: 'image/png', sizeBytes: bytes.length, base64: bytes.toString('base64') })
  const console = await TestConsole.open(node.url)
  console.send({ t: 'fetch', id: 'p', seq: 41, credits: 2 })
  await console.until(() => console.of('picture').length === 2)
  await settled(console, 1)
  expect(console.of('picture').length).toBe(2)
  console.send({ t: 'credit', id: 'p', n: 1000 })
  await console.until(() => console.of('picture').at(-1)?.last === true)
  const got = Buffer.alloc(bytes.length)
  for (const { offset, data } of console.of('picture')) got.set(Buffer.from(data, 'base64'), offset)
  expect(got.equals(bytes)).toBe(true)
  expect(console.of('picture').filter(({ last }) => last).length).toBe(1)
})

test('says that a picture is not kept, and what to do', async () => {
  const node = await start()
  const console = await TestConsole.open(node.url)
  console.send({ t: 'fetch', id: 'p', seq: 7 })
  await console.until(() => console.of('error').length === 1)
  expect(console.of('error')).toMatchObject([{ id: 'p', code: 'PICTURE_NOT_KEPT', next: ['ask for another'] }])
})
