import type { GateVerdict, Plan, RolloutEvent } from './contract.ts'
import { type EventText, eventText } from './event-text.ts'
import { START } from './state.ts'

/** The stretch that a wave is judged over, and what was said of it. */
interface Stretch {
  readonly fromMs: number | null
  readonly said: ReadonlySet<GateVerdict['verdict']>
}

/**
 * Tells a rollout's journal to somebody who follows it, event by event in order. Gates are asked every few seconds: that they
 * pass, or cannot tell, is news once a stretch, and not before the least time that a wave is watched is over; that they stop
 * it is news at once.
 */
export class JournalTeller {
  readonly #plan: Plan
  readonly #stretches = new Map<string, Stretch>()

  constructor(plan: Plan) {
    this.#plan = plan
  }

  /** The next event in words; null for what is no news. */
  tell(event: RolloutEvent): EventText | null {
    if (event.type === 'baseline.taken' && event.wave !== START) {
      this.#stretches.set(event.wave, { fromMs: event.at, said: new Set() })
    }
    if (event.type !== 'gate.judged') return eventText(event, this.#plan)
    const { wave, at } = event
    const { verdict } = event.verdict
    const { fromMs, said } = this.#stretches.get(wave) ?? { fromMs: null, said: new Set() }
    const isEarly = fromMs !== null && at < fromMs + this.#plan.strategy.soakSec * 1000
    if (verdict !== 'fail' && (isEarly || said.has(verdict))) return null
    this.#stretches.set(wave, { fromMs, said: new Set([...said, verdict]) })
    return eventText(event, this.#plan)
  }
}
