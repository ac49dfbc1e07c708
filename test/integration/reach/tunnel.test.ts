import { connect } from 'nats'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../support/edge-daemon.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { logBody, TestConsole } from '../../support/live-node.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { consoleThrough, ReachNode, testBus, throughBus } from '../../support/reach-node.ts'
import { tcpLink } from '../../support/tcp-link.ts'

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

/** The node listens on the bus. */
async function listening(node: ReachNode): Promise<void> {
  await eventually(() => node.node.events.some(({ event }) => event === 'rpc.listening'), { what: 'it listens' })
}

describe('through the bus', { timeout: 240_000 }, () => {
  test('a console gets the same frames as on a connection, and the node knows who it is', async () => {
    await using node = await ReachNode.start(authority, hub.url)
    await using bus = testBus(hub.url)
    await listening(node)
    const mia = await authority.operator('mia')
    await eventually(() => bus.fault === null)
    const console = await consoleThrough(bus, { authority, as: mia })
    console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10 })
    console.send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 10 })
    await console.until(() => console.of('status').length > 2)
    node.node.publish('logs', logBody('through the bus'))
    await console.until(() => console.rows('l').length === 1)
    console.close()
    await eventually(() => node.node.server.sessionCount === 0)
  })

  test('a long range comes whole, byte for byte as on a connection', async () => {
    await using node = await ReachNode.start(authority, hub.url)
    await using bus = testBus(hub.url)
    await listening(node)
    await eventually(() => bus.fault === null)
    for (let i = 0; i < 5000; i += 1) node.node.keep('logs', logBody(`${i} ${'x'.repeat(220)}`))
    const mia = await authority.operator('mia')
    const { createConnection: _, ...tls } = throughBus(bus, { authority, as: mia })
    const range = { t: 'read', id: 'r', topic: 'logs', fromMs: 0, toMs: 9e12, limit: 10_000 }
    const read = async (console: TestConsole): Promise<string> => {
      console.send(range)
      await console.until(() => console.of('end').length === 1)
      return JSON.stringify(console.rows('r'))
    }
    const direct = await read(await TestConsole.open(node.node.url, tls))
    const tunnelled = await read(await consoleThrough(bus, { authority, as: mia }))
    expect(direct.length).toBeGreaterThan(1_000_000)
    expect(tunnelled === direct).toBe(true)
  })

  test('a console that does not read costs the node no memory, and others nothing', async () => {
    await using node = await ReachNode.start(authority, hub.url)
    await using bus = testBus(hub.url)
    await listening(node)
    await eventually(() => bus.fault === null)
    for (let i = 0; i < 20_000; i += 1) node.node.keep('logs', logBody(`${i} ${'y'.repeat(400)}`))
    const as = await authority.operator('mia')
    const slow = await consoleThrough(bus, { authority, as })
    slow.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1000 })
    slow.socket.pause()
    slow.send({ t: 'read', id: 'r', topic: 'logs', fromMs: 0, toMs: 9e12, limit: 10_000 })
    const other = await consoleThrough(bus, { authority, as })
    other.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1000 })
    const beforeBytes = process.memoryUsage().arrayBuffers
    await other.until(() => other.of('status').length > 10)
    expect(process.memoryUsage().arrayBuffers - beforeBytes).toBeLessThan(20e6)
    slow.socket.resume()
    await slow.until(() => slow.of('end').length === 1, 90_000)
    expect(slow.rows('r').length).toBe(10_000)
  })

  test('a hub that starts anew ends what ran through it, and both come back by themselves', async () => {
    await using ownHub = await natsFixture()
    await using node = await ReachNode.start(authority, ownHub.url)
    await using bus = testBus(ownHub.url)
    await listening(node)
    await eventually(() => bus.fault === null)
    const as = await authority.operator('mia')
    const console = await consoleThrough(bus, { authority, as })
    await ownHub.kill()
    await console.until(() => console.closed !== null)
    await ownHub.restart()
    await eventually(() => bus.fault === null, { what: 'the console is back on the bus' })
    await eventually(() => node.node.events.filter(({ event }) => event === 'rpc.listening').length === 2)
    await consoleThrough(bus, { authority, as })
  })

  test('a node says that consoles can reach it once they can, however slow its link is', async () => {
    await using link = await tcpLink(hub.port)
    link.shape({ delayMs: 500 })
    await using bus = testBus(hub.url)
    await eventually(() => bus.fault === null)
    await using node = await ReachNode.start(authority, `nats://127.0.0.1:${link.port}`)
    await listening(node)
    const tunnel = await bus.openTunnel({ site: 's1', node: 'n1' }, 60_000)
    tunnel.destroy()
  })

  test('nobody gets in without a certificate that counts, whatever they may do on the bus', async () => {
    await using node = await ReachNode.start(authority, hub.url)
    await using bus = testBus(hub.url)
    await listening(node)
    await eventually(() => bus.fault === null)
    const other = await FleetAuthority.create('acme')
    const stranger = await other.operator('mia')
    const refused = new TestConsole('wss://node.invalid/live', undefined, throughBus(bus, { authority, as: stranger }))
    await refused.until(() => refused.closed !== null)
    expect(refused.of('welcome')).toEqual([])
    const wrong = throughBus(bus, { authority, as: await authority.operator('mia'), name: 'n1' })
    const fooled = new TestConsole('wss://node.invalid/live', undefined, {
      ...wrong,
      checkServerIdentity: (() => new Error('another node')) as never,
    })
    await fooled.until(() => fooled.closed !== null)
    expect(node.node.server.sessionCount).toBe(0)
    other[Symbol.dispose]()
  })
})

describe('who may only write on the bus', { timeout: 240_000 }, () => {
  const open = (session: string, more: object = {}): string =>
    JSON.stringify({ v: 1, session, who: 'eve', windowBytes: 262_144, ...more })
  const token = (n: number): string => String(n).padStart(22, 'a')

  test('opens no more than is taken, gets no answer where a node writes, and leaves others alone', async () => {
    await using node = await ReachNode.start(authority, hub.url, { maxTunnels: 3 })
    await using bus = testBus(hub.url)
    await listening(node)
    await eventually(() => bus.fault === null)
    const as = await authority.operator('mia')
    const console = await consoleThrough(bus, { authority, as })
    const eve = await connect({ servers: hub.url })
    const heard: string[] = []
    eve.subscribe('edge.s1.n1.results', { callback: (_error, message) => void heard.push(message.string()) })
    const ask = async (body: string): Promise<string> => {
      const answer = await eve.request('edge.s1.n1.rpc', body, { timeout: 60_000 })
      return answer.string()
    }
    // An answer among the node's own records would be taken for one of them.
    eve.publish('edge.s1.n1.rpc', open(token(1)), { reply: 'edge.s1.n1.results' })
    expect(await ask('rubbish')).toContain('FRAME_INVALID')
    expect(await ask(open('../../x'))).toContain('FRAME_INVALID')
    expect(await ask(open(token(2), { who: '>' }))).toContain('FRAME_INVALID')
    expect(await ask(open(token(2), { windowBytes: 1 }))).toContain('FRAME_INVALID')
    expect(await ask(`${open(token(2))}${' '.repeat(2000)}`)).toContain('FRAME_INVALID')
    expect(await ask(open(token(2)))).toContain('"ok":true')
    expect(await ask(open(token(2)))).toContain('a session has one tunnel')
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await ask(open(token(3)))).toContain('"ok":true')
    expect(await ask(open(token(4)))).toContain('OVERLOADED')
    const flood = await Promise.all(Array.from({ length: 200 }, (_, n) => ask(open(token(100 + n)))))
    expect(flood.every((answer) => answer.includes('OVERLOADED'))).toBe(true)
    // Rubbish into a tunnel of one's own ends that one; into one that is not known, nothing.
    for (let n = 0; n < 2000; n += 1) eve.publish(`edge.s1.n1.rpc.in.${token(n)}`, Buffer.alloc(900, n))
    await eve.flush()
    console.send({ t: 'ping', n: 77, at: 1 })
    await console.until(() => console.of('pong').some(({ n }) => n === 77))
    expect(heard).toEqual([])
    expect(node.node.events.filter(({ event }) => event === 'rpc.refused').length).toBeLessThan(100)
    await eve.close()
  })

  test('who knows the session of somebody else can end it, and neither read nor say a word in it', async () => {
    await using node = await ReachNode.start(authority, hub.url)
    await using bus = testBus(hub.url)
    await listening(node)
    await eventually(() => bus.fault === null)
    const eve = await connect({ servers: hub.url })
    const seen: Buffer[] = []
    let into = ''
    // On a bus without permissions eve hears everything; with them, nothing of this.
    eve.subscribe('edge.s1.n1.rpc.>', {
      callback: (_error, message) => {
        if (message.subject.includes('.rpc.in.')) into = message.subject
        seen.push(Buffer.from(message.data))
      },
    })
    await eve.flush()
    const console = await consoleThrough(bus, { authority, as: await authority.operator('mia') })
    console.send({ t: 'command', id: 'c', verb: 'fault.slow', args: { ms: 4711 } })
    await console.until(() => console.of('done').length === 1)
    expect(seen.length).toBeGreaterThan(4)
    expect(seen.some((bytes) => bytes.includes('fault.slow') || bytes.includes('4711'))).toBe(false)
    const replayed = seen.find((bytes) => bytes[0] === 0x11) as Buffer
    eve.publish(into, replayed)
    await console.until(() => console.closed !== null)
    expect(node.node.commands.length).toBe(1)
    await eve.close()
  })
})

test('a heartbeat tells a row in fewer than 300 bytes', { timeout: 240_000 }, async () => {
  await using node = await ReachNode.start(authority, hub.url)
  await using bus = testBus(hub.url)
  const beats: { name: string; sizeBytes: number; model: string | undefined }[] = []
  bus.onPresence(({ node: name }, { model }, sizeBytes) => beats.push({ name, sizeBytes, model }))
  await listening(node)
  await eventually(() => beats.length > 0, { timeoutMs: 90_000 })
  expect(beats[0]).toMatchObject({ name: 'n1', model: 'digits@1.0.0 fp32' })
  expect(beats[0]?.sizeBytes).toBeLessThan(300)
})
