import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { FREE_PACE } from '../../../edge-daemon/live/contract.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { LiveNode, logBody, resultBody, statusBody, TestConsole } from '../../support/live-node.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { consoleThrough, ReachNode, testBus } from '../../support/reach-node.ts'
import { type TcpLink, tcpLink } from '../../support/tcp-link.ts'

/** Of 64 kbit/s. */
const BYTES_PER_SEC = 8000
/** What may be ahead of a status, its predecessor included: two seconds. */
const MOST_AHEAD_BYTES = 2 * BYTES_PER_SEC
const SLOWLY = 90_000

let hub: NatsFixture
let authority: FleetAuthority
beforeAll(async () => {
  hub = await natsFixture()
  authority = await FleetAuthority.create()
}, 240_000)
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  authority[Symbol.dispose]()
})

let closing: AsyncDisposableStack
afterEach(async () => {
  await closing.disposeAsync()
})

/** A node behind a link of 64 kbit/s with deep buffers before it, and a console that hears its status every second. */
class ThinLink {
  readonly node: LiveNode
  readonly console: TestConsole
  /** Bytes on their way to the console each time a status was made. */
  readonly aheadBytes: number[]

  private constructor(node: LiveNode, console: TestConsole, aheadBytes: number[]) {
    this.node = node
    this.console = console
    this.aheadBytes = aheadBytes
  }

  /** The most but for once: what came while a busy machine let nobody read it is on its way too. */
  get mostAheadBytes(): number {
    return this.aheadBytes.toSorted((a, b) => b - a)[1] ?? 0
  }

  static async open(way: Way): Promise<ThinLink> {
    closing = new AsyncDisposableStack()
    let [sentBytes, gotBytes] = [0, 0]
    const aheadBytes: number[] = []
    const sent = (bytes: number): void => {
      sentBytes += bytes
    }
    const { node, console } = await WAYS[way]({
      intervalMs: 1000,
      snapshot: () => {
        aheadBytes.push(sentBytes - gotBytes)
        return statusBody()
      },
      pace: {
        ...FREE_PACE,
        told: sent,
        turn: async (bytes) => {
          sent(bytes)
          return true
        },
      },
    })
    gotBytes = sentBytes
    console.socket.on('message', (data: Buffer) => {
      gotBytes += data.length
    })
    console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1000 })
    await console.until(() => console.of('status').length >= 2, SLOWLY)
    aheadBytes.length = 0
    return new ThinLink(node, console, aheadBytes)
  }
}

type Live = NonNullable<ConstructorParameters<typeof LiveNode>[0]>

/** The console says hello before the link is thin, and what it was told by then counts as here. */
const WAYS = {
  'straight to it': async (live: Live) => {
    const node = await new LiveNode(live).start()
    closing.defer(() => node.server.stop())
    const link = closing.use(await tcpLink(Number(new URL(node.url).port)))
    const console = closing.adopt(await TestConsole.open(`ws://127.0.0.1:${link.port}/live`), (its) => its.close())
    return { node, console: await thinned(console, link) }
  },
  'through the bus': async (live: Live) => {
    const link = closing.use(await tcpLink(hub.port))
    const { node } = closing.use(await ReachNode.start(authority, `nats://127.0.0.1:${link.port}`, { live }))
    const bus = closing.use(testBus(hub.url))
    await eventually(() => node.events.some(({ event }) => event === 'rpc.listening') && bus.fault === null)
    const as = await authority.operator('mia')
    const console = closing.adopt(await consoleThrough(bus, { authority, as }), (its) => its.close())
    return { node, console: await thinned(console, link) }
  },
} as const
type Way = keyof typeof WAYS

async function thinned(console: TestConsole, link: TcpLink): Promise<TestConsole> {
  await console.until(() => console.of('ping').length > 0)
  link.shape({ kbitPerSec: 64, delayMs: 50 })
  return console
}

describe.each(Object.keys(WAYS) as Way[])('a thin link, %s', { timeout: 120_000 }, (way) => {
  test('a page of old lines comes in pieces between the status frames, and none of them waits long', async () => {
    const thin = await ThinLink.open(way)
    const { node, console } = thin
    for (let n = 0; n < 150; n += 1) node.keep('logs', logBody(`line ${n} ${'x'.repeat(200)}`))
    const before = console.of('status').length
    console.send({
      t: 'read',
      id: 'r',
      topic: 'logs',
      fromMs: 0,
      toMs: 9e15,
      limit: 150,
      newestFirst: true,
      credits: 4,
    })
    let paid = 0
    console.socket.on('message', () => {
      const due = console.of('rows').length - paid
      if (due > 0) console.send({ t: 'credit', id: 'r', n: due })
      paid += due
    })
    await console.until(() => console.of('end').length === 1, SLOWLY)
    expect(console.rows('r').length).toBe(150)
    const statuses = console.of('status').slice(before)
    expect(statuses.length).toBeGreaterThan(2)
    expect(thin.mostAheadBytes).toBeLessThan(MOST_AHEAD_BYTES)
  })

  test('a picture comes in pieces between the status frames, and one that is not wanted any more frees the link', async () => {
    const thin = await ThinLink.open(way)
    const { node, console } = thin
    const picture = Buffer.alloc(40_000, 7)
    node.pictures.set(5, { contentType: 'image/png', sizeBytes: picture.length, base64: picture.toString('base64') })
    const before = console.of('status').length
    console.send({ t: 'fetch', id: 'p', seq: 5 })
    await console.until(() => console.of('picture').at(-1)?.last === true, SLOWLY)
    const parts = console.of('picture').map(({ data }) => Buffer.from(data, 'base64'))
    expect(Buffer.concat(parts).equals(picture)).toBe(true)
    expect(console.of('status').length - before).toBeGreaterThan(2)
    expect(thin.mostAheadBytes).toBeLessThan(MOST_AHEAD_BYTES)

    const seen = console.of('picture').length
    console.send({ t: 'fetch', id: 'q', seq: 5 })
    await console.until(() => console.of('picture').length > seen + 3, SLOWLY)
    console.send({ t: 'unsubscribe', id: 'q' })
    // What is on the way comes; then there is nothing but status.
    const statuses = console.of('status').length
    await console.until(() => console.of('status').length > statuses + 2, SLOWLY)
    const cut = console.of('picture').length
    expect(console.of('picture').at(-1)?.last).toBe(false)
    await console.until(() => console.of('status').length > statuses + 4, SLOWLY)
    expect(console.of('picture').length).toBe(cut)
  })

  test('while more lines come than the link carries, status, a page and the lines each have their part', async () => {
    const thin = await ThinLink.open(way)
    const { node, console } = thin
    for (let n = 0; n < 60; n += 1) node.keep('results', { ...resultBody(), msg: `kept ${n} ${'x'.repeat(200)}` })
    const before = console.of('status').length
    console.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 10_000 })
    console.send({ t: 'ping', n: 1, at: 1 })
    await console.until(() => console.of('pong').length === 1, SLOWLY)
    console.send({ t: 'read', id: 'r', topic: 'results', fromMs: 0, toMs: 9e15, limit: 60 })
    let published = 0
    const flood = setInterval(() => {
      for (let n = 0; n < 4; n += 1) node.publish('logs', logBody(`new ${published} ${'x'.repeat(200)}`))
      published += 4
    }, 20)
    try {
      await console.until(() => console.of('end').length === 1, SLOWLY)
      expect(console.rows('l').length).toBeGreaterThan(20)
      expect(console.of('status').length - before).toBeGreaterThan(2)
      expect(thin.mostAheadBytes).toBeLessThan(MOST_AHEAD_BYTES)
    } finally {
      clearInterval(flood)
    }
    await console.until(() => console.rows('l').length + console.missed('l') === published, SLOWLY)
    expect(console.missed('l')).toBeGreaterThan(0)
  })
})
