import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstreamManager, type StreamConfig } from '@nats-io/jetstream'
import { type ConnectionOptions, connect, credsAuthenticator, type NatsConnection } from 'nats'
import { NatsWire } from '../../edge-daemon/upstream/nats.ts'
import type { BusAccess } from '../../identity/bus-access.ts'
import { credentialsText, type NatsKey, newNatsKey, readCredentials } from '../../identity/nats-key.ts'
import { type BusUser, inboxPrefixOf } from '../../protocol/bus-users.ts'
import {
  auditConfiguration,
  leaseConfiguration,
  packagesConfiguration,
  rolloutConfiguration,
  streamConfiguration,
} from '../../protocol/stream-config.ts'
import { type NatsServer, startNatsServer } from '../../src/demo/nats-server.ts'
import { natsUserJwt } from '../../src/nats-accounts/issuer.ts'
import { openIssuer, type SetUpWishes, setUpBus } from '../../src/nats-accounts/set-up.ts'
import { FleetAuthority, type IssuedIdentity } from './fleet-authority.ts'
import { freePort } from './free-port.ts'
import { type NatsFixture, natsFixture, streamsBehind } from './nats-server.ts'

/** A user of the bus, with everything that opens a connection as this user. */
export interface BusMember {
  readonly user: BusUser
  readonly key: NatsKey
  readonly jwt: string
  /** Text of a `.creds` file. */
  readonly creds: string
}

/** A real nats-server on loopback that runs what `edgedeck nats setup --out` writes, with streams, and members at will. */
export interface NatsBus {
  readonly authority: FleetAuthority
  /** Folder of the set-up. */
  readonly dir: string
  readonly port: number
  /** `tls://localhost:PORT`. */
  readonly url: string
  /** Whose certificate every connection shows. */
  readonly identity: IssuedIdentity
  /** Client side of TLS, with a certificate of the fleet. */
  readonly tls: {
    readonly caFile: string
    readonly certFile: string
    readonly keyFile: string
    readonly handshakeFirst: true
  }
  /** Issue credentials; with a key to renew them, and an end in Unix ms. */
  member(user: BusUser, options?: { readonly key?: NatsKey; readonly expiresAtMs?: number }): Promise<BusMember>
  /** Connect as a member; permissions are reported to `connection.status()`. */
  connect(member: BusMember, options?: ConnectionOptions): Promise<NatsConnection>
  /** Talk to the streams as their keeper. */
  operate<T>(use: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>): Promise<T>
  /** Let the server read its configuration again. */
  reload(): void
  kill(): Promise<void>
  restart(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A bus as the tests of the uplink take a server: the node `plant/n1` is on it, and other nodes. */
export async function busFixture({ syncInterval }: { readonly syncInterval?: string } = {}): Promise<NatsFixture> {
  const bus = await natsBus({}, { ...(syncInterval === undefined ? {} : { syncInterval }), streams: false })
  const [self, keeper] = [await bus.member(NODE_1), await bus.member({ kind: 'keeper', name: 'test' })]
  const address = (port: number): string => `tls://localhost:${port}`
  return {
    url: address(bus.port),
    port: bus.port,
    dir: bus.dir,
    ...streamsBehind({
      address,
      access: () => accessOf(bus, self),
      connectAs: async (node) => bus.connect(await bus.member({ kind: 'node', site: 'plant', node })),
      keeper: () => bus.connect(keeper),
      stream: streamConfiguration({ maxBytes: 1e9, trustsNodes: false }),
    }),
    kill: bus.kill,
    restart: bus.restart,
    [Symbol.asyncDispose]: bus[Symbol.asyncDispose],
  }
}

/** What a member shows to the bus. */
export function accessOf({ authority, identity }: NatsBus, { creds }: BusMember): BusAccess {
  const { certPem: cert, keyPem: key } = identity
  return { credentials: readCredentials(creds), tls: { ca: authority.rootPem, own: { cert, key } } }
}

const NODE_1 = { kind: 'node', site: 'plant', node: 'n1' } as const

/** Set a bus up in a folder of its own and start it; `await using` ends it. */
export async function natsBus(
  wishes: Partial<SetUpWishes> = {},
  {
    syncInterval,
    streams: withStreams = true,
    leaseMs,
  }: { readonly syncInterval?: string; readonly streams?: boolean; readonly leaseMs?: number } = {},
): Promise<NatsBus> {
  const dir = await mkdtemp(join(tmpdir(), 'edgedeck-bus-'))
  const authority = await FleetAuthority.create()
  const out = join(dir, 'bus')
  const [server, client] = [await authority.service('nats'), await authority.node('plant', 'n1')]
  const { folder } = await setUpBus({
    out,
    fleet: authority.fleet,
    roots: readFileSync(authority.rootFile, 'utf8'),
    ...wishes,
  })
  mkdirSync(folder.path('tls'), { recursive: true })
  copyFileSync(server.certFile, folder.tls.cert)
  copyFileSync(server.keyFile, folder.tls.key)
  const store = JSON.stringify(folder.storeDir)
  const moreConfig =
    syncInterval === undefined
      ? ''
      : `jetstream { store_dir: ${store}, sync_interval: ${JSON.stringify(syncInterval)} }`
  const start = (port: number): Promise<NatsServer> =>
    startNatsServer({ dir: join(dir, 'run'), configFile: folder.configFile, port, moreConfig })
  let running = await start(await freePort())
  const { port } = running
  const url = `tls://localhost:${port}`
  const tls = tlsOf(authority, client)
  const issuer = openIssuer(out)
  const open = (creds: string, inboxPrefix: string, options: ConnectionOptions = {}): Promise<NatsConnection> =>
    connect({
      servers: url,
      tls,
      authenticator: credsAuthenticator(new TextEncoder().encode(creds)),
      inboxPrefix,
      reconnect: false,
      ...options,
    })
  const member: NatsBus['member'] = async (user, { key = newNatsKey(), expiresAtMs } = {}) => {
    const jwt = await natsUserJwt(issuer, user, { key: key.publicKey, expiresAtMs: expiresAtMs ?? null })
    return { user, key, jwt, creds: credentialsText(jwt, key) }
  }
  const bus: NatsBus = {
    authority,
    identity: client,
    dir: out,
    port,
    url,
    tls,
    member,
    connect: ({ user, creds }, options) => open(creds, inboxPrefixOf(user), options),
    operate: async (use) => {
      const keeper = await member({ kind: 'keeper', name: 'test' })
      const connection = await open(keeper.creds, inboxPrefixOf(keeper.user))
      try {
        return await use(await jetstreamManager(connection))
      } finally {
        await connection.close()
      }
    },
    reload: () => process.kill(running.pid, 'SIGHUP'),
    kill: () => running.kill(),
    restart: async () => {
      running = await start(port)
    },
    [Symbol.asyncDispose]: async () => {
      await running.kill()
      authority[Symbol.dispose]()
      await rm(dir, { recursive: true, force: true })
    },
  }
  if (!withStreams) return bus
  await bus.operate(async ({ streams }) => {
    for (const made of [
      streamConfiguration({ maxBytes: 1e9, trustsNodes: false }),
      auditConfiguration({ maxBytes: 1e9 }),
      rolloutConfiguration({ maxBytes: 1e8 }),
      packagesConfiguration({ maxBytes: 1e8 }),
      leaseConfiguration(leaseMs === undefined ? {} : { maxAgeMs: leaseMs }),
    ]) {
      // The client's types do not know atomic batches.
      await streams.add({ ...made } as unknown as StreamConfig)
    }
  })
  return bus
}

function tlsOf(authority: FleetAuthority, { certFile, keyFile }: IssuedIdentity): NatsBus['tls'] {
  return { caFile: authority.rootFile, certFile, keyFile, handshakeFirst: true }
}

/** A wire of the node `plant/n1` to a server, or to a link to it at another port. */
export function wireTo({ door, port }: Pick<NatsFixture, 'door' | 'port'>, at = port, ackTimeoutMs = 30_000): NatsWire {
  const { access } = door
  return new NatsWire({
    servers: [door.address(at)],
    ackTimeoutMs,
    clientName: 'test',
    ...(access === undefined ? {} : { access }),
  })
}

async function withStream(opening: Promise<NatsFixture>, config: object): Promise<NatsFixture> {
  const nats = await opening
  await nats.addStream(config)
  return nats
}

/** Where blocks go: streams of either kind on an open server, and a bus that gives a node its own rights and no more. */
export const HUBS = [
  ['with marks', (options = {}) => withStream(natsFixture(options), {})],
  ['without marks', (options = {}) => withStream(natsFixture(options), NO_MARKS)],
  ['on a bus with accounts', (options = {}) => withStream(busFixture(options), {})],
] as const satisfies [string, (options?: { readonly syncInterval?: string }) => Promise<NatsFixture>][]

/** A stream that keeps no marks. */
export const NO_MARKS = { allow_atomic: false, allow_msg_ttl: false } as const
