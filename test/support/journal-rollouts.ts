import type { Plan, RolloutEvent } from '../../src/rollout/contract.ts'
import { FileJournal } from '../../src/rollout/journal/file-journal.ts'
import type { DecisionWish, RolloutService, RolloutView, RolloutWish } from '../../src/rollout/service.ts'

/**
 * Rollouts of a console over a real journal in a folder, in which the test says what nodes and drivers did: it drives
 * nothing by itself. Who drives is told by `drivenBy`.
 */
export class JournalRollouts implements RolloutService {
  readonly journal: FileJournal
  readonly #planned: (wish: RolloutWish) => Plan
  readonly #driving = new Set<string>()
  /** Who holds the lease. */
  drivenBy: string | null = null
  readonly wishes: RolloutWish[] = []

  constructor(dir: string, planned: (wish: RolloutWish) => Plan) {
    this.journal = new FileJournal({ dir, lookEveryMs: 20 })
    this.#planned = planned
  }

  list(): Promise<readonly string[]> {
    return this.journal.list()
  }

  async view(id: string): Promise<RolloutView> {
    return this.#viewOf(id, await this.journal.read(id))
  }

  async follow(id: string, took: (view: RolloutView) => void, signal: AbortSignal): Promise<void> {
    const entries = [...(await this.journal.read(id))]
    took(this.#viewOf(id, entries))
    const more = (entry: (typeof entries)[number]): void => {
      entries.push(entry)
      took(this.#viewOf(id, [...entries]))
    }
    await this.journal.follow(id, entries.length, more, signal)
  }

  plan(wish: RolloutWish): Plan {
    this.wishes.push(wish)
    return this.#planned(wish)
  }

  async start(plan: Plan, why: string | null): Promise<void> {
    await this.say(plan.rollout, { type: 'rollout.started', plan, by: AUTHOR, why })
  }

  async decide(id: string, { decision, wave, why }: DecisionWish): Promise<void> {
    await this.say(id, { type: 'person.decided', decision, wave, by: AUTHOR, why })
  }

  async drive(id: string | null, signal: AbortSignal): Promise<void> {
    if (id === null) return
    this.#driving.add(id)
    await this.say(id, { type: 'driver.took', holder: 'me@here' })
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    this.#driving.delete(id)
  }

  driving(): readonly string[] {
    return [...this.#driving]
  }

  /** Write down what happened. */
  async say(id: string, ...events: readonly Said[]): Promise<void> {
    for (const event of events) {
      const entries = await this.journal.read(id)
      const stamped = { at: this.nowMs(), term: 1, ...event } as RolloutEvent
      await this.journal.append(id, stamped, entries.length)
    }
  }

  /** Time of what is said next. */
  nowMs: () => number = () => Date.now()

  #viewOf(id: string, entries: RolloutView['entries']): RolloutView {
    const first = entries[0]?.event
    if (first?.type !== 'rollout.started') throw new Error(`${id} does not begin with a plan`)
    const isDrivenHere = this.#driving.has(id)
    const heldBy = isDrivenHere ? 'me@here' : this.drivenBy
    return {
      id,
      plan: first.plan,
      entries,
      driver: heldBy === null ? null : { heldBy, forMs: 10_000 },
      isDrivenHere,
    }
  }
}

const AUTHOR = { name: 'mia', signature: null, chain: null }

/** An event of which a test says all but the time and the term, where they do not matter. */
export type Said = DistributiveOmit<RolloutEvent, 'at' | 'term'> & { readonly at?: number; readonly term?: number }
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
