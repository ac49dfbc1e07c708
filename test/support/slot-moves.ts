import { next, type SlotEvent } from '../../edge-daemon/changes/slot.ts'
import { EMPTY_SLOT, type Moment, type SlotState } from '../../edge-daemon/changes/slot-state.ts'
import { type Step, takeStep } from '../../edge-daemon/changes/slot-steps.ts'
import type { Item } from '../../protocol/change.ts'

/** An item of a test; `of` names it, `own` what the node was set up with. */
export function testItem(of: string): Item {
  const digest = Buffer.from(of).toString('hex').padEnd(64, '0')
  const item = { kind: 'model' as const, name: 'digits', version: of, digest }
  return of === 'own' ? { ...item, origin: 'node' } : item
}

/** A slot whose clocks are moved by hand. */
export class MovedSlot {
  state: SlotState = EMPTY_SLOT
  now: Moment = { wallMs: 1_800_000_000_000, upMs: 1_000_000, bootId: 'boot-1' }

  /** Let time pass on all clocks. */
  pass(ms: number): this {
    this.now = { ...this.now, wallMs: this.now.wallMs + ms, upMs: this.now.upMs + ms }
    return this.does({ type: 'looked' })
  }

  /** The machine starts anew, after `offMs` by its wall clock. */
  boots(offMs = 0): this {
    const bootId = `${this.now.bootId}+`
    this.now = { wallMs: this.now.wallMs + offMs, upMs: 5000, bootId }
    return this.does({ type: 'started' })
  }

  does(event: SlotEvent): this {
    this.state = next(this.state, event, this.now)
    return this
  }

  asks(step: Step): this {
    this.does({ type: 'looked' })
    this.state = takeStep(this.state, step, this.now)
    return this
  }

  get phase(): string | null {
    return this.state.change?.phase ?? null
  }

  /** Staged, activated and serving on probation. */
  onProbation(of: string, { rollout = 'r1', activation = 'a1', withinSec = 600 } = {}): this {
    return this.asks(stage(of, rollout))
      .does({ type: 'staged' })
      .asks(activate(activation, rollout, withinSec))
      .does({ type: 'loaded' })
  }
}

/** @see CHANGE_ARGS */
export function stage(of: string, rollout = 'r1', term = 1): Step {
  return { verb: 'change.stage', args: { rollout, term, item: testItem(of), sources: [{ kind: 'link' }] } }
}

/** @see CHANGE_ARGS */
export function activate(activation = 'a1', rollout = 'r1', confirmWithinSec = 600, term = 1): Step {
  const gates = { maxFailedPct: 2, maxSlowPct: 10, maxDisagreePct: 20, minRequests: 50 }
  return { verb: 'change.activate', args: { rollout, term, activation, confirmWithinSec, gates, comparePct: 10 } }
}

/** @see CHANGE_ARGS */
export function confirm(activation = 'a1', rollout = 'r1', term = 1): Step {
  return { verb: 'change.confirm', args: { rollout, term, activation } }
}

/** @see CHANGE_ARGS */
export function revert(activation?: string, rollout = 'r1', term = 1): Step {
  const args = { rollout, term, why: 'somebody asked' }
  return { verb: 'change.revert', args: activation === undefined ? args : { ...args, activation } }
}

/** @see CHANGE_ARGS */
export function end(rollout = 'r1', term = 1): Step {
  return { verb: 'change.end', args: { rollout, term } }
}

/** @see CHANGE_ARGS */
export function shadow(samples = 10, rollout = 'r1', term = 1): Step {
  return { verb: 'change.shadow', args: { rollout, term, source: 'kept', samples, samplePct: 20 } }
}
