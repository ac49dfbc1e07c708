import type { NodeStanding } from './contract.ts'
import type { Deliberation } from './deliberation.ts'
import type { NodeState } from './state.ts'
import { portionOf } from './strategy.ts'

/** Steps of ours that may keep a node from answering. */
const OUT: ReadonlySet<NodeStanding> = new Set(['activating', 'reverting', 'suspect'])

/** How many nodes of each site are unavailable, whatever made them so, and how many may be. */
export class SiteBudget {
  readonly #on: Deliberation
  readonly #unavailable = new Map<string, number>()
  readonly #totals = new Map<string, number>()
  /** Of those that are unavailable, the ones that only our steps keep so. */
  readonly #ours = new Map<string, number>()

  constructor(on: Deliberation) {
    this.#on = on
    for (const { key, site } of on.draft.plan.nodes) {
      add(this.#totals, site)
      if (!this.isUnavailable(key)) continue
      add(this.#unavailable, site)
      if (!this.isFaulty(key)) add(this.#ours, site)
    }
  }

  /** Dark, with a fault of its own, or in a step of ours that is not over. */
  isUnavailable(key: string): boolean {
    const node = this.#on.draft.nodes.get(key)
    return this.isFaulty(key) || (node !== undefined && this.isOut(node))
  }

  /** Dark or with a fault of its own: a step of ours takes nothing away. */
  isFaulty(key: string): boolean {
    return !this.#on.isUp(key) || (this.#on.seen(key)?.criticalAlerts ?? 0) > 0
  }

  /** Between an activation or return that was ordered and the node's word that it serves. */
  isOut(node: NodeState): boolean {
    return OUT.has(node.standing) || node.open?.step === 'activate' || node.open?.step === 'revert'
  }

  /** Most nodes of a site that may be unavailable at once. */
  limitOf(site: string): number {
    return portionOf(this.#on.draft.plan.strategy.siteBudget, this.#totals.get(site) ?? 0)
  }

  unavailableOf(site: string): number {
    return this.#unavailable.get(site) ?? 0
  }

  /**
   * Whether a node may be taken out for a moment. One that is unavailable already may: what broke it must not keep its cure
   * away (argo-rollouts#1774).
   */
  mayTakeOut({ key, plan }: NodeState): boolean {
    return this.isUnavailable(key) || this.unavailableOf(plan.site) < this.limitOf(plan.site)
  }

  /** The same for taking back, which never stands still: one node of a site at a time may always go. */
  mayTakeBack(node: NodeState): boolean {
    return this.mayTakeOut(node) || (this.#ours.get(node.plan.site) ?? 0) === 0
  }

  /** A node was ordered out; call it before the order. */
  takeOut({ key, plan }: NodeState): void {
    if (this.isUnavailable(key)) return
    add(this.#unavailable, plan.site)
    add(this.#ours, plan.site)
  }

  /** Names of the nodes that spend a site's budget, for people. */
  spentBy(site: string): string {
    const spent = this.#on.draft.plan.nodes.filter((node) => node.site === site && this.isUnavailable(node.key))
    const named = spent.slice(0, 3).map(({ key }) => key)
    return spent.length > named.length
      ? `${named.join(', ')} and ${spent.length - named.length} more`
      : named.join(', ')
  }
}

function add(counts: Map<string, number>, site: string): void {
  counts.set(site, (counts.get(site) ?? 0) + 1)
}
