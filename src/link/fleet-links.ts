import type { Origin } from '../../protocol/bus-subjects.ts'
import type { Heartbeat } from '../../protocol/presence.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { NO_IDENTITY } from '../identity/identity-source.ts'
import type { FleetAccess } from './access.ts'
import { type Attention, Attentions } from './attentions.ts'
import { BestLink, type WayMaker } from './best-link.ts'
import { dialBus } from './bus-dial.ts'
import type { LinkInterest, LinkSink, NodeLink } from './link.ts'
import { Presence } from './presence.ts'
import { WebSocketLink } from './websocket.ts'

/** What the links of a fleet are made from. */
export interface FleetLinksOptions {
  /** The operator's inventory. */
  readonly nodes: readonly NodeAddress[]
  readonly access: FleetAccess
  readonly interest: LinkInterest
  readonly sink: LinkSink
  /** A node that is in no inventory was heard on the bus, and is looked after from now on. */
  readonly onFound: (key: string) => void
  /**
   * Reach only the nodes that somebody {@link FleetLinks.attend}s, for as long as that lasts; of the others heartbeats alone
   * are taken. Without it all are reached all the time.
   */
  readonly onDemand?: {
    /** A node is not reached any more; nothing more comes of the session that was. */
    readonly onLeft: (key: string) => void
  }
}

/** A node of the inventory with an address. */
type DirectAddress = NodeAddress & { readonly url: string }

/** A node as it may be reached. */
interface Place {
  readonly direct: DirectAddress | null
  readonly site: string | undefined
  readonly node: string
}

/** Slow, for what nobody looks at: the heartbeat of a session (architecture decision 15). */
export const SLOW_MS = 10_000
/** For what is on the screen. */
export const FAST_MS = 1000

/**
 * The links to all nodes of a fleet: those of the inventory, straight and through the bus, and those that are only heard on
 * the bus. An address comes from the inventory alone; what is heard only says that a name may be asked for on the bus.
 */
export class FleetLinks {
  readonly byKey: ReadonlyMap<string, NodeLink>
  readonly #links = new Map<string, NodeLink>()
  readonly #places = new Map<string, Place>()
  /** Links that are being ended. */
  readonly #ending = new Set<Promise<void>>()
  /** Nodes that were only heard. */
  readonly #heard = new Map<string, NodeAddress>()
  readonly #options: FleetLinksOptions
  readonly #presence: Presence | null
  /** Keys by site and name, for heartbeats. */
  readonly #keys = new Map<string, string>()
  #looked: ReadonlySet<string> | null = null
  readonly #attentions = new Attentions()
  #isRunning = false

  constructor(options: FleetLinksOptions) {
    this.#options = options
    this.byKey = this.#links
    const { bus = null } = options.access
    this.#presence = bus === null ? null : new Presence(bus, (...heard) => this.#hear(...heard))
    for (const node of options.nodes) this.#add(node.key, straightTo(node), node.site, node.node)
  }

  start(): void {
    this.#isRunning = true
    this.#options.access.bus?.start()
    for (const link of this.#links.values()) link.start()
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    this.#presence?.stop()
    await Promise.all([...[...this.#links.values()].map((link) => link.stop()), ...this.#ending])
    await this.#options.access.bus?.stop()
  }

  /** A node of the inventory, or one that was heard: then without an address, by its site and name on the bus. */
  addressOf(key: string): NodeAddress | null {
    return this.#options.nodes.find((node) => node.key === key) ?? this.#heard.get(key) ?? null
  }

  /**
   * Whom somebody looks at now: these nodes tell every second, the others every ten. Until this or {@link attend} is called
   * all tell as often as they like.
   */
  look(keys: ReadonlySet<string>): void {
    this.#looked = keys
    for (const [key, link] of this.#links) link.pace(this.#paceOf(key, keys))
  }

  /**
   * What a holder (a rollout) depends on, whoever looks; null when it is through. Nodes tell every second as long as one of
   * the holders wants it, and where they are reached on demand, they are so as long as one needs them.
   */
  attend(holder: string, attention: Attention | null): void {
    const changed = this.#attentions.set(holder, attention)
    if (this.#options.onDemand !== undefined) for (const key of changed) this.#reachOrLeave(key)
    const looked = this.#looked
    if (looked === null) this.look(new Set())
    else for (const key of changed) this.#links.get(key)?.pace(this.#paceOf(key, looked))
  }

  #paceOf(key: string, looked: ReadonlySet<string>): number {
    return looked.has(key) || this.#attentions.isOften(key) ? FAST_MS : SLOW_MS
  }

  #add(key: string, direct: DirectAddress | null, site: string | undefined, node = key): void {
    this.#places.set(key, { direct, site, node })
    if (this.#options.onDemand === undefined || this.#attentions.isNeeded(key)) this.#reach(key)
  }

  #reachOrLeave(key: string): void {
    const link = this.#links.get(key)
    if (this.#attentions.isNeeded(key)) {
      if (link === undefined) this.#reach(key)
    } else if (link !== undefined) {
      this.#links.delete(key)
      const ending = link.stop()
      this.#ending.add(ending)
      void ending.finally(() => this.#ending.delete(ending))
      this.#options.onDemand?.onLeft(key)
    }
  }

  #reach(key: string): void {
    const place = this.#places.get(key)
    const link = place === undefined ? null : this.#linkTo(key, place)
    if (link === null) return
    if (this.#looked !== null) link.pace(this.#paceOf(key, this.#looked))
    this.#links.set(key, link)
    if (this.#isRunning) link.start()
  }

  #linkTo(key: string, { direct, site, node }: Place): NodeLink | null {
    const { access, interest } = this.#options
    const { version, identity = NO_IDENTITY, journal = null, bus = null } = access
    const presence = this.#presence
    const shared = { client: { name: 'edgedeck', version }, interest, identity, journal }
    let own: NodeLink | null = null
    // What a link that was left still says is not taken.
    const sink: LinkSink = (of, event) => {
      if (this.#links.get(key) === own) this.#options.sink(of, event)
    }
    if (bus === null || presence === null) {
      if (direct === null) return null
      own = new WebSocketLink(direct, { ...shared, sink })
      return own
    }
    const wanted = direct ?? { key, url: '' }
    const straight: WayMaker = (way) => new WebSocketLink(wanted, { ...shared, ...way, attends: false })
    const through: WayMaker = (way) => {
      const dial = () => dialBus(bus, presence.originOf(node, site), { identity, now: Date.now })
      return new WebSocketLink(wanted, { ...shared, ...way, attends: false, dial })
    }
    own = new BestLink(key, { sink, direct: direct === null ? null : straight, nats: through })
    return own
  }

  #hear(origin: Origin, heartbeat: Heartbeat, sizeBytes: number): void {
    const key = this.#keyOf(origin)
    if (key !== null) this.#options.sink(key, { kind: 'heartbeat', heartbeat, site: origin.site, sizeBytes })
  }

  /** The key of a node on the bus; one that is new gets its name, or with its site when the name is taken. */
  #keyOf({ site, node }: Origin): string | null {
    const mark = `${site}\n${node}`
    const known = this.#keys.get(mark)
    if (known !== undefined) return known
    const listed = this.#options.nodes.find(
      (address) => (address.node ?? address.key) === node && (address.site === undefined || address.site === site),
    )
    const key = listed?.key ?? (this.#places.has(node) ? `${site}/${node}` : node)
    if (listed === undefined) {
      if (this.#places.has(key)) return null
      this.#heard.set(key, { key, url: null, site, node })
      this.#options.onFound(key)
      this.#add(key, null, site, node)
    }
    this.#keys.set(mark, key)
    return key
  }
}

function straightTo({ url, ...node }: NodeAddress): DirectAddress | null {
  return url === null ? null : { ...node, url }
}
