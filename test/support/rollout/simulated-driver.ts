import type { JournalEntry, RolloutEvent, StepOutcome } from '../../../src/rollout/contract.ts'
import { decide } from '../../../src/rollout/decide.ts'
import type { Judges } from '../../../src/rollout/deliberation.ts'
import { fold } from '../../../src/rollout/fold.ts'
import { decodeEntry, encodeEntry } from '../../../src/rollout/journal/entry-text.ts'
import { type OpenOrder, openSteps } from '../../../src/rollout/open-steps.ts'
import { hasEnded, type RolloutState } from '../../../src/rollout/state.ts'
import { Watch } from './simulated-fleet.ts'
import type { SimulatedNode } from './simulated-node.ts'

/** A journal in memory that many append to, each only behind what it has read. */
export class SimulatedJournal {
  readonly entries: JournalEntry[] = []

  /** False when somebody else appended first. */
  append(event: RolloutEvent, expectedSeq: number): boolean {
    if (this.entries.length !== expectedSeq) return false
    // What is kept is text, and is read as every journal is.
    const kept = decodeEntry(encodeEntry({ seq: expectedSeq + 1, event }))
    if (typeof kept === 'string') throw new Error(kept)
    this.entries.push(kept)
    return true
  }

  /** A person's word, behind whatever stands there. */
  say(event: RolloutEvent): void {
    this.append(event, this.entries.length)
  }
}

interface Flight {
  readonly order: OpenOrder
  readonly arrivesAt: number
  answer: { readonly at: number; readonly outcome: StepOutcome } | null
  hasArrived: boolean
}

/** Told how long each decision took, and the fold over what came of it, ms. */
export type DecisionClock = (decideMs: number, events: number) => void

/** What a driver needs of the world. */
export interface DriverWorld {
  readonly journal: SimulatedJournal
  readonly nodes: ReadonlyMap<string, SimulatedNode>
  readonly judges: Judges
  readonly clock: DecisionClock | null
  /** One way, ms. */
  latencyMs(): number
  /** Called before every append: the driver may be killed or stopped right there. */
  strike(driver: SimulatedDriver, event: RolloutEvent): void
}

/** Drives as the real one: reads, folds, decides, appends, carries out; killed or stopped anywhere. */
export class SimulatedDriver {
  readonly holder: string
  readonly #world: DriverWorld
  readonly #watch: Watch
  readonly #flights = new Map<string, Flight>()
  #state: RolloutState | null = null
  #term = 0
  #interrupted: RolloutEvent | null = null
  isDead = false
  /** Stopped until then. */
  stoppedUntil = 0
  decisions = 0

  constructor(world: DriverWorld, holder: string, now: number) {
    this.#world = world
    this.holder = holder
    this.#watch = new Watch(world.nodes, now)
  }

  get state(): RolloutState | null {
    return this.#state
  }

  /** What is on its way to the nodes arrives, whether the driver lives or not. */
  deliver(now: number): void {
    for (const flight of this.#flights.values()) {
      if (flight.hasArrived || now < flight.arrivesAt) continue
      flight.hasArrived = true
      const node = this.#world.nodes.get(flight.order.node)
      const isThere = node?.isLinked === true && node.isAlive
      const outcome: StepOutcome = isThere
        ? node.take(flight.order, now)
        : { ok: false, code: 'NODE_UNREACHABLE', msg: 'no answer', retry: true }
      flight.answer = { at: now + (isThere ? this.#world.latencyMs() : 5000), outcome: structuredClone(outcome) }
    }
  }

  step(now: number): void {
    if (this.isDead || now < this.stoppedUntil) return
    this.#goOn(now)
    this.#watch.listen(now)
    if (!this.#isMine(now)) return
    this.#hearAnswers(now)
    if (this.isDead || this.#state === null) return
    this.#decide(now)
    this.#send(now)
  }

  /** After a stop: do first what it was about to, knowing nothing of what happened since. */
  #goOn(now: number): void {
    const interrupted = this.#interrupted
    if (interrupted === null) return
    this.#interrupted = null
    this.#send(now)
    this.#world.journal.append(interrupted, this.#state?.seq ?? 0)
  }

  #isMine(now: number): boolean {
    if (this.#term === 0) {
      this.#read()
      const term = (this.#state?.term ?? 0) + 1
      if (!this.#append({ at: now, term, type: 'driver.took', holder: this.holder })) return false
      this.#term = term
    }
    this.#read()
    if (this.#state?.term !== this.#term) this.isDead = true
    return !this.isDead && this.#state !== null && !hasEnded(this.#state)
  }

  #hearAnswers(now: number): void {
    for (const [key, { order, answer }] of this.#flights) {
      if (answer === null || now < answer.at) continue
      const { node, step } = order
      const { outcome } = answer
      if (!outcome.ok && outcome.code === 'TERM_STALE') {
        this.isDead = true
        return
      }
      const event: RolloutEvent = outcome.ok
        ? { at: now, term: this.#term, type: 'step.done', node, step, change: outcome.change }
        : {
            at: now,
            term: this.#term,
            type: 'step.failed',
            node,
            step,
            code: outcome.code,
            msg: outcome.msg,
            isFinal: !outcome.retry,
          }
      if (!this.#append(event)) return
      this.#flights.delete(key)
    }
  }

  #decide(now: number): void {
    if (this.#state === null || hasEnded(this.#state)) return
    this.decisions += 1
    const observation = this.#watch.observation(now)
    const began = performance.now()
    const events = decide(this.#state, observation, this.#world.judges)
    this.#world.clock?.(performance.now() - began, events.length)
    for (const event of events) {
      if (!this.#append(event)) return
    }
  }

  #send(now: number): void {
    if (this.isDead || now < this.stoppedUntil || this.#state === null) return
    for (const order of openSteps(this.#state)) {
      const key = `${order.node} ${order.step}`
      if (!this.#flights.has(key)) {
        this.#flights.set(key, { order, arrivesAt: now + this.#world.latencyMs(), answer: null, hasArrived: false })
      }
    }
  }

  #read(): void {
    this.#state = fold(this.#state, this.#world.journal.entries.slice(this.#state?.seq ?? 0))
  }

  /** False when the driver is gone, stopped, or somebody else appended first. */
  #append(event: RolloutEvent): boolean {
    this.#world.strike(this, event)
    if (this.isDead) return false
    if (event.at < this.stoppedUntil) {
      this.#interrupted = event
      return false
    }
    const isKept = this.#world.journal.append(event, this.#state?.seq ?? 0)
    this.#read()
    return isKept
  }

  /** What the driver sees, for laws about it. */
  observe(now: number): ReturnType<Watch['observation']> {
    return this.#watch.observation(now)
  }
}
