import { isExposed, type NodeAddress } from '../config/node-address.ts'
import { Fleet } from '../fleet/fleet.ts'
import type { FleetView } from '../fleet/view.ts'
import { NO_IDENTITY } from '../identity/identity-source.ts'
import type { FleetAccess } from '../link/access.ts'
import type { LinkInterest, NodeLink } from '../link/link.ts'
import { WebSocketLink } from '../link/websocket.ts'

/** What {@link FleetSession} needs. */
export interface FleetSessionOptions {
  readonly nodes: readonly NodeAddress[]
  readonly access: FleetAccess
  readonly interest: LinkInterest
  readonly maxLogRows?: number
}

/** A fleet with the links that feed it, from start to stop. */
export class FleetSession {
  readonly fleet: Fleet
  readonly links: ReadonlyMap<string, NodeLink>

  constructor(options: FleetSessionOptions) {
    const { nodes, access, interest, maxLogRows } = options
    const { version, identity = NO_IDENTITY, journal = null } = access
    this.fleet = new Fleet({ schedule, ...(maxLogRows === undefined ? {} : { maxLogRows }) })
    for (const node of nodes) {
      this.fleet.add(node.key, { url: node.url, insecure: isExposed(node), nowMs: Date.now() })
    }
    const client = { name: 'edgedeck', version }
    this.links = new Map(
      nodes.map((node) => [
        node.key,
        new WebSocketLink(node, {
          client,
          interest,
          identity,
          journal,
          sink: (key, event) => this.fleet.apply(key, event, Date.now()),
        }),
      ]),
    )
  }

  start(): void {
    for (const link of this.links.values()) link.start()
  }

  async stop(): Promise<void> {
    await Promise.all([...this.links.values()].map((link) => link.stop()))
  }

  /** Wait until the fleet looks so, the time is over, or the signal comes. Resolves with the last look. */
  async until(wanted: (view: FleetView) => boolean, timeoutMs: number, signal: AbortSignal): Promise<FleetView> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = (): FleetView => this.fleet.view('now', Date.now())
    const stopListening = this.fleet.subscribe(() => {
      if (wanted(look())) resolve()
    })
    const timer = setTimeout(resolve, timeoutMs)
    const onAbort = (): void => resolve()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted || wanted(look())) resolve()
    await promise
    clearTimeout(timer)
    stopListening()
    signal.removeEventListener('abort', onAbort)
    return look()
  }
}

function schedule(fn: () => void, delayMs: number): () => void {
  const timer = setTimeout(fn, delayMs)
  return () => clearTimeout(timer)
}
