import { afterEach, describe, expect, test } from 'vitest'
import type { LiveServerOptions } from '../../../edge-daemon/live/live-server.ts'
import { MAX_CLIENT_FRAMES_PER_SEC, MAX_FRAME_BYTES } from '../../../protocol/frames.ts'
import { LiveNode, logBody, TestConsole } from '../../support/live-node.ts'

const open: { stop(): Promise<void> }[] = []

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.stop()
})

async function start(options: Partial<LiveServerOptions> = {}): Promise<LiveNode> {
  const node = await new LiveNode(options).start()
  open.push(node.server)
  return node
}

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
    // By a clock that stands still, so that nothing is due again while a busy machine reads the flood.
    const node = await start({ clock: { wallMs: () => Date.now(), monotonicMs: () => 5000 } })
    const calm = await TestConsole.open(node.url)
    const flood = await TestConsole.open(node.url)
    for (let i = 0; i < MAX_CLIENT_FRAMES_PER_SEC * 20; i += 1) flood.send({ t: 'ping', n: i, at: 1 })
    await flood.until(() => flood.closed !== null)
    expect(flood.of('error').at(-1)?.code).toBe('FRAME_RATE')
    expect(flood.of('pong').length).toBeLessThanOrEqual(MAX_CLIENT_FRAMES_PER_SEC)
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
    await console.until(() => console.of('error').length === 42)
    expect(new Set(console.of('error').map(({ code }) => code))).toEqual(new Set(['OVERLOADED']))
    release()
    await console.until(() => console.of('end').length === 8)
    console.send({ t: 'read', id: 'r9', topic: 'logs', fromMs: 0, toMs: 1, limit: 1 })
    await console.until(() => console.of('end').length === 9)
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
