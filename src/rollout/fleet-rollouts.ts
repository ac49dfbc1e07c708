import { randomBytes } from 'node:crypto'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { Decide } from './brain.ts'
import type { Journal, JournalEntry, LeaseBook, Plan, RolloutEvent } from './contract.ts'
import { DrivenRollouts } from './driven-rollouts.ts'
import { type DriveEnd, type DrivenTarget, RolloutDriver } from './driver.ts'
import { fold } from './fold.ts'
import { signMandates } from './mandates.ts'
import type { DecisionWish, RolloutService, RolloutView, RolloutWish } from './service.ts'
import { type JudgeSigner, missingForWord, type Signer, signWord, type UnsignedWord, weighed } from './signed-words.ts'
import type { RolloutState } from './state.ts'

/** What {@link FleetRollouts} are made of. */
export interface FleetRolloutsOptions {
  readonly journal: Journal
  readonly leases: LeaseBook
  /** What carries out a plan. */
  readonly targetOf: (plan: Plan) => DrivenTarget
  readonly decide: Decide
  /** What would happen to the fleet as it is now. @throws EdgeError `PLAN_INVALID` */
  readonly plan: (wish: RolloutWish, undone: RolloutState | null) => Plan
  /** Who decides here, asked whenever it matters; null on a fleet without identities. */
  readonly signer: () => Signer | null
  /** Who judges what others decided; null on a fleet without identities. */
  readonly judge: () => JudgeSigner | null
  /** This process, for people: `mia at bastion-1`. */
  readonly holder: string
  /** Be called when nodes told something; returns how to stop. */
  readonly onNews?: (listener: () => void) => () => void
  /** What has to be done before a rollout is written down; what it throws keeps it from being begun. */
  readonly beforeStart?: (plan: Plan) => Promise<void>
  readonly onFault?: (rollout: string | null, error: EdgeError) => void
  /** How long each decision took, ms. */
  readonly onDecided?: (ms: number) => void
  readonly now?: () => number
  readonly tickMs?: number
  readonly lookEveryMs?: number
}

/** How often who drives is looked at for those who follow, ms. */
const DRIVER_LOOK_MS = 2000
const MOST_TRIES = 20
const MOST_SEEN = 32

/** The rollouts of a fleet over its journal, leases and nodes. */
export class FleetRollouts implements RolloutService {
  readonly #options: FleetRolloutsOptions
  readonly #driven: DrivenRollouts
  readonly #now: () => number
  /** Entries of rollouts that were looked at last. */
  readonly #seen = new Map<string, readonly JournalEntry[]>()

  constructor(options: FleetRolloutsOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    const { journal, onFault, lookEveryMs } = options
    this.#driven = new DrivenRollouts({
      journal,
      drive: (rollout, signal) => this.#driveOnce(rollout, signal),
      ...(onFault === undefined ? {} : { onFault }),
      ...(lookEveryMs === undefined ? {} : { lookEveryMs }),
    })
  }

  list(): Promise<readonly string[]> {
    return this.#options.journal.list()
  }

  async view(id: string): Promise<RolloutView> {
    return this.#viewOf(id, await this.#options.journal.read(id), await this.#options.leases.look(id))
  }

  async follow(id: string, took: (view: RolloutView) => void, signal: AbortSignal): Promise<void> {
    const { journal, leases } = this.#options
    const first = await this.view(id)
    if (signal.aborted) return
    const entries = [...first.entries]
    let { driver } = first
    took(first)
    const ended = new AbortController()
    const until = AbortSignal.any([signal, ended.signal])
    let isDue = false
    const tell = (): void => {
      // Entries come in bursts: one look for all that are there.
      if (isDue) return
      isDue = true
      setImmediate(() => {
        isDue = false
        if (until.aborted) return
        const known = [...entries]
        this.#remember(id, known)
        took({ ...first, entries: known, driver, isDrivenHere: this.#isDriven(id) })
      })
    }
    const look = setInterval(() => {
      leases.look(id).then(
        (next) => {
          const isNew = next?.heldBy !== driver?.heldBy
          driver = next
          if (isNew) tell()
        },
        () => undefined,
      )
    }, DRIVER_LOOK_MS)
    try {
      await journal.follow(
        id,
        entries.length,
        (entry) => {
          entries.push(...weighed([entry], id, first.plan, this.#options.judge()))
          tell()
        },
        until,
      )
    } finally {
      clearInterval(look)
      ended.abort()
    }
  }

  plan(wish: RolloutWish): Plan {
    const undone = wish.undoes === null ? null : (this.#seen.get(wish.undoes) ?? null)
    if (wish.undoes !== null && undone === null) throw missing(wish.undoes)
    return this.#options.plan(wish, undone === null ? null : fold(null, undone))
  }

  async start(plan: Plan, why: string | null): Promise<void> {
    const { journal, signer, beforeStart } = this.#options
    const may = (who: Signer | null): Signer | null => {
      if (who !== null) mustMay(who, missingForWord(who.rights, 'rollout.started', plan), 'start this rollout')
      return who
    }
    may(signer())
    await beforeStart?.(plan)
    // That may have taken long enough for a login to end, or to be another one.
    const who = may(signer())
    const at = this.#now()
    const started = this.#sign({ type: 'rollout.started', at, term: 0, plan, why }, plan.rollout, 1, who)
    const outcome = await journal.append(plan.rollout, started, 0)
    if (!outcome.ok) {
      throw new EdgeError('PLAN_INVALID', {
        message: `there is a rollout ${plan.rollout} already`,
        next: ['make the plan anew'],
      })
    }
    if (who === null) return
    let { seq } = outcome
    try {
      for (const event of signMandates(plan, who, at)) seq = await this.#appendSoon(plan.rollout, () => event, seq)
    } catch (error) {
      throw halfBegun(plan.rollout, error)
    }
  }

  async decide(id: string, wish: DecisionWish): Promise<void> {
    const { decision, wave, why } = wish
    const view = await this.view(id)
    if (view.entries.some(({ event }) => event.type === 'rollout.ended')) {
      throw new EdgeError('ROLLOUT_MISSING', {
        message: `the rollout ${id} has ended`,
        next: ['to take back what it changed, undo it'],
      })
    }
    const who = this.#options.signer()
    const kind = decision === 'pause' ? 'pause' : 'person.decided'
    if (who !== null) mustMay(who, missingForWord(who.rights, kind, view.plan), `${decision} this rollout`)
    const make = (seq: number): RolloutEvent =>
      this.#sign({ type: 'person.decided', at: this.#now(), term: 0, decision, wave, why }, id, seq, who)
    await this.#appendSoon(id, make, view.entries.length)
  }

  async drive(id: string | null, signal: AbortSignal): Promise<void> {
    if (id === null) await this.#driven.all(signal)
    else await this.#driven.one(id, signal)
  }

  driving(): readonly string[] {
    return this.#driven.ids
  }

  /** Append behind whatever is last by then. */
  async #appendSoon(id: string, make: (seq: number) => RolloutEvent, lastSeq: number): Promise<number> {
    const { journal } = this.#options
    let last = lastSeq
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const outcome = await journal.append(id, make(last + 1), last)
      if (outcome.ok) return outcome.seq
      last += (await journal.read(id, last)).length
    }
    throw new EdgeError('JOURNAL_FAILING', {
      message: `others write to the journal of ${id} all the time, so it was not written down`,
      next: ['do it again'],
    })
  }

  #sign(word: UnsignedWord, rollout: string, seq: number, who: Signer | null): RolloutEvent {
    return signWord(word, { rollout, seq }, who, this.#options.holder)
  }

  async #driveOnce(rollout: string, signal: AbortSignal): Promise<DriveEnd> {
    const { journal, leases, targetOf, decide, judge, holder, onNews, onDecided, tickMs } = this.#options
    const driver = new RolloutDriver({
      rollout,
      holder,
      journal,
      leases,
      targetOf,
      decide,
      judge: judge(),
      onTerm: () => this.#driven.holds(rollout, true),
      ...(onNews === undefined ? {} : { onNews }),
      ...(onDecided === undefined ? {} : { onDecided }),
      ...(tickMs === undefined ? {} : { tickMs }),
    })
    return await driver.run(signal)
  }

  #remember(id: string, entries: readonly JournalEntry[]): void {
    this.#seen.delete(id)
    this.#seen.set(id, entries)
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > MOST_SEEN && oldest !== undefined) this.#seen.delete(oldest)
  }

  #isDriven(id: string): boolean {
    return this.#driven.ids.includes(id)
  }

  #viewOf(id: string, entries: readonly JournalEntry[], driver: RolloutView['driver']): RolloutView {
    const started = entries[0]?.event
    if (started?.type !== 'rollout.started') throw missing(id)
    const { plan } = started
    const counted = weighed(entries, id, plan, this.#options.judge())
    if (counted[0]?.ignored !== undefined) throw missing(id, `nobody who may has begun it: ${counted[0].ignored}`)
    this.#remember(id, counted)
    return { id, plan, entries: counted, driver, isDrivenHere: this.#isDriven(id) }
  }
}

/** A new id of a rollout: when it was begun (UTC), so that ids sort by it, and what makes it the only one. */
export function newRolloutId(nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]/g, '').slice(2, 13).replace('T', '-')
  return `r${stamp}-${randomBytes(3).toString('hex')}`
}

function mustMay(who: Signer, missing: string | null, what: string): void {
  if (missing === null) return
  throw new EdgeError('RIGHT_MISSING', {
    message: `${who.name} has not ${missing}, which it takes to ${what}`,
    next: ['ask somebody who has it, or choose nodes of your sites'],
  })
}

function missing(id: string, why = 'there is none of that name'): EdgeError {
  return new EdgeError('ROLLOUT_MISSING', {
    message: `the rollout ${id} cannot be looked at: ${why}`,
    next: ['see edgedeck rollout list'],
  })
}

/** Whoever began it can drive it; a controller has no mandates for it. */
function halfBegun(rollout: string, cause: unknown): EdgeError {
  return new EdgeError('JOURNAL_FAILING', {
    message: `the rollout ${rollout} stands in the journal, but not what lets others carry it on: ${messageOf(cause)}`,
    next: [`drive it from here: edgedeck rollout drive ${rollout}`, `or end it: edgedeck rollout abort ${rollout}`],
    cause,
  })
}
