import type { NodeKey, StepOrder, StepOutcome } from './contract.ts'

/** A step that was carried out. */
export interface Effect {
  readonly order: StepOrder
  readonly outcome: StepOutcome
}

/** What {@link Effects} need. */
export interface EffectsOptions {
  readonly carryOut: (order: StepOrder) => Promise<StepOutcome>
  /** A step is done, whatever came of it. Called once for each; none begins on its node until it is settled. */
  readonly onDone: (effect: Effect) => void
  /** Most steps at a time, whatever the strategy allows. */
  readonly parallel: number
}

/**
 * Carries steps out: one at a time on a node, so that what was ordered later comes later there, and only so many in all.
 * A step that is under way is not begun a second time.
 */
export class Effects {
  readonly #options: EffectsOptions
  readonly #running = new Map<NodeKey, string>()

  constructor(options: EffectsOptions) {
    this.#options = options
  }

  /** What came of the step of a node is written down: the next may begin there. */
  settle(node: NodeKey): void {
    this.#running.delete(node)
  }

  /** Steps under way, and those of which nothing is written down yet. */
  get size(): number {
    return this.#running.size
  }

  /** Begin what can be begun of the steps that are open now; others are asked for again at the next look. */
  begin(orders: readonly StepOrder[]): void {
    for (const order of orders) {
      if (this.#running.size >= this.#options.parallel) return
      if (this.#running.has(order.node)) continue
      this.#running.set(order.node, order.step)
      void this.#run(order)
    }
  }

  async #run(order: StepOrder): Promise<void> {
    let outcome: StepOutcome
    try {
      outcome = await this.#options.carryOut(order)
    } catch (error) {
      outcome = { ok: false, code: 'NODE_UNREACHABLE', msg: String(error).slice(0, 500), retry: true }
    }
    this.#options.onDone({ order, outcome })
  }
}
