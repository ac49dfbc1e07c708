import { connect } from 'nats'
import type { ClientOptions } from 'ws'
import type { ControlIdentity } from '../../edge-daemon/live/contract.ts'
import type { LiveServerOptions } from '../../edge-daemon/live/live-server.ts'
import { Reach } from '../../edge-daemon/rpc/reach.ts'
import { readPem, verifyChain } from '../../identity/verify.ts'
import { overStream } from '../../src/link/bus-dial.ts'
import { FleetBus } from '../../src/link/fleet-bus.ts'
import type { FleetAuthority, IssuedIdentity } from './fleet-authority.ts'
import { LiveNode, statusBody, TestConsole } from './live-node.ts'

/** Who a node is, by a throw-away authority. */
export function controlIdentity(authority: FleetAuthority, own: IssuedIdentity): ControlIdentity {
  const judgeChain: ControlIdentity['judgeChain'] = (chain) =>
    verifyChain(chain, { trust: authority.trust(), nowMs: Date.now(), use: 'client' })
  return {
    tls: () => ({ key: own.keyPem, cert: own.certPem, ca: authority.rootPem }),
    judge: (socket, from) => {
      const certificate = socket.getPeerX509Certificate()
      if (certificate === undefined) return 'no certificate was shown'
      const verdict = judgeChain([certificate, authority.issuing.certificate])
      if (!verdict.ok) return verdict.msg
      const { named } = verdict
      if (named.kind !== 'operator') return `a ${named.kind} is not let in here`
      return { kind: 'operator', name: named.name, rights: named.rights, certificate, ...from }
    },
    judgeChain,
    nowMs: () => Date.now(),
    onChange: () => () => undefined,
  }
}

/** A live server with a certificate, and its reach through the bus; no daemon, so that tests see into it. */
export class ReachNode {
  readonly node: LiveNode
  readonly reach: Reach
  readonly events: string[] = []

  private constructor(node: LiveNode, reach: Reach) {
    this.node = node
    this.reach = reach
  }

  static async start(
    authority: FleetAuthority,
    natsUrl: string,
    wish: {
      readonly name?: string
      readonly maxTunnels?: number
      readonly live?: Partial<LiveServerOptions>
      readonly random?: () => number
    } = {},
  ): Promise<ReachNode> {
    // By this choice of chance the first heartbeat comes soon.
    const { name = 'n1', maxTunnels = 8, live = {}, random = () => 0.05 } = wish
    const own = await authority.node('s1', name)
    const node = new LiveNode({
      identity: controlIdentity(authority, own),
      node: { name, site: 's1', version: '0.1.0', instance: 'i1', startedAt: 1 },
      ...live,
    })
    await node.start()
    const reach = new Reach({
      origin: { site: 's1', node: name },
      regions: [{ name: 'nats', connection: () => ({ servers: natsUrl }) }],
      take: (stream) => node.server.takeTunnel(stream),
      maxTunnels,
      snapshot: () => statusBody(node.total),
      standing: () => ({ startedAtMs: 1, deny: 3, trust: 1, audit: null }),
      pace: { told: () => undefined },
      random,
      log: {
        info: (event, msg) => node.events.push({ event, msg }),
        warn: (event, msg) => node.events.push({ event, msg }),
      },
    })
    reach.start()
    return new ReachNode(node, reach)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.server.stop()
    await this.reach.stop()
  }
}

/** A console's end of the bus, by plain credentials. */
export function testBus(natsUrl: string, who = 'mia'): FleetBus & AsyncDisposable {
  const bus = new FleetBus({
    open: () => connect({ servers: natsUrl, reconnect: false, timeout: 20_000 }),
    who: () => who,
    sites: () => '*',
  })
  bus.start()
  return Object.assign(bus, { [Symbol.asyncDispose]: () => bus.stop() })
}

/** Options of a WebSocket to a node through the bus, as an operator; certificates are checked both ways. */
export function throughBus(
  bus: FleetBus,
  { authority, as, name = 'n1' }: { authority: FleetAuthority; as: IssuedIdentity; name?: string },
): ClientOptions {
  return {
    key: as.keyPem,
    cert: as.certPem,
    ca: authority.rootPem,
    checkServerIdentity: ((_host: string, peer: { raw: Buffer }) => {
      const [leaf] = readPem(`-----BEGIN CERTIFICATE-----\n${peer.raw.toString('base64')}\n-----END CERTIFICATE-----`)
      return leaf?.subjectAltName?.includes(`node/s1/${name}`) === true ? undefined : new Error('another node')
    }) as unknown as NonNullable<ClientOptions['checkServerIdentity']>,
    ...overStream(() => bus.openTunnel({ site: 's1', node: name }, 60_000)),
  }
}

/** A console that has said hello through the bus. */
export function consoleThrough(bus: FleetBus, options: Parameters<typeof throughBus>[1]): Promise<TestConsole> {
  return TestConsole.open('wss://node.invalid/live', throughBus(bus, options))
}
