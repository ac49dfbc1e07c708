import fc from 'fast-check'
import { describe, it } from 'vitest'
import { holdToLaws } from '../../support/rollout/laws.ts'
import { scenarios } from '../../support/rollout/scenarios.ts'

describe('every rollout, whatever goes wrong', () => {
  it('keeps to budgets, judges before it confirms, ends, and leaves no node where it is not said to be', () => {
    fc.assert(
      fc.property(scenarios(40), (scenario) => {
        holdToLaws(scenario)
      }),
      { numRuns: Number(process.env.EDGE_LAW_RUNS ?? 40) },
    )
  })
})
