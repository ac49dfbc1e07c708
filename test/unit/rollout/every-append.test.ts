import { describe, expect, it } from 'vitest'
import { DEFAULT_STRATEGY } from '../../../src/rollout/strategy.ts'
import { holdToLaws } from '../../support/rollout/laws.ts'
import type { Scenario } from '../../support/rollout/simulated-world.ts'

const { shadow } = DEFAULT_STRATEGY

/** Small and whole: staged, shadowed, activated, soaked, confirmed, and the same in a second wave. */
const THROUGH: Scenario = {
  seed: 7,
  nodes: 3,
  sites: 1,
  waves: [1, 1],
  strategy: {
    ...DEFAULT_STRATEGY,
    soakSec: 4,
    maxSoakSec: 30,
    confirmWithinSec: 70,
    darkSec: 30,
    siteBudget: { count: 1 },
    shadow: shadow === null ? null : { ...shadow, nodes: 'all' },
  },
  releases: ['good'],
  requestsPerSec: 400,
  troubles: [],
  strikes: [],
  decisions: [],
  approve: [],
  operator: 'resumes',
  maxStageMs: 500,
  way: 'packages',
}

/** The lease is over after ten seconds: a driver that is stopped for longer goes on beside one that took over. */
const STRIKES = [
  { kind: 'kill', forMs: 0 },
  { kind: 'stop', forMs: 14_000 },
] as const

/** Aborted when the second wave soaks, with the canary confirmed: everything is taken back. */
function aborted(): Scenario {
  const { journal } = holdToLaws(THROUGH)
  const soak = journal.entries.findLast(({ event }) => event.type === 'baseline.taken')
  const atMs = (soak?.event.at ?? 0) - (journal.entries[0]?.event.at ?? 0) + 1000
  return { ...THROUGH, decisions: [{ atMs, decision: 'abort' }] }
}

/** Run it as it is, then once for every append of its driver with that one struck. */
function strikeEach(scenario: Scenario, strike: (typeof STRIKES)[number], end: 'done' | 'reverted'): number {
  const plain = holdToLaws(scenario)
  expect(plain.state.phase).toBe(end)
  const appends = plain.journal.entries.filter(({ event }) => event.type !== 'person.decided').length - 1
  for (let afterAppends = 1; afterAppends <= appends; afterAppends++) {
    const where = `${strike.kind} at append ${afterAppends} of ${appends}`
    const world = holdToLaws({ ...scenario, strikes: [{ ...strike, afterAppends }] })
    const drivers = world.journal.entries.filter(({ event }) => event.type === 'driver.took').length
    const { phase, exceptions } = world.state
    // One that was struck before it had its term leaves the first to another.
    expect({ where, phase, exceptions, isTaken: drivers >= (afterAppends === 1 ? 1 : 2) }).toEqual({
      where,
      phase: end,
      exceptions: [],
      isTaken: true,
    })
  }
  return appends
}

describe('a driver that is struck at each of its appends', () => {
  it.each(STRIKES)(
    'leaves a rollout that another brings through: $kind',
    (strike) => {
      expect(strikeEach(THROUGH, strike, 'done')).toBeGreaterThan(25)
    },
    120_000,
  )

  it.each(STRIKES)(
    'leaves one that is aborted to another, who takes it back: $kind',
    (strike) => {
      expect(strikeEach(aborted(), strike, 'reverted')).toBeGreaterThan(25)
    },
    120_000,
  )
})
