import { describe, expect, it } from 'vitest'
import type { GateVerdict, RolloutEvent } from '../../../../src/rollout/contract.ts'
import { fold } from '../../../../src/rollout/fold.ts'
import type { RolloutState } from '../../../../src/rollout/state.ts'
import { waitsFor } from '../../../../src/ui/rollouts/waits-for.ts'
import { planOf } from '../../../support/rollout/events.ts'
import { ANNA, entriesOf } from '../../../support/rollout/plans.ts'

const AT = 1_800_000_000_000
const PLAN = planOf(['n1', 'n2'])
const few = { requests: 4, failed: 0, slow: 0 }

function judged(atMs: number, verdict: GateVerdict['verdict']): RolloutEvent {
  const finding = {
    gate: 'failed',
    against: 'limit',
    verdict,
    msg: '0 of 4 failed',
    changed: few,
    baseline: null,
  } as const
  return { at: AT + atMs, term: 1, type: 'gate.judged', wave: 'canary', verdict: { verdict, findings: [finding] } }
}

function stateAfter(...events: readonly RolloutEvent[]): RolloutState {
  const state = fold(
    null,
    entriesOf([
      { at: AT, term: 0, type: 'rollout.started', plan: PLAN, by: ANNA, why: null },
      { at: AT, term: 1, type: 'driver.took', holder: 'c1' },
      { at: AT, term: 1, type: 'wave.began', wave: 'canary' },
      { at: AT, term: 1, type: 'baseline.taken', wave: 'canary', counters: {} },
      ...events,
    ]),
  )
  if (state === null) throw new Error('no state')
  return state
}

const said = (state: RolloutState, afterMs: number): string => waitsFor(state, { nowMs: AT + afterMs, driver: {} })

describe('what a rollout waits for', () => {
  it('names what is missing to judge a wave once its least time is over, and not before', () => {
    const state = stateAfter(judged(100, 'inconclusive'))
    expect(said(state, 500)).not.toContain('judged')
    expect(said(state, 5000)).toContain('not judged yet: 4 of 50 requests at changed nodes')
  })

  it('of a pause for want of data says why, and that it may go on once the data has come', () => {
    const why = 'canary cannot be judged after 10s: 4 of 50 requests at changed nodes'
    const paused: RolloutEvent = { at: AT + 10_000, term: 1, type: 'rollout.paused', why }
    const state = stateAfter(judged(9000, 'inconclusive'), paused)
    expect(said(state, 11_000)).toBe(`paused: ${why}; no new step is begun`)
    const passed = stateAfter(judged(9000, 'inconclusive'), paused, judged(20_000, 'pass'))
    expect(said(passed, 21_000)).toBe('paused, but by now the gates of canary pass: resume goes on')
  })
})
