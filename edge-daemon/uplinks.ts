import { join } from 'node:path'
import type { DaemonConfig } from './config/settings.ts'
import type { Store } from './store/store.ts'
import { HttpWire } from './upstream/http.ts'
import type { UpstreamLog } from './upstream/log.ts'
import { NatsWire } from './upstream/nats.ts'
import { ResendBook } from './upstream/resend/book.ts'
import { Resends } from './upstream/resend/resends.ts'
import { Uplink } from './upstream/uplink.ts'
import { UplinkPacer } from './upstream/uplink-pacer.ts'
import type { Wire } from './upstream/wire.ts'

/** Everything that leaves the node: the uplinks, and the cap that they share with what consoles are told. */
export interface Outbound {
  /** One for each target that is configured; none is fine: then everything stays on the node. */
  readonly uplinks: readonly Uplink[]
  readonly pacer: UplinkPacer
  readonly resends: Resends
  /** Cumulative bytes handed to the network since the start, by class, `control` and `telemetry`. */
  sentBytes(): Record<string, number>
}

/** Make what is configured; `telemetryBytes` are those that left for consoles so far. */
export async function makeOutbound(
  config: DaemonConfig,
  parts: { readonly store: Store; readonly log: UpstreamLog; readonly telemetryBytes: () => number },
): Promise<Outbound> {
  const { node, upstream } = config
  const { store, log, telemetryBytes } = parts
  const uplinks: Uplink[] = []
  const sentBytes = (): Record<string, number> => {
    const sum: Record<string, number> = {}
    for (const uplink of uplinks) {
      for (const [name, bytes] of Object.entries(uplink.sentBytes())) sum[name] = (sum[name] ?? 0) + bytes
    }
    return { ...sum, telemetry: telemetryBytes() }
  }
  const pacer = new UplinkPacer({
    capBytesPerSec: upstream.maxUplinkKbps === null ? null : (upstream.maxUplinkKbps * 1000) / 8,
    leftBytes: () => Object.values(sentBytes()).reduce((sum, bytes) => sum + bytes, 0),
  })
  const book = new ResendBook(join(config.state.dir, 'resends.json'), log)
  await book.load()
  for (const wire of wiresOf(config)) {
    const origin = { site: node.site, node: node.name }
    const { encoding, blockBytes } = upstream
    uplinks.push(new Uplink({ name: wire.kind, origin, encoding, blockBytes, pacer, wire, store, log, resends: book }))
  }
  return { uplinks, pacer, resends: new Resends(book, store, uplinks), sentBytes }
}

function wiresOf({ node, upstream }: DaemonConfig): Wire[] {
  const wires: Wire[] = []
  const { ackTimeout: ackTimeoutMs } = upstream
  if (upstream.nats.servers.length > 0) {
    const clientName = `edge-daemon ${node.site}/${node.name}`
    wires.push(new NatsWire({ servers: upstream.nats.servers, ackTimeoutMs, clientName }))
  }
  if (upstream.http.url !== null) wires.push(new HttpWire({ url: upstream.http.url, ackTimeoutMs }))
  return wires
}
