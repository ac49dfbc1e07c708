import { afterEach, expect, test } from 'vitest'
import type { LiveServerOptions } from '../../../edge-daemon/live/live-server.ts'
import { LiveNode, logBody, resultBody, TestConsole } from '../../support/live-node.ts'

const open: { stop(): Promise<void> }[] = []

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.stop()
})

async function start(options: Partial<LiveServerOptions> = {}): Promise<LiveNode> {
  const node = await new LiveNode(options).start()
  open.push(node.server)
  return node
}

test('welcomes a console and sends numbered status frames whose windows add up to what was counted', async () => {
  const node = await start()
  const console = await TestConsole.open(node.url)
  expect(console.of('welcome')[0]).toMatchObject({ v: 1, node: { name: 'n1', site: 's1' }, intervalMs: 200 })
  expect(node.snapshots).toBe(0)
  for (let i = 0; i < 5; i += 1) node.total.record(3)
  console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10 })
  await console.until(() => console.of('status').length >= 1)
  expect(console.of('status')[0]?.inference).toMatchObject({ windowMs: 0, latency: { total: { count: 0 } } })
  for (let i = 0; i < 7; i += 1) node.total.record(5)
  await console.until(() => console.of('status').length >= 2)
  for (let i = 0; i < 4; i += 1) node.total.record(5)
  await console.until(() => console.of('status').length >= 5)
  const frames = console.of('status')
  expect(frames.map(({ n }) => n - (frames[0]?.n ?? 0))).toEqual(frames.map((_, index) => index))
  expect(frames.reduce((sum, { inference }) => sum + inference.latency.total.count, 0)).toBe(11)
  console.send({ t: 'unsubscribe', id: 's' })
  console.send({ t: 'ping', n: 1, at: 1 })
  await console.until(() => console.of('pong').length === 1)
  const taken = node.snapshots
  const ending = performance.now()
  await console.until(() => performance.now() > ending + 600)
  expect(node.snapshots).toBe(taken)
})

test('keeps status frames on the interval without drifting', async () => {
  const node = await start()
  const console = await TestConsole.open(node.url)
  // To the node each frame seems to take half an interval: what waits an interval after each is late by as much each time.
  console.socket.on('message', (data) => {
    if (data.toString().startsWith('{"t":"status"')) node.monotonicShiftMs += 100
  })
  console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 100 })
  await console.until(() => console.of('status').length > 20)
  const windowsMs = console.of('status').map(({ inference }) => inference.windowMs)
  // A busy machine holds single frames up, or leaves some out; what drifts is late with all of them.
  expect(Math.min(...windowsMs.slice(3))).toBeLessThan(250)
})

test('merges status frames while there is no credit, and the window grows over them', async () => {
  const node = await start()
  const [poor, rich] = [await TestConsole.open(node.url), await TestConsole.open(node.url)]
  poor.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1 })
  rich.send({ t: 'subscribe', id: 's', topic: 'status', credits: 100 })
  await poor.until(() => poor.of('status').length === 1)
  await rich.until(() => rich.of('status').length >= 1)
  for (let i = 0; i < 9; i += 1) node.total.record(5)
  const seen = rich.of('status').length
  await rich.until(() => rich.of('status').length >= seen + 3)
  expect(poor.of('status').length).toBe(1)
  poor.send({ t: 'credit', id: 's', n: 1 })
  await poor.until(() => poor.of('status').length === 2)
  const [first, second] = poor.of('status')
  expect((second?.n ?? 0) - (first?.n ?? 0)).toBeGreaterThanOrEqual(3)
  expect(second?.inference.latency.total.count).toBe(9)
  expect(second?.inference.windowMs).toBeGreaterThanOrEqual(500)
})

test('sends rows for credits, counts what comes without, and tells the gap before newer rows', async () => {
  const node = await start()
  const console = await TestConsole.open(node.url)
  console.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 1 })
  console.send({ t: 'ping', n: 1, at: 1 })
  await console.until(() => console.of('pong').length === 1)
  for (let i = 0; i < 10; i += 1) node.publish('logs', logBody(`a${i}`))
  await console.until(() => console.rows('l').length === 10)
  for (let i = 0; i < 7; i += 1) node.publish('logs', logBody(`b${i}`))
  console.send({ t: 'credit', id: 'l', n: 5 })
  await console.until(() => console.missed('l') === 7)
  node.publish('logs', logBody('c'))
  await console.until(() => console.rows('l').length === 11)
  expect(console.of('gap')).toMatchObject([{ missed: 7, reason: 'no_credit', fromMs: 1_000_011, toMs: 1_000_017 }])
  const order = console.frames.filter(({ t }) => t === 'rows' || t === 'gap').map(({ t }) => t)
  expect(order).toEqual(['rows', 'gap', 'rows'])
})

test('filters by level, text and abnormality', async () => {
  const node = await start()
  const console = await TestConsole.open(node.url)
  console.send({ t: 'subscribe', id: 'warn', topic: 'logs', credits: 9, level: 'warn' })
  console.send({ t: 'subscribe', id: 'text', topic: 'logs', credits: 9, contains: 'UPLINK' })
  console.send({ t: 'subscribe', id: 'odd', topic: 'results', credits: 9, abnormalOnly: true })
  console.send({ t: 'subscribe', id: 'all', topic: 'results', credits: 9 })
  console.send({ t: 'ping', n: 1, at: 1 })
  await console.until(() => console.of('pong').length === 1)
  node.publish('logs', logBody('uplink is fine'))
  node.publish('logs', logBody('disk is odd', 'error'))
  node.publish('results', resultBody())
  node.publish('results', resultBody('low_confidence'))
  await console.until(() => console.rows('all').length === 2 && console.rows('warn').length === 1)
  await console.until(() => console.rows('text').length === 1 && console.rows('odd').length === 1)
  expect(console.rows('warn')).toMatchObject([{ msg: 'disk is odd' }])
  expect(console.rows('text')).toMatchObject([{ msg: 'uplink is fine' }])
  expect(console.rows('odd')).toMatchObject([{ reason: 'low_confidence' }])
})

test('sends the newest kept rows first asked for, then live ones, none twice', async () => {
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const node = new LiveNode()
  node.search.beforePage = () => held
  open.push((await node.start()).server)
  for (let i = 0; i < 50; i += 1) node.keep('logs', logBody(`old ${i}`, i % 2 === 0 ? 'info' : 'warn'))
  const console = await TestConsole.open(node.url)
  console.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 9, backlog: 5, level: 'warn' })
  console.send({ t: 'ping', n: 1, at: 1 })
  await console.until(() => console.of('pong').length === 1)
  node.publish('logs', logBody('new 0', 'warn'))
  node.publish('logs', logBody('new 1', 'warn'))
  release()
  await console.until(() => console.rows('l').length >= 5)
  node.publish('logs', logBody('new 2', 'warn'))
  await console.until(() => console.rows('l').some((row) => 'msg' in row && row.msg === 'new 2'))
  const messages = console.rows('l').map((row) => ('msg' in row ? row.msg : ''))
  expect(messages).toEqual(['old 45', 'old 47', 'old 49', 'new 0', 'new 1', 'new 2'])
})

test('tells as missed what of a backlog there was no credit for, and keeps the newest', async () => {
  const node = await start()
  for (let i = 0; i < 300; i += 1) node.keep('logs', logBody(`${i} ${'x'.repeat(1000)}`))
  const console = await TestConsole.open(node.url)
  console.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 2, backlog: 300 })
  await console.until(() => console.rows('l').length + console.missed('l') === 300)
  expect(console.rows('l').at(-1)?.seq).toBe(300)
  expect(console.of('gap')).toMatchObject([{ reason: 'no_credit' }])
  expect(console.of('rows').length).toBe(1)
})

test('reads a range oldest first, over many pages, and says when the limit cut it', async () => {
  const node = await start()
  for (let i = 0; i < 2500; i += 1) node.keep('results', resultBody())
  const console = await TestConsole.open(node.url)
  console.send({ t: 'read', id: 'r1', topic: 'results', fromMs: 1_000_101, toMs: 1_002_200, limit: 10_000 })
  console.send({ t: 'read', id: 'r2', topic: 'results', fromMs: 0, toMs: 9e15, limit: 700 })
  console.send({ t: 'read', id: 'r3', topic: 'results', fromMs: 0, toMs: 9e15, limit: 2500 })
  await console.until(() => console.of('end').length === 3)
  expect(console.rows('r1').map(({ seq }) => seq)).toEqual(Array.from({ length: 2100 }, (_, index) => index + 101))
  expect(console.rows('r2').length).toBe(700)
  expect(Object.fromEntries(console.of('end').map(({ id, truncated }) => [id, truncated]))).toEqual({
    r1: false,
    r2: true,
    r3: false,
  })
})

test('carries out commands and passes refusals on with what to do next', async () => {
  const node = await start()
  const console = await TestConsole.open(node.url)
  console.send({ t: 'command', id: 'c1', verb: 'fault.slow', args: { ms: 120 } })
  console.send({ t: 'command', id: 'c2', verb: 'dance', args: {} })
  await console.until(() => console.of('done').length === 1 && console.of('error').length === 1)
  expect(console.of('done')).toMatchObject([{ id: 'c1', result: { slowMs: 120 } }])
  expect(console.of('error')).toMatchObject([{ id: 'c2', code: 'COMMAND_REFUSED', next: ['ask nicely'] }])
})

test('measures the round trip and the offset of a console whose clock is wrong', async () => {
  const node = await start()
  const console = new TestConsole(node.url)
  console.wallMs = () => Date.now() + 5000
  console.socket.on('open', () => console.hello())
  await console.until(() => console.of('welcome').length === 1)
  console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 100 })
  await console.until(() => console.of('status').at(-1)?.session.rttMs != null)
  const session = console.of('status').at(-1)?.session
  expect(Math.abs((session?.clockOffsetMs ?? 0) - 5000)).toBeLessThan((session?.rttMs ?? 0) / 2 + 5)
  node.wallShiftMs = 1234
  const askedAt = Date.now()
  console.send({ t: 'ping', n: 8, at: 77 })
  await console.until(() => console.of('pong').length === 1)
  expect(console.of('pong')[0]).toMatchObject({ n: 8, echo: 77 })
  const toldAt = (console.of('pong')[0]?.at ?? 0) - 1234
  expect(toldAt).toBeGreaterThanOrEqual(askedAt)
  expect(toldAt).toBeLessThanOrEqual(Date.now())
})

test('counts every byte that left for consoles, those gone included', async () => {
  const node = await start()
  const received: number[] = []
  for (let i = 0; i < 2; i += 1) {
    const console = await TestConsole.open(node.url)
    console.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 9 })
    console.send({ t: 'ping', n: 1, at: 1 })
    await console.until(() => console.of('pong').length === 1)
    node.publish('logs', logBody('x'.repeat(5000)))
    await console.until(() => console.rows('l').length === 1)
    const socket = (console.socket as unknown as { _socket: { bytesRead: number } })._socket
    const before = received[0] ?? 0
    // A probe of the console may be under way.
    await console.until(() => node.server.sentBytes() === before + socket.bytesRead)
    received.push(socket.bytesRead)
    if (i === 0) {
      console.close()
      await console.until(() => node.server.sessionCount === 0)
    }
  }
  expect(node.server.sentBytes()).toBe(received.reduce((sum, bytes) => sum + bytes, 0))
})

test('says goodbye to consoles when it stops, also to one that does not answer', async () => {
  const node = await start()
  const console = await TestConsole.open(node.url)
  const deaf = await TestConsole.open(node.url)
  deaf.socket.pause()
  const startedMs = performance.now()
  await node.server.stop()
  // Left to itself a WebSocket waits half a minute for the other side's goodbye.
  expect(performance.now() - startedMs).toBeLessThan(25_000)
  await console.until(() => console.closed !== null)
  expect(console.closed).toEqual({ code: 1001, reason: 'the node is stopping' })
  expect(node.server.sessionCount).toBe(0)
})
