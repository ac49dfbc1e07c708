import { describe, expect, it } from 'vitest'
import { SCENARIOS } from '../../../bench/gates/scenarios.ts'
import { type Outcome, type Scenario, simulateRollout } from '../../../bench/gates/simulated-rollout.ts'
import { seededRandom } from '../../support/random.ts'

/**
 * Whole simulated rollouts; `bench/gates.ts` does more of them. Seeds are fixed, so that a run says the same twice. Were one
 * in twenty stopped, more than 3 of 16 would be with a chance of 0.7 %.
 */
const ROLLOUTS = 16
const STOPS_AT_MOST = 3

function rollouts(name: string, count: number): readonly Outcome[] {
  const random = seededRandom(20_261_126)
  return Array.from({ length: count }, () => simulateRollout(SCENARIOS[name] as Scenario, random))
}

describe('gates over whole rollouts', () => {
  it.each(Object.keys(SCENARIOS).filter((name) => name.startsWith('A/A') && !name.includes('falls ill')))(
    'stop hardly ever what is as good as before: %s',
    (name) => {
      expect(rollouts(name, ROLLOUTS).filter(({ end }) => end === 'stopped').length).toBeLessThanOrEqual(STOPS_AT_MOST)
    },
  )

  it('do not stop for one node that falls ill by itself, but hold the wave until somebody looks', () => {
    const outcomes = rollouts('A/A one node falls ill', 6)
    expect(outcomes.filter(({ end }) => end === 'stopped').length).toBeLessThanOrEqual(1)
    expect(outcomes.filter(({ pauses }) => pauses > 0).length).toBeGreaterThanOrEqual(5)
  })

  it('stop three-fold errors within the first soak of an ordinary fleet', () => {
    const caught = rollouts('three-fold ordinary', 100).filter(
      ({ wave, atSec }) => wave === 0 && atSec > 0 && atSec <= 300,
    )
    expect(caught.length).toBeGreaterThanOrEqual(95)
  })

  it('stop three-fold errors of six nodes at two sites', () => {
    const stopped = rollouts('three-fold six nodes at two sites', 60).filter(({ end }) => end === 'stopped')
    expect(stopped.length).toBeGreaterThanOrEqual(54)
  })

  it.each(['heterogeneous', 'bursts', 'diurnal', 'site faults', 'one node was ill', 'all of it'])(
    'stop three-fold errors before the rollout is through: %s',
    (name) => {
      const stopped = rollouts(`three-fold ${name}`, ROLLOUTS).filter(({ end }) => end === 'stopped')
      expect(stopped.length).toBeGreaterThanOrEqual(ROLLOUTS - 1)
    },
  )
})
