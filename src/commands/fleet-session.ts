import { isExposed, type NodeAddress } from '../config/node-address.ts'
import { Fleet } from '../fleet/fleet.ts'
import { LOG_WINDOW_MS } from '../fleet/log-merge.ts'
import type { FleetView, LogRow } from '../fleet/view.ts'
import type { FleetAccess } from '../link/access.ts'
import type { Attention } from '../link/attentions.ts'
import { FleetLinks } from '../link/fleet-links.ts'
import type { LinkInterest, NodeLink } from '../link/link.ts'

/** Lines that may wait for those of other nodes where nobody looks at them meanwhile. */
const MAX_HELD_ROWS = 100_000

/** What {@link FleetSession} needs. */
export interface FleetSessionOptions {
  readonly nodes: readonly NodeAddress[]
  readonly access: FleetAccess
  readonly interest: LinkInterest
  /** Takes log rows in order instead of the fleet. */
  readonly onLogRows?: (rows: readonly LogRow[]) => void
}

/** A fleet with the links that feed it, from start to stop. */
export class FleetSession {
  readonly fleet: Fleet
  readonly links: ReadonlyMap<string, NodeLink>
  readonly #links: FleetLinks
  readonly #revocations: FleetAccess['revocations']

  constructor(options: FleetSessionOptions) {
    const { nodes, access, interest, onLogRows } = options
    this.fleet = new Fleet({
      schedule,
      logWindowMs: LOG_WINDOW_MS,
      ...(onLogRows === undefined ? {} : { onLogRows, maxLogRows: MAX_HELD_ROWS }),
    })
    for (const node of nodes) {
      const { key, url } = node
      this.fleet.add(key, { ...(url === null ? {} : { url }), insecure: isExposed(node), nowMs: Date.now() })
    }
    this.#links = new FleetLinks({
      nodes,
      access,
      interest,
      sink: (key, event) => this.fleet.apply(key, event, Date.now()),
      onFound: (key) => this.fleet.add(key, { nowMs: Date.now() }),
    })
    this.links = this.#links.byKey
    this.#revocations = access.revocations
  }

  start(): void {
    this.#links.start()
    this.#revocations?.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#links.stop(), this.#revocations?.stop()])
  }

  /** How a node is reached by the operator's own word; of one that was only heard, its site and name on the bus. */
  addressOf(key: string): NodeAddress {
    return this.#links.addressOf(key) ?? { key, url: null }
  }

  /** Whom somebody looks at now, see {@link FleetLinks.look}. */
  look(keys: ReadonlySet<string>): void {
    this.#links.look(keys)
  }

  /** Whom a rollout depends on, see {@link FleetLinks.attend}. */
  attend(holder: string, attention: Attention | null): void {
    this.#links.attend(holder, attention)
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
