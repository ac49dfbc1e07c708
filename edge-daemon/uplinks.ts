import { join } from 'node:path'
import { type BusAccess, type BusOptions, busOptionsOf } from '../identity/bus-access.ts'
import type { UplinkTargetStatus } from '../protocol/status.ts'
import { UPSTREAM_CLASSES } from '../protocol/subjects.ts'
import type { Region } from './config/regions.ts'
import type { DaemonConfig } from './config/settings.ts'
import type { Cursors, Store } from './store/store.ts'
import { readBusAccess, readHttpTls, type UplinkIdentity } from './upstream/bus-files.ts'
import { DiskEpoch } from './upstream/disk-epoch.ts'
import { HttpWire } from './upstream/http.ts'
import type { UpstreamLog } from './upstream/log.ts'
import { NatsWire } from './upstream/nats.ts'
import { RegionFailover } from './upstream/region-failover.ts'
import { ResendBook } from './upstream/resend/book.ts'
import { Resends } from './upstream/resend/resends.ts'
import { Uplink } from './upstream/uplink.ts'
import { UplinkPacer } from './upstream/uplink-pacer.ts'

const HTTP_TARGET = 'http'

/** Cumulative bytes that left for consoles by the way they took: straight, and where there is a bus, through it. */
export interface TelemetryBytes {
  readonly telemetry: number
  readonly telemetryNats?: number
}

/** Everything that leaves the node: the uplinks, and the cap that they share with what consoles are told. */
export interface Outbound {
  /** One for each target that is configured; none is fine: then everything stays on the node. */
  readonly uplinks: readonly Uplink[]
  /** Which region is sent to, where there are several and not all are. */
  readonly failover: RegionFailover | null
  readonly pacer: UplinkPacer
  /** Who this disk is upstream. */
  readonly disk: DiskEpoch
  readonly resends: Resends
  /** The targets that are, or were, in use. */
  targets(): UplinkTargetStatus[]
  /** Cumulative bytes handed to the network since the start, by class, `control` and {@link TelemetryBytes}. */
  sentBytes(): Record<string, number>
}

/** Targets that records wait for, as `StoreOptions.awaited`: of regions that take turns, one is enough. */
export function awaitedTargets(config: DaemonConfig): readonly (readonly string[])[] {
  const names = regionsOf(config).map(({ name }) => name)
  const regions = takeTurns(config) ? [names] : names.map((name) => [name])
  return config.upstream.http.url === null ? regions : [...regions, [HTTP_TARGET]]
}

/** Make what is configured; `telemetryBytes` are those that left for consoles so far. */
export async function makeOutbound(
  config: DaemonConfig,
  parts: {
    readonly store: Store
    readonly log: UpstreamLog
    readonly telemetryBytes: () => TelemetryBytes
    /** What the node shows on TLS connections; null, as when left out, while it has not joined. */
    readonly identity?: () => UplinkIdentity | null
  },
): Promise<Outbound> {
  const { node, upstream } = config
  const { store, log, telemetryBytes, identity = () => null } = parts
  const uplinks: Uplink[] = []
  const sentBytes = (): Record<string, number> => {
    const sum: Record<string, number> = {}
    for (const uplink of uplinks) {
      for (const [name, bytes] of Object.entries(uplink.sentBytes())) sum[name] = (sum[name] ?? 0) + bytes
    }
    return { ...sum, ...telemetryBytes() }
  }
  const pacer = new UplinkPacer({
    capBytesPerSec: upstream.maxUplinkKbps === null ? null : (upstream.maxUplinkKbps * 1000) / 8,
    leftBytes: () => Object.values(sentBytes()).reduce((sum, bytes) => sum + bytes, 0),
  })
  const book = new ResendBook(join(config.state.dir, 'resends.json'), log)
  await book.load()
  const disk = new DiskEpoch(store, log)
  const { encoding, blockBytes, ackTimeout: ackTimeoutMs } = upstream
  const shared = {
    origin: { site: node.site, node: node.name },
    encoding,
    blockBytes,
    pacer,
    store,
    log,
    resends: book,
    disk,
  }
  const regions = regionsOf(config)
  const isFailover = takeTurns(config)
  const { syncedAfter: syncedAfterMs } = upstream.nats
  const toRegions = regions.map(
    (region) =>
      new Uplink({
        ...shared,
        name: region.name,
        wire: natsWire(region, config, identity),
        syncedAfterMs,
        dormant: isFailover,
      }),
  )
  uplinks.push(...toRegions)
  if (upstream.http.url !== null) {
    uplinks.push(
      new Uplink({
        ...shared,
        name: HTTP_TARGET,
        wire: new HttpWire({
          url: upstream.http.url,
          ackTimeoutMs,
          tls: () => readHttpTls({ ca: upstream.http.ca, identity }),
        }),
      }),
    )
  }
  const names = regions.map(({ name }) => name)
  const failover = isFailover
    ? new RegionFailover({
        regions: toRegions,
        syncedElsewhere: (name) =>
          syncedBy(
            names.filter((other) => other !== name),
            store,
          ),
        log,
      })
    : null
  return {
    uplinks,
    failover,
    pacer,
    disk,
    resends: new Resends(book, store, uplinks),
    targets: () => uplinks.filter(({ isDormant }) => !isDormant).map((uplink) => uplink.status()),
    sentBytes,
  }
}

/** The regions that are configured; the servers of the short form are one that is called `nats`. */
function regionsOf({ upstream }: DaemonConfig): readonly Region[] {
  const { servers, stream } = upstream.nats
  return servers.length === 0 ? upstream.regions : [{ name: 'nats', servers, stream, credentials: null }]
}

/** Whether only one of several regions is sent to at a time. */
function takeTurns(config: DaemonConfig): boolean {
  return regionsOf(config).length > 1 && config.upstream.regionMode === 'failover'
}

function natsWire(region: Region, config: DaemonConfig, identity: () => UplinkIdentity | null) {
  const { node, upstream } = config
  const { servers, stream } = region
  return new NatsWire({
    access: accessTo(region, config, identity),
    servers,
    stream,
    domain: upstream.nats.domain,
    createStream: upstream.nats.createStream,
    ackTimeoutMs: upstream.ackTimeout,
    clientName: `edge-daemon ${node.site}/${node.name}`,
  })
}

/** How a connection to a region is opened. */
export interface BusConnectionOptions extends BusOptions {
  readonly servers: string[]
  readonly name: string
}

/** A region that the node connects to for more than its blocks. */
export interface BusRegion {
  readonly name: string
  readonly connection: () => BusConnectionOptions
  /** JetStream domain of what it keeps; null for the server's own. */
  readonly domain: () => string | null
}

/** Where consoles reach the node through the bus: every region, since each operator may see only one. */
export function busRegions(config: DaemonConfig, identity: () => UplinkIdentity | null): readonly BusRegion[] {
  const { node, upstream } = config
  return regionsOf(config).map((region) => {
    const { name, servers } = region
    const access = accessTo(region, config, identity)
    const shown = { servers: [...servers], name: `edge-daemon ${node.site}/${node.name} rpc` }
    return {
      name,
      connection: () => ({ ...shown, ...busOptionsOf(servers, access(), 'node') }),
      domain: () => upstream.nats.domain ?? access().credentials?.domain ?? null,
    }
  })
}

/** What a region's servers are shown and what is believed of them, read anew at each call. */
function accessTo(
  region: Region,
  { state, upstream }: DaemonConfig,
  identity: () => UplinkIdentity | null,
): () => BusAccess {
  const files = {
    credentials: region.credentials ?? upstream.nats.credentials,
    ownCredentials: join(state.dir, 'identity', 'nats.creds'),
    ca: upstream.nats.ca,
    insecure: upstream.insecure,
    identity,
  }
  return () => readBusAccess(files)
}

/** The highest sequence by class that one of some targets has surely synced. */
function syncedBy(targets: readonly string[], store: Store): Cursors {
  const chains = targets.map((target) => store.chains(target))
  return Object.fromEntries(
    UPSTREAM_CLASSES.map((name) => [name, Math.max(0, ...chains.map((its) => its[name]?.syncedSeq ?? 0))]),
  )
}
