import type { Origin } from '../../protocol/bus-subjects.ts'
import { EdgeError } from '../../protocol/errors.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { FleetBus } from '../link/fleet-bus.ts'
import { Presence } from '../link/presence.ts'

/** Where the nodes of a command come from. */
export interface InventoryOptions {
  /** What the operator lists. */
  readonly listed: readonly NodeAddress[]
  /** The fleet's bus; absent = there is none. */
  readonly bus?: FleetBus
  /** For messages. */
  readonly configFile: string
  readonly signal: AbortSignal
}

/** How long the bus may take to be there, and the nodes then to say that they are. */
const BUS_MS = 5000
const ANSWERS_MS = 1500

/**
 * The nodes of a fleet for a plain command: those of the operator's list, and where there is a bus those that answer a roll
 * call there. What is heard gives a name alone; it is reached through the bus, and its certificate says who it is.
 */
export class Inventory {
  readonly #options: InventoryOptions
  #heard: Promise<readonly Origin[]> | null = null
  #isOnBus = false

  constructor(options: InventoryOptions) {
    this.#options = options
  }

  /**
   * Every node there is.
   * @throws EdgeError `USAGE` when none is listed and there is no bus, `NODE_UNREACHABLE` when none answers there.
   */
  async all(): Promise<readonly NodeAddress[]> {
    const { bus, configFile } = this.#options
    const all = await this.everybody()
    if (all.length > 0) return all
    if (bus !== undefined) {
      const why = bus.fault ?? 'no node answers on the bus'
      throw new EdgeError('NODE_UNREACHABLE', {
        message: why,
        next: [
          'see that nodes have joined and run, and that your credentials let you hear their site: edgedeck whoami',
        ],
      })
    }
    return nobody(configFile)
  }

  /**
   * The nodes of these names, in the order of the list; without names every node there is.
   * @throws EdgeError as {@link all}, and `USAGE` for a name that nobody has.
   */
  async named(names: readonly string[]): Promise<readonly NodeAddress[]> {
    if (names.length === 0) return this.all()
    const has = (nodes: readonly NodeAddress[]) => names.every((name) => nodes.some(({ key }) => key === name))
    const { listed } = this.#options
    const nodes = has(listed) ? listed : await this.all()
    const strange = names.filter((name) => !nodes.some(({ key }) => key === name))
    if (strange.length === 0) return nodes.filter(({ key }) => names.includes(key))
    throw new EdgeError('USAGE', {
      message: `no node is called ${strange.join(', ')}`,
      next: [`the nodes are ${nodes.map(({ key }) => key).join(', ')}`],
    })
  }

  /** One node by its name. @throws EdgeError as {@link named} */
  async only(name: string): Promise<NodeAddress> {
    const [node] = await this.named([name])
    if (node === undefined) throw new EdgeError('USAGE', { message: `no node is called ${name}` })
    return node
  }

  /** A node by its name, or null when neither the list nor the bus has one. */
  async find(name: string): Promise<NodeAddress | null> {
    const { listed } = this.#options
    const isIt = ({ key }: NodeAddress): boolean => key === name
    return listed.find(isIt) ?? (await this.everybody()).find(isIt) ?? null
  }

  /** Every node that is listed or answers, also when there is none. */
  async everybody(): Promise<readonly NodeAddress[]> {
    const { listed } = this.#options
    this.#heard ??= this.#callRoll()
    return [...listed, ...heardNodes(listed, await this.#heard)]
  }

  /** The command is done. */
  async close(): Promise<void> {
    if (this.#isOnBus) await this.#options.bus?.stop()
    this.#isOnBus = false
  }

  async #callRoll(): Promise<readonly Origin[]> {
    const { bus, signal } = this.#options
    if (bus === undefined) return []
    const heard = new Map<string, Origin>()
    const presence = new Presence(bus, (origin) => heard.set(`${origin.site}\n${origin.node}`, origin))
    const { promise: isOver, resolve: end } = Promise.withResolvers<void>()
    const timers = [setTimeout(end, BUS_MS)]
    const forget = bus.onUp(() => timers.push(setTimeout(end, ANSWERS_MS)))
    signal.addEventListener('abort', () => end(), { once: true })
    // It stays up until the command is done, which goes on over it.
    bus.start()
    this.#isOnBus = true
    try {
      await isOver
      return [...heard.values()]
    } finally {
      for (const timer of timers) clearTimeout(timer)
      forget()
      presence.stop()
    }
  }
}

/**
 * What was heard and is in no list, reached through the bus: by its name, or as `site/name` where another has that name
 * too. A listed node without a site is the one of its name wherever that is.
 */
export function heardNodes(listed: readonly NodeAddress[], heard: readonly Origin[]): NodeAddress[] {
  const isListed = ({ site, node }: Origin): boolean =>
    listed.some((address) => address.key === node && (address.site === undefined || address.site === site))
  const others = heard.filter((origin) => !isListed(origin))
  return others.map(({ site, node }) => {
    const isTaken = listed.some(({ key }) => key === node) || others.filter((other) => other.node === node).length > 1
    return isTaken ? { key: `${site}/${node}`, url: null, site, node } : { key: node, url: null, site }
  })
}

function nobody(configFile: string): never {
  throw new EdgeError('USAGE', {
    message: 'no node is known',
    next: [
      'point at one with --node NAME=wss://host:5443/live',
      `or list nodes in ${configFile}`,
      'or look at a fleet that needs nothing: edgedeck demo',
    ],
  })
}
