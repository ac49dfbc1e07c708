import type { ChangeFault, ChangeStatus, Item } from '../../../protocol/change.ts'
import type { Counts, StepOrder, StepOutcome } from '../../../src/rollout/contract.ts'
import { itemOf } from '../../../src/rollout/plan-items.ts'
import { OLD_ITEM } from './plans.ts'

/** What the new item does on a node. */
export type Release = 'good' | 'errors' | 'load' | 'package' | 'crash' | 'kills' | 'quiet-errors'

/** What a simulated node is like. */
export interface SimulatedNodeOptions {
  readonly key: string
  readonly site: string
  readonly requestsPerSec: number
  readonly release: Release
  readonly stageMs: number
  readonly swapMs: number
  /** Its clock against the driver's, ms. */
  readonly clockMs: number
}

const NOTHING: Counts = { requests: 0, failed: 0, slow: 0 }

/** A node with the slot's rules: one change, terms, probation that ends by itself. Time comes from outside. */
export class SimulatedNode {
  readonly options: SimulatedNodeOptions
  /** Reached by drivers. */
  isLinked = true
  /** Runs at all; it serves and keeps its probation also while nobody reaches it. */
  isAlive = true
  /** What statuses tell of counters. */
  figures: 'true' | 'none' | 'nan' = 'true'
  /** Heartbeats come, statuses do not. */
  isSilent = false
  criticalAlerts = 0
  serving: Item = OLD_ITEM
  confirmed: Item = OLD_ITEM
  change: ChangeStatus | null = null
  instance = 'i1'
  counters: Counts = NOTHING
  /** Effects that were let through although a higher term was known; a law says none. */
  staleEffects = 0
  readonly #over = new Map<string, 'confirmed' | 'reverted'>()
  #term = 0
  #due: { at: number; act: () => void } | null = null
  #probation: { until: number; failsAt: number | null } | null = null
  #owed = 0
  #locker: string | null = null

  constructor(options: SimulatedNodeOptions) {
    this.options = options
  }

  /** Another rollout takes or gives back the node's lock. */
  lock(by: string | null): void {
    if (by !== null && this.change?.isLocked === true) return
    this.#locker = by
  }

  /** What of changes a status tells. */
  told(): ChangeStatus | null {
    if (this.#locker === null || this.change?.isLocked === true) return this.change
    const other = this.#status('staged', this.options.clockMs, { rollout: this.#locker, isLocked: true })
    return { ...other, rollout: this.#locker }
  }

  /** Time goes on by `ms` until `now`. */
  pass(now: number, ms: number): void {
    if (!this.isAlive) return
    this.#count(ms)
    if (this.#due !== null && now >= this.#due.at) {
      const { act } = this.#due
      this.#due = null
      act()
    }
    const probation = this.#probation
    if (probation === null || this.change === null) return
    if (probation.failsAt !== null && now >= probation.failsAt) {
      if (this.options.release === 'kills') this.isAlive = false
      else this.#goBack(now, this.options.release === 'crash' ? 'unclean_starts' : 'errors')
    } else if (now >= probation.until) this.#goBack(now, 'unconfirmed')
  }

  /** A node that crashed starts again; its change is as it was. */
  start(now: number): void {
    this.isAlive = true
    this.instance = `i${now}`
    this.counters = NOTHING
    if (this.options.release === 'kills' && this.#probation !== null) this.#goBack(now, 'unclean_starts')
  }

  /** Take an order as the daemon does. */
  take(order: StepOrder | Omit<StepOrder, 'mandate'>, now: number): StepOutcome {
    const { plan, term, step, activation } = order
    if (term < this.#term) return refused('TERM_STALE', 'driven by somebody else')
    this.#term = term
    const own = this.change?.rollout === plan.rollout ? this.change : null
    if (own !== null) this.change = { ...own, term }
    if (this.#locker !== null && own?.isLocked !== true)
      return refused('CHANGE_LOCKED', `rollout ${this.#locker} holds it`)
    switch (step) {
      case 'stage':
        if (own === null || own.phase === 'failed' || own.phase === 'reverted') this.#stage(order, now)
        else if (!own.isLocked) return refused('CHANGE_UNFIT', `it is ${own.phase}`)
        break
      case 'shadow':
        if (own?.phase !== 'staged' && own?.phase !== 'shadowing') return refused('CHANGE_UNFIT', 'not staged')
        if (own.shadow === null) this.#shadow(now)
        break
      case 'activate':
        if (activation === null) return refused('CHANGE_UNFIT', 'no activation')
        if (own?.activation === activation) break
        if (this.#over.has(activation)) return refused('CHANGE_UNFIT', `activation ${activation} is over`)
        if (own?.phase !== 'staged' && own?.phase !== 'shadowing') return refused('CHANGE_UNFIT', `it is ${own?.phase}`)
        this.#activate(activation, plan.strategy.confirmWithinSec * 1000, now)
        break
      case 'confirm':
        if (own === null || activation === null) return refused('CHANGE_UNFIT', 'nothing to confirm')
        if (this.#over.get(activation) === 'confirmed') break
        if (this.#over.has(activation)) return refused('CHANGE_UNFIT', 'it was taken back')
        if (own.activation !== activation || own.phase !== 'probation')
          return refused('CHANGE_UNFIT', `it is ${own.phase}`)
        this.confirmed = own.item
        this.#probation = null
        this.#over.set(activation, 'confirmed')
        this.#enter(own, 'confirmed', now)
        break
      case 'revert':
        if (activation !== null && own?.activation !== activation) this.#over.set(activation, 'reverted')
        if (own === null) return { ok: true, change: null }
        if (activation !== null && own.activation !== null && own.activation !== activation) break
        this.#revert(own, now)
        break
      case 'end':
        if (own === null) return { ok: true, change: null }
        this.#end(own, now)
        break
    }
    return { ok: true, change: this.change }
  }

  #stage({ plan }: { plan: StepOrder['plan'] }, now: number): void {
    const status = this.#status('staging', now, { rollout: plan.rollout, isLocked: true })
    this.change = { ...status, item: itemOf(plan, this.options.key) }
    this.#due = {
      at: now + this.options.stageMs,
      act: () => {
        const own = this.change as ChangeStatus
        if (this.options.release !== 'package') this.#enter(own, 'staged', this.#due?.at ?? now + this.options.stageMs)
        else this.#fail(own, 'package', now)
      },
    }
  }

  #shadow(now: number): void {
    const own = this.change as ChangeStatus
    const histogram = { count: 0, sumMs: 0, maxMs: 0, buckets: [] }
    const report = {
      source: 'live' as const,
      wanted: 100,
      isDone: false,
      compared: 0,
      agreed: 0,
      errors: 0,
      candidateMs: histogram,
      currentMs: histogram,
      confusion: [],
    }
    this.change = { ...own, phase: 'shadowing', since: now, shadow: report }
    this.#due = {
      at: now + 2000,
      act: () => {
        this.change = {
          ...(this.change as ChangeStatus),
          shadow: { ...report, compared: 100, agreed: 99, isDone: true },
        }
      },
    }
  }

  #activate(activation: string, withinMs: number, now: number): void {
    const own = this.change as ChangeStatus
    this.change = { ...own, phase: 'activating', since: now, activation, fault: null }
    this.#due = {
      at: now + this.options.swapMs,
      act: () => {
        const mine = this.change as ChangeStatus
        if (this.options.release === 'load') {
          this.#over.set(activation, 'reverted')
          this.#fail(mine, 'load', now)
          return
        }
        const at = now + this.options.swapMs
        const fails =
          this.options.release === 'errors' || this.options.release === 'crash' || this.options.release === 'kills'
        this.serving = mine.item
        this.#probation = { until: at + withinMs, failsAt: fails ? at + 3000 : null }
        this.change = { ...mine, phase: 'probation', since: at, until: at + withinMs + this.options.clockMs }
      },
    }
  }

  #goBack(now: number, kind: ChangeFault): void {
    const own = this.change as ChangeStatus
    if (own.activation !== null) this.#over.set(own.activation, 'reverted')
    this.#probation = null
    this.serving = kind === 'asked' ? OLD_ITEM : this.confirmed
    if (kind === 'asked') this.confirmed = OLD_ITEM
    this.change = { ...own, phase: 'reverted', since: now, until: null, fault: { kind, msg: `it went back: ${kind}` } }
  }

  #fail(own: ChangeStatus, kind: ChangeFault, now: number): void {
    this.change = { ...own, phase: 'failed', since: now, fault: { kind, msg: `it failed: ${kind}` } }
  }

  #revert(own: ChangeStatus, now: number): void {
    if (own.phase === 'reverted' || own.phase === 'failed' || own.phase === 'reverting') return
    if (own.phase === 'staging' || own.phase === 'staged' || own.phase === 'shadowing') {
      this.#due = null
      this.#fail(own, 'asked', now)
      return
    }
    this.#probation = null
    this.#enter(own, 'reverting', now)
    this.#due = { at: now + this.options.swapMs, act: () => this.#goBack(now + this.options.swapMs, 'asked') }
  }

  #end(own: ChangeStatus, now: number): void {
    if (own.phase === 'activating' || own.phase === 'probation') this.#goBack(now, 'asked')
    else if (own.phase === 'staging' || own.phase === 'staged' || own.phase === 'shadowing')
      this.#fail(own, 'asked', now)
    if (own.phase === 'reverting') return
    this.#due = null
    this.change = { ...(this.change as ChangeStatus), isLocked: false }
  }

  #enter(own: ChangeStatus, phase: ChangeStatus['phase'], now: number): void {
    this.change = { ...own, phase, since: now, until: null }
  }

  #status(
    phase: ChangeStatus['phase'],
    now: number,
    { rollout, isLocked }: { rollout: string; isLocked: boolean },
  ): ChangeStatus {
    return {
      rollout,
      term: Math.max(1, this.#term),
      item: this.confirmed,
      phase,
      since: now + this.options.clockMs,
      isLocked,
      activation: null,
      until: null,
      progress: null,
      fault: null,
      served: null,
      shadow: null,
      uncleanStarts: 0,
    }
  }

  #count(ms: number): void {
    this.#owed += (this.options.requestsPerSec * ms) / 1000
    const requests = Math.floor(this.#owed)
    this.#owed -= requests
    const isNew = this.serving.digest !== OLD_ITEM.digest
    const share = isNew && this.options.release === 'quiet-errors' ? 0.3 : 0
    const failed = Math.round(requests * share)
    const { counters } = this
    this.counters = { requests: counters.requests + requests, failed: counters.failed + failed, slow: counters.slow }
  }
}

function refused(code: string, msg: string): StepOutcome {
  return { ok: false, code, msg, retry: false }
}
