import { afterEach, describe, expect, test } from 'vitest'
import type { LiveServerOptions } from '../../../edge-daemon/live/live-server.ts'
import { LiveNode, rawConnect, resultBody, statusBody, TestConsole, upgradeRequest } from '../../support/live-node.ts'

const open: { stop(): Promise<void> }[] = []

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.stop()
})

async function start(options: Partial<LiveServerOptions> = {}): Promise<LiveNode> {
  const node = await new LiveNode(options).start()
  open.push(node.server)
  return node
}

describe('consoles that do not read', () => {
  const ROWS = 60_000
  const PADDING = 'x'.repeat(900)

  test('holds little for one that never reads, counts every row, and serves the others', {
    timeout: 240_000,
  }, async () => {
    // By a clock that stands still: on a busy machine all these rows may take longer than a console may be silent.
    const clock = { wallMs: () => Date.now(), monotonicMs: () => 5000 }
    const node = await start({ snapshot: () => statusBody(), clock })
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
    await well.until(() => received === ROWS, 120_000)
    const after = process.memoryUsage()
    expect(after.external - before.external).toBeLessThan(40e6)
    deaf.socket.resume()
    await deaf.until(() => deaf.rows('r').length + deaf.missed('r') >= ROWS)
    expect(deaf.rows('r').length + deaf.missed('r')).toBe(ROWS)
    expect(deaf.of('gap')).toMatchObject([{ reason: 'slow_reader' }])
    // What it gets at last is what the kernel and the session held: of 60 MB not more than some.
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
