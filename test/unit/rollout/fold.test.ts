import { describe, expect, it } from 'vitest'
import type { RolloutEvent } from '../../../src/rollout/contract.ts'
import { fold } from '../../../src/rollout/fold.ts'
import { openSteps } from '../../../src/rollout/open-steps.ts'
import { awaitsApproval } from '../../../src/rollout/state.ts'
import { DEFAULT_STRATEGY } from '../../../src/rollout/strategy.ts'
import { ANNA, entriesOf, planOf } from '../../support/rollout/plans.ts'

const plan = planOf(DEFAULT_STRATEGY, [['n1'], ['n2', 'n3']], { approve: ['canary'] })
const started: RolloutEvent = { at: 1, term: 0, type: 'rollout.started', plan, by: ANNA, why: null }
const took = (term: number, holder = 'c1'): RolloutEvent => ({ at: 2, term, type: 'driver.took', holder })
const intended = (term: number, node: string): RolloutEvent => ({
  at: 3,
  term,
  type: 'step.intended',
  node,
  step: 'stage',
  attempt: 1,
  activation: null,
  why: null,
})

describe('the fold over a journal', () => {
  it('knows nothing before the start, and stops reading where an entry is missing', () => {
    expect(fold(null, [{ seq: 1, event: took(1) }])).toBeNull()
    const gap = fold(null, [
      { seq: 1, event: started },
      { seq: 3, event: took(1) },
    ])
    expect(gap).toMatchObject({ seq: 1, term: 0 })
  })

  it('passes over what a replaced driver wrote, and over what was read before', () => {
    const entries = entriesOf([started, took(1), took(2, 'c2'), intended(1, 'n1'), intended(2, 'n2')])
    const state = fold(null, entries)
    expect(state?.driver?.holder).toBe('c2')
    expect(state?.nodes.get('n1')?.standing).toBe('waiting')
    expect(state?.nodes.get('n2')).toMatchObject({ standing: 'staging', isHeld: true })
    expect(fold(state, entries)).toBe(state)
  })

  it('tells a successor which steps nobody knows the outcome of, under its own term', () => {
    const state = fold(null, entriesOf([started, took(1), intended(1, 'n1'), took(2)]))
    expect(state && openSteps(state)).toMatchObject([{ node: 'n1', step: 'stage', term: 2 }])
  })

  it('leaves what it was made from as it was', () => {
    const before = fold(null, entriesOf([started, took(1)]))
    const frozen = structuredClone({ ...before, nodes: [...(before?.nodes ?? [])] })
    fold(before, entriesOf([started, took(1), intended(1, 'n1')]))
    expect({ ...before, nodes: [...(before?.nodes ?? [])] }).toEqual(frozen)
  })

  it('takes what people decide whoever drives, and nothing once it has ended', () => {
    const decided = (decision: 'approve' | 'pause' | 'abort'): RolloutEvent => ({
      at: 5,
      term: 0,
      type: 'person.decided',
      decision,
      wave: null,
      by: ANNA,
      why: null,
    })
    const canary: RolloutEvent[] = [
      { at: 3, term: 1, type: 'wave.began', wave: 'canary' },
      { at: 4, term: 1, type: 'wave.ended', wave: 'canary', why: 'done' },
    ]
    const waiting = fold(null, entriesOf([started, took(1), ...canary]))
    expect(waiting && awaitsApproval(waiting)?.name).toBe('canary')
    const approved = fold(null, entriesOf([started, took(1), ...canary, decided('approve')]))
    expect(approved && awaitsApproval(approved)).toBeNull()
    const over: RolloutEvent = { at: 6, term: 1, type: 'rollout.ended', outcome: 'reverted', exceptions: [] }
    const ended = fold(null, entriesOf([started, took(1), decided('pause'), decided('abort'), over, decided('pause')]))
    expect(ended).toMatchObject({ phase: 'reverted', halt: { by: 'anna' } })
  })
})
