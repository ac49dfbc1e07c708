import type { Source } from '../protocol/change.ts'
import { isBucket } from '../protocol/object-store.ts'
import { packageCommands } from './commands/packages.ts'
import type { DaemonConfig } from './config/settings.ts'
import type { Deliver, PackagePlace, PackageSource } from './delivery/contract.ts'
import { Delivery, type DeliveryLog } from './delivery/delivery.ts'
import { HttpsSource } from './delivery/https-source.ts'
import { IncomingPackages } from './delivery/incoming-packages.ts'
import { LinkIntake } from './delivery/link-intake.ts'
import { NatsSource } from './delivery/nats-source.ts'
import { Pace } from './delivery/pace.ts'
import { busRegions } from './uplinks.ts'
import { readHttpTls, type UplinkIdentity } from './upstream/bus-files.ts'

/** How packages come to a node: fetched from where a rollout says, or brought by a console. */
export interface NodeDelivery {
  readonly deliver: Deliver
  /** Verbs by which a console brings one. */
  readonly commands: ReturnType<typeof packageCommands>
  start(): Promise<void>
  stop(): Promise<void>
}

/** What a {@link NodeDelivery} is made with. */
export interface NodeDeliveryParts {
  readonly shelf: PackagePlace
  /** What the node shows on TLS connections; null while it has not joined. */
  readonly identity: () => UplinkIdentity | null
  readonly log: DeliveryLog
}

/** Make what is configured. */
export function makeDelivery(config: DaemonConfig, { shelf, identity, log }: NodeDeliveryParts): NodeDelivery {
  const kbps = config.delivery.maxKbps ?? config.upstream.maxUplinkKbps
  const pace = new Pace({ bytesPerSec: kbps === null ? null : (kbps * 1000) / 8 })
  const packages = new IncomingPackages({ place: shelf, pace, room: { keepFreeBytes: config.delivery.keepFree } })
  const intake = new LinkIntake(packages)
  const open = (source: Source): readonly PackageSource[] => {
    switch (source.kind) {
      case 'https': {
        const tls = () => readHttpTls({ ca: config.delivery.ca, identity })
        return [new HttpsSource({ url: source.url, tls, insecure: config.upstream.insecure })]
      }
      case 'nats':
        return isBucket(source.bucket) ? inRegions(config, { bucket: source.bucket, pace, identity }) : []
      case 'link':
        return []
    }
  }
  const delivery = new Delivery({ packages, open, log })
  return {
    deliver: (wish, run) => delivery.deliver(wish, run),
    commands: packageCommands(intake),
    start: () => packages.start(),
    stop: async () => {
      packages.stop()
      await intake.stop()
    },
  }
}

/** A bucket is looked for in each region, since each may hold what another lost. */
function inRegions(
  config: DaemonConfig,
  { bucket, pace, identity }: { bucket: string; pace: Pace; identity: () => UplinkIdentity | null },
): readonly PackageSource[] {
  return busRegions(config, identity).map(({ name, connection, domain }) => {
    const api = (): string => {
      const place = domain()
      return place === null ? '$JS.API' : `$JS.${place}.API`
    }
    const stretchBytes = (least: number, most: number): number => pace.stretchBytes(least, most)
    return new NatsSource({ name: `bucket ${bucket} in ${name}`, bucket, connection, api, stretchBytes })
  })
}
