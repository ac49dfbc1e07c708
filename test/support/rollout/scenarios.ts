import fc from 'fast-check'
import { DEFAULT_STRATEGY } from '../../../src/rollout/strategy.ts'
import { RELEASES } from './simulated-node.ts'
import type { Scenario } from './simulated-world.ts'

const strategy = fc
  .record({
    soakSec: fc.integer({ min: 2, max: 30 }),
    moreSoakSec: fc.integer({ min: 0, max: 60 }),
    slackSec: fc.integer({ min: 30, max: 120 }),
    darkSec: fc.integer({ min: 8, max: 60 }),
    deferredForSec: fc.integer({ min: 0, max: 200 }),
    parallel: fc.integer({ min: 1, max: 30 }),
    siteBudget: fc.oneof(
      fc.record({ count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ percent: fc.integer({ min: 1, max: 100 }) }),
    ),
    maxFailedNodes: fc.integer({ min: 0, max: 3 }),
    // Where something has to be shown, waves of few requests soak to the last and pause.
    severeFactor: fc.constantFrom(1, 1, 1, 3),
    shadow: fc.constantFrom('none' as const, 'canary' as const, 'all' as const),
  })
  .map(({ soakSec, moreSoakSec, slackSec, severeFactor, shadow, ...rest }) => ({
    ...DEFAULT_STRATEGY,
    ...rest,
    gates: { ...DEFAULT_STRATEGY.gates, severeFactor },
    soakSec,
    maxSoakSec: soakSec + moreSoakSec,
    confirmWithinSec: soakSec + moreSoakSec + slackSec,
    shadow:
      shadow === 'none' || DEFAULT_STRATEGY.shadow === null ? null : { ...DEFAULT_STRATEGY.shadow, nodes: shadow },
  }))

const trouble = fc.record({
  atMs: fc.integer({ min: 0, max: 200_000 }),
  forMs: fc.integer({ min: 500, max: 150_000 }),
  kind: fc.constantFrom(
    'cut' as const,
    'site-cut' as const,
    'dead' as const,
    'silent' as const,
    'nan' as const,
    'none' as const,
    'alert' as const,
    'locked' as const,
  ),
  node: fc.nat({ max: 500 }),
})

const strike = fc.record({
  afterAppends: fc.integer({ min: 1, max: 60 }),
  kind: fc.constantFrom('kill' as const, 'stop' as const),
  forMs: fc.integer({ min: 250, max: 40_000 }),
})

const decision = fc.record({
  atMs: fc.integer({ min: 0, max: 250_000 }),
  decision: fc.constantFrom('pause' as const, 'resume' as const, 'abort' as const, 'promote' as const),
})

/** Runs of at most so many nodes, with everything that may go wrong in them. */
export function scenarios(mostNodes: number): fc.Arbitrary<Scenario> {
  return fc.record({
    seed: fc.integer(),
    nodes: fc.integer({ min: 1, max: mostNodes }),
    sites: fc.integer({ min: 1, max: 6 }),
    waves: fc.array(fc.integer({ min: 1, max: Math.ceil(mostNodes / 2) }), { minLength: 1, maxLength: 4 }),
    strategy,
    releases: fc.oneof(
      { weight: 3, arbitrary: fc.constant(['good' as const]) },
      { weight: 2, arbitrary: fc.array(fc.constantFrom(...RELEASES), { minLength: 1, maxLength: 5 }) },
      {
        weight: 1,
        arbitrary: fc
          .constantFrom(...RELEASES)
          .map((one) => [...Array.from({ length: 9 }, () => 'good' as const), one]),
      },
    ),
    requestsPerSec: fc.constantFrom(0, 1, 20, 200),
    troubles: fc.array(trouble, { maxLength: 12 }),
    strikes: fc.array(strike, { maxLength: 12 }),
    decisions: fc.array(decision, { maxLength: 4 }).map((list) => list.toSorted((a, b) => a.atMs - b.atMs)),
    approve: fc.subarray(['canary', 'wave-1', 'wave-2']),
    operator: fc.constantFrom('resumes' as const, 'promotes' as const, 'aborts' as const),
    way: fc.constantFrom('packages' as const, 'away' as const, 'back' as const),
    maxStageMs: fc.constantFrom(100, 5000, 90_000),
  })
}
