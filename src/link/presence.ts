import type { Origin } from '../../protocol/bus-subjects.ts'
import type { FleetBus, PresenceListener } from './fleet-bus.ts'

/** Nodes that are remembered; more than a fleet has, and a bound for a bus that is played with. */
const MAX_NODES = 5000

/** Which nodes were heard on the bus, by the subjects of their heartbeats. */
export class Presence {
  readonly #sites = new Map<string, Set<string>>()
  readonly #forget: () => void
  #count = 0

  /** @param onHeard is told of every heartbeat of a node that is remembered */
  constructor(bus: FleetBus, onHeard: PresenceListener) {
    this.#forget = bus.onPresence((origin, heartbeat, sizeBytes) => {
      if (this.#remember(origin)) onHeard(origin, heartbeat, sizeBytes)
    })
  }

  /** Where the node of a name is; a sentence when nobody knows, or when two sites have one of that name. */
  originOf(name: string, site?: string): Origin | string {
    if (site !== undefined) return { site, node: name }
    const sites = [...(this.#sites.get(name) ?? [])]
    const [only] = sites
    if (only === undefined) return 'the node was not heard on the bus yet'
    if (sites.length === 1) return { site: only, node: name }
    return `${sites.length} sites have a node of this name: add its site to the configuration`
  }

  /** Listen no more. */
  stop(): void {
    this.#forget()
  }

  #remember({ site, node }: Origin): boolean {
    const sites = this.#sites.get(node)
    if (sites?.has(site) === true) return true
    if (this.#count >= MAX_NODES) return false
    this.#count += 1
    if (sites === undefined) this.#sites.set(node, new Set([site]))
    else sites.add(site)
    return true
  }
}
