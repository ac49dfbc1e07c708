import { EdgeError } from '../../protocol/errors.ts'
import type { Holder, JournalEntry, Plan, RolloutEvent } from '../../src/rollout/contract.ts'
import { fold } from '../../src/rollout/fold.ts'
import type { DecisionWish, RolloutService, RolloutView, RolloutWish } from '../../src/rollout/service.ts'
import { hasEnded } from '../../src/rollout/state.ts'
import { author, planOf } from './rollout-plan.ts'

/** Rollouts that are kept in memory: a test says what is planned, and what whoever drives writes down. */
export class RememberedRollouts implements RolloutService {
  readonly #journals = new Map<string, JournalEntry[]>()
  readonly #listeners = new Set<() => void>()
  readonly wishes: RolloutWish[] = []
  driver: Holder | null = null
  /** What is written down when somebody begins to drive here; by then it is driven. */
  script: RolloutEvent[] = []

  readonly #planned: (wish: RolloutWish) => Plan

  constructor(planned: (wish: RolloutWish) => Plan = (wish) => planOf({ canary: wish.nodes })) {
    this.#planned = planned
  }

  /** Write down what a driver would. */
  write(id: string, ...events: RolloutEvent[]): void {
    const journal = this.#journals.get(id) ?? []
    for (const event of events) journal.push({ seq: journal.length + 1, event })
    this.#journals.set(id, journal)
    for (const listener of this.#listeners) listener()
  }

  events(id: string): readonly RolloutEvent[] {
    return (this.#journals.get(id) ?? []).map(({ event }) => event)
  }

  async list(): Promise<readonly string[]> {
    return [...this.#journals.keys()].reverse()
  }

  async view(id: string): Promise<RolloutView> {
    const entries = this.#journals.get(id)
    const first = entries?.[0]?.event
    if (entries === undefined || first?.type !== 'rollout.started')
      throw new EdgeError('ROLLOUT_MISSING', { message: id })
    const view = { id, plan: first.plan, entries: [...entries], driver: this.driver, isDrivenHere: false }
    return view
  }

  async follow(id: string, took: (view: RolloutView) => void, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const tell = (): void => {
      void this.view(id).then((view) => !signal.aborted && took(view))
    }
    this.#listeners.add(tell)
    signal.addEventListener('abort', () => resolve())
    tell()
    await promise
    this.#listeners.delete(tell)
  }

  plan(wish: RolloutWish): Plan {
    this.wishes.push(wish)
    return this.#planned(wish)
  }

  async start(plan: Plan, why: string | null): Promise<void> {
    this.write(plan.rollout, { at: 1000, term: 0, type: 'rollout.started', plan, by: author('mia'), why })
  }

  async decide(id: string, { decision, wave, why }: DecisionWish): Promise<void> {
    this.write(id, { at: 2000, term: 0, type: 'person.decided', decision, wave, by: author('mia'), why })
  }

  async drive(id: string | null, signal: AbortSignal): Promise<void> {
    if (id === null) throw new Error('nobody declared driving all of them')
    this.driver = { heldBy: 'here', forMs: 1000 }
    for (const event of this.script) this.write(id, event)
    const isOver = (): boolean => hasEnded(fold(null, this.#journals.get(id) ?? []) ?? { phase: 'done' })
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = (): void => (isOver() ? resolve() : undefined)
    this.#listeners.add(look)
    signal.addEventListener('abort', () => resolve())
    look()
    await promise
    this.#listeners.delete(look)
    this.driver = null
  }

  driving(): readonly string[] {
    return []
  }
}
