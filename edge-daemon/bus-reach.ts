import type { AuditLog } from './audit/audit-log.ts'
import type { DaemonConfig } from './config/settings.ts'
import type { NodeIdentity } from './identity/node-identity.ts'
import type { LiveLog, StatusBody } from './live/contract.ts'
import type { LiveServer } from './live/live-server.ts'
import { Reach } from './rpc/reach.ts'
import { telemetryPace } from './telemetry-pace.ts'
import { busRegions, type Outbound } from './uplinks.ts'

/** Tunnels beyond sessions, for those in which nobody has proved anything yet. */
const SPARE_TUNNELS = 16

/**
 * What makes a node reachable through the bus. Only for who has joined a fleet: nobody else could tell who comes that way.
 */
export function makeReach(
  config: DaemonConfig,
  parts: {
    readonly own: NodeIdentity
    readonly live: LiveServer
    readonly outbound: Outbound
    readonly audit: AuditLog
    /** Unix ms. */
    readonly startedAt: number
    /** With cumulative histograms. */
    readonly snapshot: () => StatusBody
    readonly log: LiveLog
  },
): Reach {
  const { own, live, outbound, audit, startedAt, snapshot, log } = parts
  return new Reach({
    origin: { site: own.site, node: own.node },
    regions: busRegions(config, () => own.tls()),
    take: (stream) => live.takeTunnel(stream),
    maxTunnels: config.live.maxSessions + SPARE_TUNNELS,
    snapshot,
    standing: () => ({
      startedAtMs: startedAt,
      deny: own.deny?.version ?? null,
      trust: own.bundle.version,
      audit: audit.head?.hash ?? null,
    }),
    pace: telemetryPace(outbound.pacer),
    log,
  })
}
