import type { ChangePhase, ChangeStatus } from '../../../protocol/change.ts'
import type { NodeObservation, Observation, StepOrder, StepOutcome, Target } from '../../../src/rollout/contract.ts'
import { itemOf } from '../../../src/rollout/plan-items.ts'

/** What a node did. */
export interface Done {
  readonly node: string
  readonly step: StepOrder['step']
  readonly term: number
  readonly outcome: 'done' | 'again' | 'TERM_STALE' | 'CHANGE_UNFIT'
}

/** Where each step leads from. */
const MOVES: Readonly<Record<StepOrder['step'], readonly [from: readonly (ChangePhase | null)[], to: ChangePhase]>> = {
  stage: [[null], 'staged'],
  shadow: [['staged'], 'staged'],
  activate: [['staged'], 'probation'],
  confirm: [['probation'], 'confirmed'],
  end: [['confirmed', 'reverted', 'failed'], 'confirmed'],
  revert: [['staged', 'probation', 'confirmed'], 'reverted'],
}

/** Nodes that take steps as daemons do, with the terms that they have seen and a log of what each did. */
export class NodeSlots implements Target {
  readonly log: Done[] = []
  /** How long a step takes, ms. */
  tookMs = 0
  readonly #changes = new Map<string, ChangeStatus>()
  readonly #terms = new Map<string, number>()
  readonly #watchingSince = Date.now()

  observe(nodes: readonly string[]): Observation {
    const nowMs = Date.now()
    return {
      nowMs,
      watchingSince: this.#watchingSince,
      nodes: new Map(nodes.map((key) => [key, this.#seen(key, nowMs)])),
    }
  }

  async carryOut(order: StepOrder): Promise<StepOutcome> {
    if (this.tookMs > 0) await new Promise((resolve) => setTimeout(resolve, this.tookMs))
    const outcome = this.#take(order)
    return outcome
  }

  change(node: string): ChangeStatus | null {
    return this.#changes.get(node) ?? null
  }

  /** Times that something was changed on a node, by step: more than one says that a step was done twice. */
  counted(outcome: Done['outcome']): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const done of this.log) {
      if (done.outcome === outcome) counts[`${done.node} ${done.step}`] = (counts[`${done.node} ${done.step}`] ?? 0) + 1
    }
    return counts
  }

  #take(order: StepOrder): StepOutcome {
    const { node, step, term, plan } = order
    const say = (outcome: Done['outcome']): void => void this.log.push({ node, step, term, outcome })
    const known = this.#terms.get(node) ?? 0
    if (term < known) {
      say('TERM_STALE')
      return { ok: false, code: 'TERM_STALE', msg: `it knows term ${known}`, retry: false }
    }
    this.#terms.set(node, term)
    const before = this.#changes.get(node) ?? null
    const [from, to] = MOVES[step]
    if (before !== null && (step === 'end' ? !before.isLocked : before.phase === to)) {
      say('again')
      return { ok: true, change: { ...before, term } }
    }
    if (!from.includes(before?.phase ?? null)) {
      say('CHANGE_UNFIT')
      return { ok: false, code: 'CHANGE_UNFIT', msg: `it is ${before?.phase}`, retry: false }
    }
    const after: ChangeStatus = {
      rollout: plan.rollout,
      term,
      item: itemOf(plan, node),
      phase: step === 'end' ? (before?.phase ?? 'confirmed') : to,
      since: Date.now(),
      isLocked: step !== 'end',
      activation: order.activation,
      until: null,
      progress: null,
      fault: null,
      served: null,
      shadow: null,
      uncleanStarts: 0,
    }
    this.#changes.set(node, after)
    say('done')
    return { ok: true, change: after }
  }

  #seen(key: string, nowMs: number): NodeObservation {
    const change = this.#changes.get(key) ?? null
    return {
      key,
      heardAt: nowMs,
      toldAt: nowMs,
      reach: 'up',
      instance: 'i',
      counters: { requests: 0, failed: 0, slow: 0 },
      criticalAlerts: 0,
      change: change === null ? null : { ...change, term: this.#terms.get(key) ?? change.term },
      confirmed: [],
    }
  }
}
