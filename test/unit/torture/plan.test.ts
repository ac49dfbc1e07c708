import { expect, it } from 'vitest'
import { seededRandom } from '../../support/random.ts'
import { FAULTS, planFaults } from '../../torture/plan.ts'

it('plans the same faults for the same seed, and others for another', () => {
  const plan = (seed: number) => planFaults(seededRandom(seed), { seconds: 60, nodes: 3 })
  expect(plan(7)).toEqual(plan(7))
  expect(plan(7)).not.toEqual(plan(8))
})

it('plans every fault that is asked for, within the time and on nodes that there are', () => {
  const steps = planFaults(seededRandom(1), { seconds: 60, nodes: 3 })
  expect(new Set(steps.map(({ fault }) => fault))).toEqual(new Set(FAULTS))
  expect(new Set(steps.map(({ node }) => node))).toEqual(new Set([0, 1, 2]))
  for (const { atMs } of steps) expect(atMs).toBeLessThan(60_000)
  const only = planFaults(seededRandom(1), { seconds: 60, nodes: 1, faults: ['kill daemon'] })
  expect(new Set(only.map(({ fault }) => fault))).toEqual(new Set(['kill daemon']))
})
