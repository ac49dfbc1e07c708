import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LinkEvent } from '../../../src/fleet/link-event.ts'
import { IdentityFolder } from '../../../src/identity/identity-source.ts'
import { BestLink } from '../../../src/link/best-link.ts'
import { dialBus } from '../../../src/link/bus-dial.ts'
import type { FleetBus } from '../../../src/link/fleet-bus.ts'
import type { LinkInterest } from '../../../src/link/link.ts'
import { DIRECT_FIRST_MS } from '../../../src/link/route-choice.ts'
import { WebSocketLink } from '../../../src/link/websocket.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { FleetAuthority, type IssuedIdentity } from '../../support/fleet-authority.ts'
import { logBody } from '../../support/live-node.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { ReachNode, testBus } from '../../support/reach-node.ts'

let hub: NatsFixture
let authority: FleetAuthority
let mia: IssuedIdentity
beforeAll(async () => {
  hub = await natsFixture()
  authority = await FleetAuthority.create()
  mia = await authority.operator('mia')
}, 240_000)
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  authority[Symbol.dispose]()
})

/** The way to a node's address, which can be cut, made silent and mended. */
class Cable {
  readonly url: string
  isCut = false
  isSilent = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
    const address = server.address()
    this.url = `wss://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/live`
  }

  static async to(url: string): Promise<Cable> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const cable = new Cable(server)
    server.on('connection', (socket) => cable.#join(socket, Number(new URL(url).port)))
    return cable
  }

  cut(): void {
    this.isCut = true
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(socket: Socket, port: number): void {
    if (this.isCut) return void socket.resetAndDestroy()
    const far = connectTcp(port, '127.0.0.1')
    for (const [from, to] of [
      [socket, far],
      [far, socket],
    ] as const) {
      this.#sockets.add(from)
      from.on('data', (bytes) => {
        if (!this.isSilent) to.write(bytes)
      })
      from.on('error', () => undefined)
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
    }
  }
}

/** A change takes seconds, and some more on a busy machine; without one, silence alone would take half a minute. */
const SOON_MS = 25_000

const INTEREST: LinkInterest = { status: true, alertBacklog: 10, logs: { filter: { level: 'info' }, backlog: 50 } }

/** A link that may go both ways, with what the fleet would be told. */
function bestLink(bus: FleetBus, cable: Cable | null, interest = INTEREST) {
  const events: LinkEvent[] = []
  const identity = new IdentityFolder(mia.dir)
  const client = { name: 'test', version: '0' }
  const node = { key: 'n1', url: cable?.url ?? '' }
  const shared = { client, interest, identity, attends: false }
  const link = new BestLink('n1', {
    sink: (_key, event) => events.push(event),
    direct: cable === null ? null : (way) => new WebSocketLink(node, { ...shared, ...way }),
    nats: (way) =>
      new WebSocketLink(node, {
        ...shared,
        ...way,
        dial: () => dialBus(bus, { site: 's1', node: 'n1' }, { identity, now: Date.now }),
      }),
    firstProvingMs: 600,
    retryDirectMs: 500,
    tickMs: 50,
  })
  const frames = <T extends string>(t: T) =>
    events.flatMap((event) => (event.kind === 'frame' && event.frame.t === t ? [event.frame] : []))
  const lines = (): string[] =>
    frames('rows').flatMap((frame) =>
      'topic' in frame && frame.t === 'rows' && frame.topic === 'logs' ? frame.rows.map(({ msg }) => msg) : [],
    )
  return { link, events, frames, lines, [Symbol.asyncDispose]: () => link.stop() }
}

async function setUp() {
  const node = await ReachNode.start(authority, hub.url)
  const bus = testBus(hub.url)
  await eventually(() => bus.fault === null && node.node.events.some(({ event }) => event === 'rpc.listening'))
  return {
    node,
    bus,
    [Symbol.asyncDispose]: async () => {
      await node[Symbol.asyncDispose]()
      await bus[Symbol.asyncDispose]()
    },
  }
}

describe('the better of two ways', { timeout: 240_000 }, () => {
  test('a node that only the bus reaches is reached through it', async () => {
    await using world = await setUp()
    await using best = bestLink(world.bus, null)
    best.link.start()
    await eventually(() => best.frames('status').length > 1)
    expect(best.link.route).toBe('nats')
    expect(best.events.find(({ kind }) => kind === 'opened')).toMatchObject({ route: 'nats', certified: true })
    const outcome = await best.link.read({ topic: 'logs', fromMs: 0, toMs: 9e12, limit: 5 })
    expect(outcome.ok).toBe(true)
  })

  test('direct is taken first and the bus left alone; when it is cut the bus serves soon, and direct again later', async () => {
    await using world = await setUp()
    const { node } = world.node
    await using cable = await Cable.to(node.url)
    await using best = bestLink(world.bus, cable)
    let said = 0
    const say = (): void => {
      said += 1
      node.publish('logs', logBody(`line ${said}`))
    }
    const talking = setInterval(say, 7)
    const startedMs = performance.now()
    best.link.start()
    await eventually(() => best.events.some(({ kind }) => kind === 'opened'))
    const openedMs = performance.now() - startedMs
    await eventually(() => best.frames('status').length > 3)
    expect(best.link.route).toBe('direct')
    // Where that takes a busy machine longer than direct has for itself, the bus is tried too.
    if (openedMs < DIRECT_FIRST_MS / 2) expect(node.server.sessionCount).toBe(1)
    const cutMs = performance.now()
    cable.cut()
    await eventually(() => best.link.route === 'nats')
    expect(performance.now() - cutMs).toBeLessThan(SOON_MS)
    const before = best.frames('status').length
    await eventually(() => best.frames('status').length > before + 2)
    cable.isCut = false
    await eventually(() => best.link.route === 'direct', { timeoutMs: 90_000, what: 'back to direct' })
    await eventually(() => node.server.sessionCount === 1, { what: 'the bus is left' })
    clearInterval(talking)
    say()
    await eventually(() => best.lines().includes(`line ${said}`))
    // Each line came, and whatever did not was told.
    const came = new Set(best.lines())
    const missed = best.frames('gap').reduce((sum, gap) => sum + ('missed' in gap ? gap.missed : 0), 0)
    expect(came.size + missed).toBe(said)
    expect(missed).toBe(0)
  })

  test('a direct way that falls silent without a word is left too, and what was asked on it does not hang', async () => {
    await using world = await setUp()
    await using cable = await Cable.to(world.node.node.url)
    await using best = bestLink(world.bus, cable)
    best.link.start()
    await eventually(() => best.frames('status').length > 3)
    const silentMs = performance.now()
    cable.isSilent = true
    const hanging = best.link.command('fault.slow', { ms: 1 }, { timeoutMs: 120_000 })
    await eventually(() => best.link.route === 'nats', { what: 'it changed' })
    expect(performance.now() - silentMs).toBeLessThan(SOON_MS)
    expect(await best.link.command('fault.slow', { ms: 2 })).toMatchObject({ ok: true })
    expect(await hanging).toMatchObject({ ok: false, code: 'NODE_UNREACHABLE' })
  })

  test('tells both reasons when no way is left', async () => {
    await using world = await setUp()
    await using cable = await Cable.to(world.node.node.url)
    cable.cut()
    await world.node.reach.stop()
    await using best = bestLink(world.bus, cable)
    best.link.start()
    await eventually(
      () =>
        best.events.some((event) => event.kind === 'refused' && /reset.*through the bus: .*no node/.test(event.reason)),
      { what: JSON.stringify(best.events.slice(-3)) },
    )
  })
})
