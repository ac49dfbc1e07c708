import type { Decide } from './brain.ts'
import type {
  Holder,
  Journal,
  JournalEntry,
  Lease,
  LeaseBook,
  NodeKey,
  Observation,
  Plan,
  RolloutEvent,
  Target,
} from './contract.ts'
import { type Effect, Effects } from './effects.ts'
import { fold } from './fold.ts'
import { MandateBook } from './mandates.ts'
import { openSteps } from './open-steps.ts'
import { type JudgeSigner, weighed } from './signed-words.ts'
import { hasEnded, type RolloutState } from './state.ts'
import { watchedNodes } from './watched-nodes.ts'

/** A target that may be told on whom a rollout depends now, and when it is not driven any more. */
export type DrivenTarget = Target & {
  readonly attend?: (nodes: readonly NodeKey[]) => void
  readonly leave?: () => void
}

/** What a {@link RolloutDriver} is made with. */
export interface DriverOptions {
  readonly rollout: string
  /** Who drives, for people: `mia at bastion-1`. */
  readonly holder: string
  readonly journal: Journal
  readonly leases: LeaseBook
  /** What carries out a plan. */
  readonly targetOf: (plan: Plan) => DrivenTarget
  readonly decide: Decide
  /** Null on a fleet without identities, where nothing is signed. */
  readonly judge: JudgeSigner | null
  /** Be called when nodes told something; returns how to stop. */
  readonly onNews?: (listener: () => void) => () => void
  /** Between two looks when nothing comes, ms. */
  readonly tickMs?: number
  readonly parallel?: number
  /** Told when this driver has its term. */
  readonly onTerm?: (term: number) => void
  /** Told of each look: how long deciding took, ms. */
  readonly onDecided?: (ms: number) => void
}

/** How driving came to its end. */
export type DriveEnd =
  /** The rollout is over. */
  | { readonly why: 'ended' }
  /** Whoever asked for it wants no more. */
  | { readonly why: 'stopped' }
  /** Somebody else drives it now. */
  | { readonly why: 'lost' }
  /** Somebody else drives it and lives. */
  | { readonly why: 'held'; readonly by: Holder }
  /** There is nothing to drive: no such rollout, or nobody who may has started it. */
  | { readonly why: 'nothing' }

const TICK_MS = 1000
const PARALLEL = 64
const MAX_TAKES = 20
/** Looks are not closer than this, however much comes. */
const MIN_GAP_MS = 50
/** Steps under way when driving is to stop have this long to be written down. */
const LEAVING_MS = 2000
const RENEWALS = 3
/** The wall clock against the monotonic one: more means that the machine slept, and the lease with it. */
const SLEPT_MS = 5000

/**
 * Drives one rollout: it takes the lease, becomes the driver of a new term in the journal, and from then on looks, decides,
 * writes down and only then carries out. Whatever it appends names the entry that it knew as the last; once somebody else
 * has taken over, every append of it fails, and daemons refuse its term. It stops at once when that happens, when the lease
 * is over, or when the journal cannot be written.
 */
export class RolloutDriver {
  readonly #options: DriverOptions
  readonly #mandates = new MandateBook()
  readonly #effects: Effects
  #entries = 0
  #state: RolloutState | null = null
  #plan: Plan | null = null
  #madeTarget: DrivenTarget | null = null
  #term = 0
  #isLost = false
  /** What came of steps and is not written down yet. */
  #done: Effect[] = []
  #inbox: JournalEntry[] = []
  #wake: (() => void) | null = null
  #clock: Clock | null = null

  constructor(options: DriverOptions) {
    this.#options = options
    this.#effects = new Effects({
      parallel: options.parallel ?? PARALLEL,
      carryOut: (order) => this.#target(order.plan).carryOut(order),
      onDone: (effect) => {
        this.#done.push(effect)
        this.#wake?.()
      },
    })
  }

  /** Drive until it is over, lost, or the signal comes. A driver runs once. @throws EdgeError `JOURNAL_FAILING` */
  async run(signal: AbortSignal): Promise<DriveEnd> {
    const { rollout, holder, journal, leases } = this.#options
    await this.#readOn()
    if (this.#state === null) return { why: 'nothing' }
    if (hasEnded(this.#state)) return { why: 'ended' }
    const lease = await leases.take(rollout, holder)
    if ('heldBy' in lease) return { why: 'held', by: lease }
    const ended = new AbortController()
    const until = AbortSignal.any([signal, ended.signal])
    const wake = (): void => this.#wake?.()
    signal.addEventListener('abort', wake)
    const unhear = this.#options.onNews?.(wake) ?? (() => undefined)
    let following: Promise<void> | null = null
    try {
      if (!(await this.#take())) return { why: 'lost' }
      this.#options.onTerm?.(this.#term)
      following = journal.follow(
        rollout,
        this.#entries,
        (entry) => {
          this.#inbox.push(entry)
          wake()
        },
        until,
      )
      // What it cannot read it finds out at the next append.
      following.catch(wake)
      return await this.#drive(lease, signal)
    } finally {
      unhear()
      signal.removeEventListener('abort', wake)
      ended.abort()
      await following?.catch(() => undefined)
      this.#madeTarget?.leave?.()
      await lease.release().catch(() => undefined)
    }
  }

  /** Become the driver of the next term. False when somebody else did meanwhile, again and again. */
  async #take(): Promise<boolean> {
    const { holder } = this.#options
    for (let takes = 0; takes < MAX_TAKES; takes += 1) {
      const state = this.#state
      const plan = this.#plan
      if (state === null || plan === null) return false
      // A bus that lost the end of its journal may have lost a term that nodes know.
      const target = this.#target(plan)
      const seen = target.observe([...state.nodes.keys()])
      // From now on they are reached: the first decisions need what they tell.
      target.attend?.(watchedNodes(state))
      const known = [...seen.nodes.values()].flatMap(({ change }) =>
        change?.rollout === plan.rollout ? [change.term] : [],
      )
      this.#clock = new Clock(state.at)
      this.#term = Math.max(state.term, ...known) + 1
      const took = { type: 'driver.took', at: this.#clock.nowMs(), term: this.#term, holder } as const
      if (await this.#append(took)) return true
      await this.#readOn()
    }
    return false
  }

  async #drive(lease: Lease, signal: AbortSignal): Promise<DriveEnd> {
    const renewal = new Renewal(lease)
    const { tickMs = TICK_MS } = this.#options
    for (;;) {
      const lookedMs = performance.now()
      await renewal.look()
      this.#takeInbox()
      if (this.#isLost || renewal.isLost) return { why: 'lost' }
      if (!(await this.#writeOutcomes())) continue
      const state = this.#state
      if (state === null) return { why: 'lost' }
      if (hasEnded(state)) return { why: 'ended' }
      if (signal.aborted) return await this.#leave(renewal)
      if (!renewal.isHeld) {
        await this.#rest(lookedMs, MIN_GAP_MS)
        continue
      }
      if (!(await this.#decide(state))) continue
      this.#begin(renewal)
      await this.#rest(lookedMs, tickMs)
    }
  }

  /** Decide and write down. False when somebody wrote something meanwhile: then it is looked at anew at once. */
  async #decide(state: RolloutState): Promise<boolean> {
    const { decide, onDecided } = this.#options
    const observation = this.#observe(state)
    const startedMs = performance.now()
    const events = decide(state, observation)
    onDecided?.(performance.now() - startedMs)
    for (const event of events) if (!(await this.#append(event))) return false
    this.#target(state.plan).attend?.(watchedNodes(state))
    return true
  }

  #begin(renewal: Renewal): void {
    const state = this.#state
    if (state === null || this.#isLost || state.term !== this.#term || !renewal.isHeld) return
    this.#effects.begin(openSteps(state).map((order) => ({ ...order, mandate: this.#mandates.of(order.node) })))
  }

  #observe(state: RolloutState): Observation {
    const clock = this.#clock as Clock
    const keys = state.plan.nodes.map(({ key }) => key)
    const { nodes, watchingSince, nowMs } = this.#target(state.plan).observe(keys)
    // The driver's clock is never behind what is written: what the target tells is moved along.
    const shiftMs = clock.nowMs() - nowMs
    const moved = (atMs: number | null): number | null => (atMs === null ? null : atMs + shiftMs)
    return {
      nowMs: nowMs + shiftMs,
      watchingSince: watchingSince + shiftMs,
      nodes: new Map(
        [...nodes].map(([key, node]) => [key, { ...node, heardAt: moved(node.heardAt), toldAt: moved(node.toldAt) }]),
      ),
    }
  }

  /** Write down what came of steps. False when somebody wrote something meanwhile. */
  async #writeOutcomes(): Promise<boolean> {
    for (let effect = this.#done[0]; effect !== undefined; effect = this.#done[0]) {
      const { order, outcome } = effect
      const head = { at: (this.#clock as Clock).nowMs(), term: this.#term, node: order.node, step: order.step }
      const event: RolloutEvent = outcome.ok
        ? { ...head, type: 'step.done', change: outcome.change }
        : { ...head, type: 'step.failed', code: outcome.code, msg: outcome.msg, isFinal: !outcome.retry }
      if (!outcome.ok && outcome.code === 'TERM_STALE') {
        // Somebody drives in a higher term, whether or not the journal says so already.
        this.#isLost = true
        return false
      }
      if (!(await this.#append(event))) return false
      this.#done.shift()
      this.#effects.settle(order.node)
    }
    return true
  }

  /** Append behind what is known; false when that was not the last any more: what is there is read then. */
  async #append(event: RolloutEvent): Promise<boolean> {
    const { journal, rollout } = this.#options
    const outcome = await journal.append(rollout, event, this.#entries)
    if (!outcome.ok) {
      await this.#readOn()
      return false
    }
    this.#absorb([{ seq: outcome.seq, event }])
    return true
  }

  /** Read what others appended. */
  async #readOn(): Promise<void> {
    const { journal, rollout } = this.#options
    const before = this.#entries
    const entries = await journal.read(rollout, before)
    // A journal that holds less than it did is not the one that was driven.
    if (before > 0 && entries.length === 0 && (await journal.read(rollout, before - 1)).length === 0)
      this.#isLost = true
    this.#absorb(entries)
  }

  #takeInbox(): void {
    const entries = this.#inbox
    this.#inbox = []
    this.#absorb(entries)
  }

  #absorb(entries: readonly JournalEntry[]): void {
    const news = entries.filter(({ seq }) => seq > this.#entries)
    const [first] = news
    if (first === undefined) return
    if (first.seq === 1 && first.event.type === 'rollout.started') this.#plan = first.event.plan
    const plan = this.#plan
    if (plan === null) return
    const counted = weighed(news, this.#options.rollout, plan, this.#options.judge)
    this.#state = fold(this.#state, counted)
    this.#mandates.take(counted)
    this.#entries = this.#state?.seq ?? this.#entries
    if (this.#term > 0 && (this.#state?.term ?? 0) > this.#term) this.#isLost = true
  }

  #target(plan: Plan): DrivenTarget {
    this.#madeTarget ??= this.#options.targetOf(plan)
    return this.#madeTarget
  }

  async #leave(renewal: Renewal): Promise<DriveEnd> {
    const untilMs = performance.now() + LEAVING_MS
    while (this.#effects.size > 0 && performance.now() < untilMs && renewal.isHeld) {
      await this.#writeOutcomes()
      if (this.#isLost) return { why: 'lost' }
      await this.#rest(performance.now(), MIN_GAP_MS)
    }
    return { why: 'stopped' }
  }

  /** Wait for news or the next tick. */
  async #rest(lookedMs: number, mostMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, Math.max(MIN_GAP_MS, lookedMs + mostMs - performance.now()))
    if (this.#done.length + this.#inbox.length > 0) resolve()
    this.#wake = resolve
    await promise
    this.#wake = null
    clearTimeout(timer)
    const early = lookedMs + MIN_GAP_MS - performance.now()
    if (early > 0) await new Promise((after) => setTimeout(after, early))
  }
}

/** Time that goes on from the newest event, so that a driver whose clock is behind its predecessor's writes no earlier one. */
class Clock {
  readonly #shiftMs: number

  constructor(newestMs: number) {
    this.#shiftMs = Math.max(0, newestMs - Date.now())
  }

  nowMs(): number {
    return Date.now() + this.#shiftMs
  }
}

/** Renews a lease in time. */
class Renewal {
  readonly #lease: Lease
  readonly #gapMs = Date.now() - performance.now()
  readonly #firstMs = performance.now()
  #renewedMs = performance.now()
  isLost = false

  constructor(lease: Lease) {
    this.#lease = lease
  }

  /** Whether nobody else can hold it now. */
  get isHeld(): boolean {
    const slept = Math.abs(Date.now() - performance.now() - this.#gapMs) > SLEPT_MS
    return !this.isLost && !slept && performance.now() < this.#lease.untilMs
  }

  /** Renew it when it is time to. */
  async look(): Promise<void> {
    if (this.isLost) return
    if (performance.now() >= this.#lease.untilMs || !this.isHeld) {
      this.isLost = true
      return
    }
    const lifeMs = this.#lease.untilMs - Math.max(this.#firstMs, this.#renewedMs)
    if (performance.now() < this.#renewedMs + lifeMs / RENEWALS) return
    try {
      const startedMs = performance.now()
      if (await this.#lease.renew()) this.#renewedMs = startedMs
      else this.isLost = true
    } catch {
      // Until it is over it is held; the next look tries again.
    }
  }
}
