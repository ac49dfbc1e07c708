import type { NodeObservation, Observation } from '../../../src/rollout/contract.ts'
import type { SimulatedNode } from './simulated-node.ts'

/** Statuses come so often while a link is up, heartbeats with them; a node that is quiet longer is stale, then offline. */
const STATUS_MS = 1000
const STALE_MS = 3000
const OFFLINE_MS = 10_000

/** What one driver knows of the nodes: what it was told, and when. Statuses lie a moment on the way. */
export class Watch {
  readonly #nodes: ReadonlyMap<string, SimulatedNode>
  readonly #told = new Map<string, NodeObservation>()
  readonly #asked = new Map<string, number>()
  readonly since: number

  constructor(nodes: ReadonlyMap<string, SimulatedNode>, now: number) {
    this.#nodes = nodes
    this.since = now
  }

  /** Hear what the nodes say now. */
  listen(now: number): void {
    for (const [key, node] of this.#nodes) {
      if (!node.isLinked || !node.isAlive || now - (this.#asked.get(key) ?? 0) < STATUS_MS) continue
      this.#asked.set(key, now)
      const before = this.#told.get(key)
      const isTold = !node.isSilent
      const counters =
        node.figures === 'none'
          ? null
          : node.figures === 'nan'
            ? { requests: Number.NaN, failed: Number.NaN, slow: Number.NaN }
            : node.counters
      this.#told.set(key, {
        key,
        heardAt: now,
        toldAt: isTold ? now : (before?.toldAt ?? null),
        reach: 'up',
        instance: isTold ? node.instance : (before?.instance ?? null),
        counters: isTold ? counters : (before?.counters ?? null),
        criticalAlerts: isTold ? node.criticalAlerts : (before?.criticalAlerts ?? 0),
        change: isTold ? structuredClone(node.told(now)) : (before?.change ?? null),
        confirmed: isTold ? [node.confirmed] : (before?.confirmed ?? []),
      })
    }
  }

  observation(now: number): Observation {
    const nodes = new Map<string, NodeObservation>()
    for (const [key, told] of this.#told) {
      const quietMs = now - (told.heardAt ?? 0)
      nodes.set(key, { ...told, reach: quietMs < STALE_MS ? 'up' : quietMs < OFFLINE_MS ? 'stale' : 'offline' })
    }
    return { nowMs: now, watchingSince: this.since, nodes }
  }
}
