import { createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { LiveServerOptions } from '../../../edge-daemon/live/live-server.ts'
import { MAX_CLIENT_FRAMES_PER_SEC, MAX_FRAME_BYTES } from '../../../protocol/frames.ts'
import {
  LiveNode,
  logBody,
  rawConnect,
  rawExchange,
  resultBody,
  statusBody,
  TestConsole,
  upgradeRequest,
} from '../../support/live-node.ts'

const open: { stop(): Promise<void> }[] = []

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.stop()
})

async function start(options: Partial<LiveServerOptions> = {}): Promise<LiveNode> {
  const node = await new LiveNode(options).start()
  open.push(node.server)
  return node
}

describe('at the door', () => {
  test('refuses a listen address that is not loopback, and one that is taken', async () => {
    const away = new LiveNode({ listen: { host: '0.0.0.0', port: 0 } })
    await expect(away.start()).rejects.toMatchObject({ code: 'CONFIG_UNSERVABLE', kind: 'user' })
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const second = new LiveNode({ listen: { host: '127.0.0.1', port } })
    await expect(second.start()).rejects.toMatchObject({ code: 'PORT_IN_USE' })
    await new Promise((resolve) => taken.close(resolve))
  })

  test('keeps browsers, rebound names, wrong protocols and wrong paths out', async () => {
    const node = await start()
    const statusOf = async (request: string): Promise<string | undefined> =>
      (await rawExchange(node.url, request)).split('\r\n')[0]
    expect(await statusOf(upgradeRequest({ Origin: 'http://127.0.0.1' }))).toContain('403')
    expect(await statusOf(upgradeRequest({ Host: 'evil.example:5443' }))).toContain('403')
    expect(await statusOf(upgradeRequest({ Host: '127.0.0.1.evil.example' }))).toContain('403')
    expect(await statusOf(upgradeRequest({ 'Sec-WebSocket-Protocol': 'chat' }))).toContain('400')
    expect(await statusOf(upgradeRequest({}, '/other'))).toContain('404')
    expect(await statusOf('GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n')).toContain('426')
    expect(await statusOf('\x16\x03\x01 not http at all\r\n\r\n')).toContain('400')
    expect(node.server.sessionCount).toBe(0)
    await expect(TestConsole.open(node.url.replace('127.0.0.1', 'localhost'))).resolves.toBeDefined()
  })

  test('takes no more consoles than it may, and takes the next when one leaves', async () => {
    const node = await start({ maxSessions: 2 })
    const first = await TestConsole.open(node.url)
    await TestConsole.open(node.url)
    expect((await rawExchange(node.url, upgradeRequest())).split('\r\n')[0]).toContain('503')
    first.close()
    await first.until(() => node.server.sessionCount === 1)
    await TestConsole.open(node.url)
  })

  test('drops who says no hello in time, and who then says nothing at all', { timeout: 20_000 }, async () => {
    const node = await start()
    const mute = new TestConsole(node.url)
    const silent = await TestConsole.open(node.url)
    silent.wallMs = null
    await mute.until(() => mute.closed !== null)
    expect(mute.closed?.code).toBe(1008)
    expect(mute.of('error')).toMatchObject([{ code: 'FRAME_INVALID' }])
    expect(silent.closed).toBeNull()
    node.monotonicShiftMs = 31_000
    await silent.until(() => silent.closed !== null)
    expect(node.events.map(({ event }) => event)).toContain('live.session_silent')
    await silent.until(() => node.server.sessionCount === 0)
  })

  test('hangs up on connections that never finish their request', { timeout: 20_000 }, async () => {
    const node = await start()
    const startedMs = performance.now()
    await Promise.all([rawExchange(node.url, upgradeRequest().slice(0, 40)), rawExchange(node.url, '\r\n')])
    expect(performance.now() - startedMs).toBeLessThan(12_000)
  })

  test('refuses another frame before hello, and another version', async () => {
    const node = await start()
    const hasty = new TestConsole(node.url)
    hasty.socket.on('open', () => hasty.send({ t: 'subscribe', id: 's', topic: 'status', credits: 9 }))
    await hasty.until(() => hasty.closed !== null)
    const modern = new TestConsole(node.url)
    modern.socket.on('open', () => modern.hello(2))
    await modern.until(() => modern.closed !== null)
    expect(modern.of('error')[0]?.msg).toContain('version 1')
  })
})

describe('frames that are not of the protocol', () => {
  test('answers nonsense with an error and goes on, until there was too much of it', async () => {
    const node = await start()
    const console = await TestConsole.open(node.url)
    console.socket.send('hello?')
    console.socket.send(Buffer.from([0, 1, 2, 255]))
    console.send({ t: 'status' })
    console.send({ t: 'subscribe', id: 'x', topic: 'secrets', credits: 1 })
    console.send({ t: 'subscribe', id: 'x', topic: 'logs', credits: 10_001 })
    await console.until(() => console.of('error').length === 5)
    expect(console.of('error').every(({ code }) => code === 'FRAME_INVALID')).toBe(true)
    console.send({ t: 'ping', n: 1, at: 1 })
    await console.until(() => console.of('pong').length === 1)
    for (let i = 0; i < 5; i += 1) console.socket.send('{')
    await console.until(() => console.closed !== null)
    expect(console.closed?.code).toBe(1008)
  })

  test('survives JSON nested without end', async () => {
    const node = await start()
    const console = await TestConsole.open(node.url)
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    console.socket.send(`{"t":"command","id":"c","verb":"v","args":{"a":${deep}}}`)
    await console.until(() => console.of('error').length === 1)
    expect(console.of('error')[0]?.code).toBe('FRAME_INVALID')
    console.send({ t: 'ping', n: 1, at: 1 })
    await console.until(() => console.of('pong').length === 1)
  })

  test('closes on a frame over the size limit without taking it in', async () => {
    const node = await start()
    const console = await TestConsole.open(node.url)
    console.socket.send('x'.repeat(MAX_FRAME_BYTES + 1))
    await console.until(() => console.closed !== null)
    expect(console.closed?.code).toBe(1009)
  })

  test('closes on a flood of frames, while another console goes on', async () => {
    const node = await start()
    const calm = await TestConsole.open(node.url)
    const flood = await TestConsole.open(node.url)
    for (let i = 0; i < MAX_CLIENT_FRAMES_PER_SEC * 20; i += 1) flood.send({ t: 'ping', n: i, at: 1 })
    await flood.until(() => flood.closed !== null)
    expect(flood.of('error').at(-1)?.code).toBe('FRAME_RATE')
    expect(flood.of('pong').length).toBeLessThanOrEqual(MAX_CLIENT_FRAMES_PER_SEC * 2)
    calm.send({ t: 'ping', n: 1, at: 1 })
    await calm.until(() => calm.of('pong').length === 1)
  })

  test('refuses an id in use and more subscriptions than a session may hold', async () => {
    const node = await start()
    const console = await TestConsole.open(node.url)
    for (let i = 0; i < 32; i += 1) console.send({ t: 'subscribe', id: `l${i}`, topic: 'logs', credits: 1 })
    console.send({ t: 'subscribe', id: 'l3', topic: 'status', credits: 1 })
    console.send({ t: 'subscribe', id: 'one more', topic: 'status', credits: 1 })
    await console.until(() => console.of('error').length === 2)
    expect(console.of('error')).toMatchObject([
      { id: 'l3', code: 'FRAME_INVALID' },
      { id: 'one more', code: 'OVERLOADED' },
    ])
    console.send({ t: 'unsubscribe', id: 'l3' })
    console.send({ t: 'subscribe', id: 'l3', topic: 'status', credits: 1 })
    await console.until(() => console.of('status').length === 1)
  })

  test('works on a few requests of a session at a time and refuses more', async () => {
    let release: () => void = () => undefined
    const held = new Promise<readonly []>((resolve) => {
      release = () => resolve([])
    })
    const node = await start({ read: () => held })
    const console = await TestConsole.open(node.url)
    for (let i = 0; i < 50; i += 1) {
      console.send({ t: 'read', id: `r${i}`, topic: 'logs', fromMs: 0, toMs: 1, limit: 1 })
    }
    await console.until(() => console.of('error').length === 46)
    expect(new Set(console.of('error').map(({ code }) => code))).toEqual(new Set(['OVERLOADED']))
    release()
    await console.until(() => console.of('end').length === 4)
    console.send({ t: 'read', id: 'r9', topic: 'logs', fromMs: 0, toMs: 1, limit: 1 })
    await console.until(() => console.of('end').length === 5)
  })

  test('tells a row that fits no frame as missing', async () => {
    const node = await start()
    const console = await TestConsole.open(node.url)
    console.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 9 })
    console.send({ t: 'ping', n: 1, at: 1 })
    await console.until(() => console.of('pong').length === 1)
    node.publish('logs', logBody('before'))
    node.publish('logs', logBody('x'.repeat(MAX_FRAME_BYTES)))
    node.publish('logs', logBody('after'))
    await console.until(() => console.rows('l').length + console.missed('l') === 3)
    expect(console.of('gap')).toMatchObject([{ missed: 1, reason: 'too_large' }])
  })

  test('keeps serving while what it reads from fails', async () => {
    const node = await start({
      read: () => Promise.reject(new Error('disk on fire')),
      snapshot: () => {
        throw new Error('no status today')
      },
    })
    const console = await TestConsole.open(node.url)
    console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 5 })
    console.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 5, backlog: 10 })
    await console.until(() => console.of('error').length === 1)
    node.publish('logs', logBody('still here'))
    await console.until(() => console.rows('l').length === 1)
    expect(console.of('error')[0]).toMatchObject({ id: 'l', code: 'STORE_FAILING' })
    expect(JSON.stringify(console.frames)).not.toContain('disk on fire')
  })
})

describe('consoles that do not read', () => {
  const ROWS = 150_000
  const PADDING = 'x'.repeat(900)

  test('holds little for one that never reads, counts every row, and serves the others', {
    timeout: 30_000,
  }, async () => {
    const node = await start({ snapshot: () => statusBody() })
    node.keep = (_topic, body) => {
      const row = { seq: 1, timestamp: 5, line: JSON.stringify({ seq: 1, node_id: 'n1', timestamp: 5, ...body }) }
      return row
    }
    const [deaf, well] = [await TestConsole.open(node.url), await TestConsole.open(node.url)]
    for (const console of [deaf, well]) {
      console.send({ t: 'subscribe', id: 'r', topic: 'results', credits: 10_000 })
      console.send({ t: 'ping', n: 1, at: 1 })
      await console.until(() => console.of('pong').length === 1)
    }
    deaf.socket.pause()
    const before = process.memoryUsage()
    let published = 0
    let received = 0
    well.socket.on('message', () => {
      for (const frame of well.frames.splice(0)) {
        if (frame.t === 'rows') received += frame.rows.length
        if (frame.t === 'gap') received += frame.missed
      }
    })
    while (published < ROWS) {
      for (let i = 0; i < 500; i += 1) node.publish('results', { ...resultBody(), msg: PADDING })
      published += 500
      await new Promise((resolve) => setImmediate(resolve))
    }
    await well.until(() => received === ROWS)
    const after = process.memoryUsage()
    expect(after.external - before.external).toBeLessThan(40e6)
    deaf.socket.resume()
    await deaf.until(() => deaf.rows('r').length + deaf.missed('r') >= ROWS)
    expect(deaf.rows('r').length + deaf.missed('r')).toBe(ROWS)
    expect(deaf.of('gap')).toMatchObject([{ reason: 'slow_reader' }])
    // What it gets at last is what the kernel and the session held: of 150 MB not more than some.
    expect(deaf.rows('r').length * PADDING.length).toBeLessThan(15e6)
  })

  test('lets a read wait for a reader that is slow instead of gathering it', async () => {
    const node = await start()
    for (let i = 0; i < 9000; i += 1) node.keep('results', { ...resultBody(), msg: PADDING })
    let pages = 0
    const read = node.read.bind(node)
    node.read = (request) => {
      pages += 1
      return read(request)
    }
    const console = await TestConsole.open(node.url)
    console.send({ t: 'read', id: 'r', topic: 'results', fromMs: 0, toMs: 9e15, limit: 9000 })
    console.socket.pause()
    const startedMs = performance.now()
    await console.until(() => performance.now() - startedMs > 500)
    expect(pages).toBeLessThan(18)
    console.socket.resume()
    await console.until(() => console.of('end').length === 1)
    expect(console.rows('r').length).toBe(9000)
  })

  test('cuts one that floods pings and takes no answer, goodbye included', async () => {
    const node = await start()
    const socket = rawConnect(node.url)
    socket.on('error', () => undefined)
    socket.write(upgradeRequest())
    await new Promise((resolve) => socket.once('data', resolve))
    socket.pause()
    const bystander = await TestConsole.open(node.url)
    socket.write(maskedText(JSON.stringify({ t: 'hello', v: 1, at: 1, client: { name: 'x', version: '1' } })))
    for (let i = 0; i < 5000; i += 1) socket.write(pingFrame())
    await bystander.until(() => node.server.sessionCount === 1)
    socket.destroy()
  })
})

/** A masked WebSocket text frame under 64 KiB with a zero mask. */
function maskedText(text: string): Buffer {
  const payload = Buffer.from(text)
  const head =
    payload.length < 126 ? [0x81, 0x80 | payload.length] : [0x81, 0xfe, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload])
}

/** A masked WebSocket ping with the largest payload there may be. */
function pingFrame(): Buffer {
  return Buffer.concat([Buffer.from([0x89, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125, 0x61)])
}
