import { describe, expect, it } from 'vitest'
import type { StepOrder } from '../../../src/rollout/contract.ts'
import { adjustStrategy, DEFAULT_STRATEGY } from '../../../src/rollout/strategy.ts'
import { stepCommand } from '../../../src/rollout/targets/step-args.ts'
import { planOf } from '../../support/rollout-plan.ts'

function shadowOf(shadow: Readonly<Record<string, unknown>>) {
  const plan = planOf({ canary: ['n1'] }, { strategy: adjustStrategy(DEFAULT_STRATEGY, { shadow }) })
  const order: StepOrder = { plan, term: 1, node: 'n1', step: 'shadow', activation: null, why: null, mandate: null }
  return stepCommand(order)
}

describe('the shadow that a node is asked for', () => {
  it('takes as many of the live pictures as the strategy says, else what a node takes by itself', () => {
    const head = { rollout: 'r7k2m', term: 1, source: 'live', samples: 60 }
    expect(shadowOf({ samples: 60, samplePct: 100 })).toEqual({
      verb: 'change.shadow',
      args: { ...head, samplePct: 100 },
    })
    expect(shadowOf({ samples: 60 })).toEqual({ verb: 'change.shadow', args: head })
  })
})
