import { activityOf, next, type SlotEvent } from '../../../edge-daemon/changes/slot.ts'
import { EMPTY_SLOT, type Moment, type SlotState } from '../../../edge-daemon/changes/slot-state.ts'
import { type Step, takeStep } from '../../../edge-daemon/changes/slot-steps.ts'
import { statusOf } from '../../../edge-daemon/changes/status.ts'
import {
  type ChangeStatus,
  type Item,
  isSameItem,
  localGatesSchema,
  type ShadowReport,
} from '../../../protocol/change.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import type { Counts, StepOrder, StepOutcome } from '../../../src/rollout/contract.ts'
import { itemOf } from '../../../src/rollout/plan-items.ts'
import { OLD_ITEM, OWN_ITEM } from './plans.ts'

/** What the new item does on a node. */
export const RELEASES = ['good', 'errors', 'load', 'package', 'crash', 'kills', 'quiet-errors', 'disagrees'] as const
/** @see RELEASES */
export type Release = (typeof RELEASES)[number]

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
  /** What it has confirmed before, and what is brought; {@link OWN_ITEM} is what it was set up with. */
  readonly items: readonly [before: Item, next: Item]
}

const NOTHING: Counts = { requests: 0, failed: 0, slow: 0 }
const FAILS_AFTER_MS = 3000
const SHADOW_MS = 2000
const SHADOW_SAMPLES = 100

/** A node around the daemon's own slot: what the slot asks for takes simulated time. Time comes from outside. */
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
  instance = 'i1'
  counters: Counts = NOTHING
  /** Longest that it was on probation, ms. */
  longestProbationMs = 0
  #slot: SlotState
  #activity: string | null = null
  #dueAt = 0
  #owed = 0
  #servingSince = 0
  #term = 0
  #locker: string | null = null

  constructor(options: SimulatedNodeOptions) {
    this.options = options
    const [before] = options.items
    this.#slot = { ...EMPTY_SLOT, confirmed: before.origin === undefined ? [before] : [] }
  }

  /** What it serves. */
  get serving(): Item {
    const { change } = this.#slot
    return change?.phase === 'probation' ? change.item : this.confirmed
  }

  /** What it goes back to. */
  get confirmed(): Item {
    return this.#slot.confirmed[0] ?? OWN_ITEM
  }

  /** Between two items, for the moment of a swap. */
  get isSwapping(): boolean {
    const phase = this.#slot.change?.phase
    return phase === 'activating' || phase === 'reverting'
  }

  /** Whether a rollout holds its lock. */
  holds(rollout: string): boolean {
    return this.#slot.change?.rollout === rollout && this.#slot.change.isLocked
  }

  get phase(): ChangeStatus['phase'] | null {
    return this.#slot.change?.phase ?? null
  }

  /** Another rollout takes the node's lock, or gives it back. */
  lock(by: string | null): void {
    if (by === null || this.#slot.change?.isLocked !== true) this.#locker = by
  }

  /** What of changes a status tells. */
  told(now: number): ChangeStatus | null {
    const own = statusOf(this.#slot, {
      own: OWN_ITEM,
      now: this.#moment(now),
      served: NOTHING,
      progress: null,
      shadow: null,
    })
    if (this.#locker === null || own?.isLocked === true) return own
    return {
      rollout: this.#locker,
      term: 1,
      item: OLD_ITEM,
      phase: 'staged',
      since: now,
      isLocked: true,
      activation: null,
      until: null,
      progress: null,
      fault: null,
      served: null,
      shadow: null,
      uncleanStarts: 0,
    }
  }

  /** Time goes on by `ms` until `now`. */
  pass(now: number, ms: number): void {
    if (!this.isAlive) return
    this.#count(ms)
    if (this.#activity !== null && now >= this.#dueAt) this.#finish(now)
    if (this.#slot.change?.phase !== 'probation') return
    this.longestProbationMs = Math.max(this.longestProbationMs, now - this.#servingSince)
    this.#happen({ type: 'looked' }, now)
    if (this.#slot.change.phase === 'probation' && now - this.#servingSince >= FAILS_AFTER_MS) this.#misbehave(now)
  }

  /** The machine or the daemon dies. */
  die(): void {
    this.isAlive = false
  }

  /** A node that died starts again: its slot is as it was kept. */
  start(now: number): void {
    if (this.isAlive) return
    this.isAlive = true
    this.instance = `i${now}`
    this.counters = NOTHING
    this.#activity = null
    this.#happen({ type: 'started' }, now)
  }

  /** Take an order as the daemon does. */
  take(order: Omit<StepOrder, 'mandate'>, now: number): StepOutcome {
    const own = this.#slot.change?.rollout === order.plan.rollout ? this.#slot.change : null
    if (this.#locker !== null && own?.isLocked !== true && order.step !== 'end') {
      return { ok: false, code: 'CHANGE_LOCKED', msg: `rollout ${this.#locker} holds it`, retry: false }
    }
    try {
      this.#happen({ type: 'looked' }, now)
      this.#become(takeStep(this.#slot, stepOf(order, this.options.key), this.#moment(now)), now)
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      return { ok: false, code: error.code, msg: error.message, retry: false }
    }
    if (order.term < this.#term)
      throw new Error(`law: ${this.options.key} takes a step of term ${order.term} behind ${this.#term}`)
    this.#term = order.term
    const told = this.told(now)
    return { ok: true, change: told?.rollout === order.plan.rollout ? told : null }
  }

  #moment(now: number): Moment {
    return { wallMs: now + this.options.clockMs, upMs: now, bootId: 'boot' }
  }

  #happen(event: SlotEvent, now: number): void {
    this.#become(next(this.#slot, event, this.#moment(now)), now)
  }

  #become(state: SlotState, now: number): void {
    this.#slot = state
    const activity = activityOf(state)
    if ((activity?.key ?? null) === this.#activity) return
    this.#activity = activity?.key ?? null
    const { stageMs, swapMs } = this.options
    const lasts = activity?.kind === 'stage' ? stageMs : activity?.kind === 'shadow' ? SHADOW_MS : swapMs
    this.#dueAt = now + lasts
  }

  #finish(now: number): void {
    const { release } = this.options
    switch (activityOf(this.#slot)?.kind) {
      case 'stage':
        if (release === 'package') this.#happen({ type: 'failed', fault: { kind: 'package', msg: 'not signed' } }, now)
        else this.#happen({ type: 'staged' }, now)
        break
      case 'shadow':
        this.#happen({ type: 'compared', report: reportOf(release === 'disagrees' ? 40 : 99) }, now)
        break
      case 'load':
        if (release === 'load') this.#happen({ type: 'failed', fault: { kind: 'load', msg: 'does not load' } }, now)
        else {
          this.#servingSince = now
          this.#happen({ type: 'loaded' }, now)
        }
        break
      case 'return':
        this.#happen({ type: 'returned' }, now)
        break
    }
  }

  #misbehave(now: number): void {
    switch (this.options.release) {
      case 'errors':
        this.#happen({ type: 'gate', fault: { kind: 'errors', msg: '9 of 60 failed' } }, now)
        break
      case 'crash':
        this.#happen({ type: 'died', msg: 'SIGSEGV' }, now)
        break
      case 'kills':
        this.die()
        break
    }
  }

  #count(ms: number): void {
    this.#owed += (this.options.requestsPerSec * ms) / 1000
    const requests = Math.floor(this.#owed)
    this.#owed -= requests
    const isBad = this.options.release === 'quiet-errors' && !isSameItem(this.serving, this.options.items[0])
    const { counters } = this
    this.counters = {
      requests: counters.requests + requests,
      failed: counters.failed + (isBad ? Math.round(requests * 0.3) : 0),
      slow: counters.slow,
    }
  }
}

function reportOf(agreed: number): ShadowReport {
  const histogram = { count: 0, sumMs: 0, maxMs: 0, buckets: [] }
  return {
    source: 'live',
    wanted: SHADOW_SAMPLES,
    isDone: true,
    compared: SHADOW_SAMPLES,
    agreed,
    errors: 0,
    candidateMs: histogram,
    currentMs: histogram,
    confusion: [],
  }
}

function stepOf({ plan, term, step, activation, why }: Omit<StepOrder, 'mandate'>, key: string): Step {
  const { rollout, sources, strategy } = plan
  const args = { rollout, term }
  switch (step) {
    case 'stage':
      return { verb: 'change.stage', args: { ...args, item: itemOf(plan, key), sources: [...sources] } }
    case 'shadow':
      return { verb: 'change.shadow', args: { ...args, source: 'live', samples: SHADOW_SAMPLES, samplePct: 20 } }
    case 'activate': {
      const gates = localGatesSchema.parse(strategy.localGates)
      const confirmWithinSec = strategy.confirmWithinSec
      return {
        verb: 'change.activate',
        args: { ...args, activation: activation ?? '', confirmWithinSec, gates, comparePct: 10 },
      }
    }
    case 'confirm':
      return { verb: 'change.confirm', args: { ...args, activation: activation ?? '' } }
    case 'revert':
      return {
        verb: 'change.revert',
        args: { ...args, ...(activation === null ? {} : { activation }), why: why ?? '' },
      }
    case 'end':
      return { verb: 'change.end', args }
  }
}
