import { EdgeError } from '../../protocol/errors.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { LinkInterest, LogFollow, NodeLink } from '../link/link.ts'
import { WebSocketLink } from '../link/websocket.ts'

/** What {@link FleetLinks} needs. */
export interface FleetLinksOptions {
  readonly fleet: Fleet
  readonly version: string
  /** What each link asks of its node at first. */
  readonly interest: LinkInterest
}

/** The console's links to the nodes of the demo, made as their addresses become known. */
export class FleetLinks {
  readonly #options: FleetLinksOptions
  readonly #links = new Map<string, NodeLink>()
  #logs: LogFollow | null

  constructor(options: FleetLinksOptions) {
    this.#options = options
    this.#logs = options.interest.logs
  }

  /** The link to a node; undefined until it served for the first time. */
  get(node: string): NodeLink | undefined {
    return this.#links.get(node)
  }

  /** Link a node that serves at `url`; its address never changes afterwards. */
  open(node: string, url: string): void {
    if (this.#links.has(node)) return
    const { fleet, version, interest } = this.#options
    const link = new WebSocketLink(
      { key: node, url },
      {
        client: { name: 'edgedeck', version },
        interest: { ...interest, logs: this.#logs },
        sink: (key, event) => fleet.apply(key, event, Date.now()),
      },
    )
    this.#links.set(node, link)
    fleet.locate(node, url)
    link.start()
  }

  /** Change which log lines are followed, on the links there are and those to come; null = none. */
  followLogs(follow: LogFollow | null): void {
    this.#logs = follow
    for (const link of this.#links.values()) link.followLogs(follow)
  }

  /**
   * Send a command to a node.
   * @throws EdgeError `NODE_UNREACHABLE`, or `COMMAND_REFUSED` with the node's own reason.
   */
  async command(node: string, verb: string, args: Record<string, number>): Promise<void> {
    const outcome = await this.#links.get(node)?.command(verb, args)
    if (outcome?.ok === true) return
    const code = outcome === undefined || outcome.code === 'NODE_UNREACHABLE' ? 'NODE_UNREACHABLE' : 'COMMAND_REFUSED'
    throw new EdgeError(code, {
      message: `${node}: ${outcome?.message ?? 'the node does not serve yet'}`,
      next: outcome?.next ?? ['wait until the node is up'],
    })
  }

  async stop(): Promise<void> {
    await Promise.allSettled([...this.#links.values()].map((link) => link.stop()))
  }
}
