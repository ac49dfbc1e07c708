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
  #heard: Promise<readonly NodeAddress[]> | null = null
  #isOnBus = false

  constructor(options: InventoryOptions) {
    this.#options = options
  }

  /**
   * Every node there is.
   * @throws EdgeError `USAGE` when none is listed and there is no bus, `NODE_UNREACHABLE` when none answers there.
   */
  async all(): Promise<readonly NodeAddress[]> {
    const { listed, bus, configFile } = this.#options
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
    return listed.length > 0 ? listed : nobody(configFile)
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
    const heard = await this.#heard
    return [...listed, ...heard.filter(({ key }) => !listed.some((node) => node.key === key))]
  }

  /** The command is done. */
  async close(): Promise<void> {
    if (this.#isOnBus) await this.#options.bus?.stop()
    this.#isOnBus = false
  }

  async #callRoll(): Promise<readonly NodeAddress[]> {
    const { bus, signal } = this.#options
    if (bus === undefined) return []
    const names = new Set<string>()
    const presence = new Presence(bus, ({ node }) => names.add(node))
    const { promise: isOver, resolve: end } = Promise.withResolvers<void>()
    const timers = [setTimeout(end, BUS_MS)]
    const forget = bus.onUp(() => timers.push(setTimeout(end, ANSWERS_MS)))
    signal.addEventListener('abort', () => end(), { once: true })
    // It stays up until the command is done, which goes on over it.
    bus.start()
    this.#isOnBus = true
    try {
      await isOver
      return [...names].flatMap((name) => {
        const origin = presence.originOf(name)
        return typeof origin === 'string' ? [] : [{ key: name, url: null, site: origin.site }]
      })
    } finally {
      for (const timer of timers) clearTimeout(timer)
      forget()
      presence.stop()
    }
  }
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
