import { expect, test } from 'vitest'
import { blastRadius } from '../../../src/rollout/blast-radius.ts'
import { planNode, planOf } from '../../support/rollout-plan.ts'

test("counts nodes, sites and the share of the fleet's traffic that a plan and each of its waves touch", () => {
  const plan = planOf(
    { canary: ['a'], 'wave-1': ['b', 'c'] },
    {
      nodes: [
        planNode('a', { site: 's1', requestsPerSec: 10 }),
        planNode('b', { site: 's2', requestsPerSec: 30 }),
        planNode('c', { site: 's2', requestsPerSec: null }),
        planNode('late', { site: 's3', requestsPerSec: 20 }),
        planNode('peer', { site: 's1', requestsPerSec: 40 }),
      ],
      deferred: [{ key: 'late', why: 'offline' }],
      peers: ['peer'],
      fleetRequestsPerSec: 200,
    },
  )
  expect(blastRadius(plan)).toEqual({
    nodes: 4,
    sites: ['s1', 's2', 's3'],
    trafficPct: 30,
    unknownTraffic: 1,
    leastSec: 120,
    waves: [
      { name: 'canary', nodes: 1, sites: ['s1'], trafficPct: 5 },
      { name: 'wave-1', nodes: 2, sites: ['s2'], trafficPct: 15 },
    ],
  })
})

test('tells no share where no rate is known, instead of none', () => {
  const plan = planOf({ canary: ['a'] }, { nodes: [planNode('a', { requestsPerSec: null })] })
  expect(blastRadius(plan).trafficPct).toBeNull()
})
