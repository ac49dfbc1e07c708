import type { DaemonConfig } from './config/settings.ts'
import type { Store } from './store/store.ts'
import { HttpWire } from './upstream/http.ts'
import type { UpstreamLog } from './upstream/log.ts'
import { NatsWire } from './upstream/nats.ts'
import { Uplink } from './upstream/uplink.ts'
import type { Wire } from './upstream/wire.ts'

/** One uplink for each target that is configured; none is fine: then everything stays on the node. */
export function makeUplinks(
  config: DaemonConfig,
  parts: { readonly store: Store; readonly log: UpstreamLog },
): Uplink[] {
  const { node, upstream } = config
  return wiresOf(config).map(
    (wire) =>
      new Uplink({
        name: wire.kind,
        origin: { site: node.site, node: node.name },
        encoding: upstream.encoding,
        blockBytes: upstream.blockBytes,
        wire,
        ...parts,
      }),
  )
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
