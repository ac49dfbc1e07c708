import { describe, expect, it } from 'vitest'
import type { Item } from '../../../protocol/change.ts'
import type { Plan, RolloutEvent } from '../../../src/rollout/contract.ts'
import { fold } from '../../../src/rollout/fold.ts'
import { itemOf } from '../../../src/rollout/plan-items.ts'
import { type NodeFact, planRollout, undoOf } from '../../../src/rollout/planner.ts'
import type { RolloutWish } from '../../../src/rollout/service.ts'
import type { RolloutState } from '../../../src/rollout/state.ts'
import { adjustStrategy, DEFAULT_STRATEGY } from '../../../src/rollout/strategy.ts'
import { ANNA, entriesOf, NEW_ITEM, OLD_ITEM, OWN_ITEM, planNode, planOf } from '../../support/rollout/plans.ts'

function fact(key: string, more: Partial<NodeFact> = {}): NodeFact {
  return {
    key,
    name: key,
    site: 's1',
    nodeClass: 'light',
    requestsPerSec: 5,
    reach: 'up',
    criticalAlerts: 0,
    confirmed: [OLD_ITEM],
    change: null,
    ...more,
  }
}

function wish(nodes: readonly string[], knobs: Record<string, unknown> = {}): RolloutWish {
  const strategy = adjustStrategy(DEFAULT_STRATEGY, knobs)
  return { target: 'daemon', item: NEW_ITEM, sources: [{ kind: 'link' }], nodes, strategy, undoes: null }
}

/** A rollout whose nodes have confirmed it, some with a word of what they had before. */
function confirmedAll(plan: Plan, nodes: readonly string[], before: Readonly<Record<string, Item>>): RolloutState {
  const events = nodes.flatMap((node): RolloutEvent[] => {
    const done = { at: 3, term: 1, type: 'step.done' as const, node }
    const told = before[node]
    const change = told === undefined ? null : { ...LOCKED, rollout: plan.rollout, item: plan.item, before: told }
    return [
      { ...done, step: 'stage', change },
      { ...done, step: 'confirm', change: null },
    ]
  })
  const state = fold(
    null,
    entriesOf([
      { at: 1, term: 0, type: 'rollout.started', plan, by: ANNA, why: null },
      { at: 2, term: 1, type: 'driver.took', holder: 'c1' },
      ...events,
    ]),
  )
  if (state === null) throw new Error('no state')
  return state
}

const LOCKED = {
  rollout: 'other',
  term: 1,
  item: OLD_ITEM,
  phase: 'staged' as const,
  since: 1,
  isLocked: true,
  activation: null,
  until: null,
  progress: null,
  fault: null,
  served: null,
  shadow: null,
  uncleanStarts: 0,
}

describe('a plan', () => {
  const sites = ['s1', 's2', 's3']
  const fleet = Array.from({ length: 30 }, (_, index) =>
    fact(`n${index}`, { site: sites[index % 3] as string, nodeClass: index % 2 === 0 ? 'light' : 'heavy' }),
  )
  const keys = fleet.map(({ key }) => key)

  it('tries each site and class once before anybody else, the healthy and busy ones', () => {
    const facts = fleet.map((one) =>
      one.key === 'n0'
        ? { ...one, criticalAlerts: 1, requestsPerSec: 99 }
        : one.key === 'n12'
          ? { ...one, requestsPerSec: 50 }
          : one,
    )
    const plan = planRollout('r1', wish(keys), facts)
    const canary = plan.waves[0]?.nodes ?? []
    expect(canary).toHaveLength(6)
    const strata = canary
      .map((key) => facts.find((one) => one.key === key))
      .map((one) => `${one?.site} ${one?.nodeClass}`)
    expect(new Set(strata).size).toBe(6)
    expect(canary).toContain('n12')
    expect(canary).not.toContain('n0')
  })

  it('puts every node into one wave of the size asked for, sites in turn', () => {
    const plan = planRollout('r1', wish(keys, { canary: 1, waves: [2, '20%'] }), fleet)
    expect(plan.waves.map(({ nodes }) => nodes.length)).toEqual([1, 2, 6, 6, 6, 6, 3])
    expect(plan.waves.flatMap(({ nodes }) => nodes).toSorted()).toEqual(keys.toSorted())
    const sitesOfWave = plan.waves[2]?.nodes.map((key) => fleet.find((one) => one.key === key)?.site)
    expect(new Set(sitesOfWave).size).toBe(3)
  })

  it('defers who is dark or locked, leaves out who is unknown, and passes over who has it', () => {
    const facts = [
      fact('up'),
      fact('dark', { reach: 'offline' }),
      fact('locked', { change: LOCKED }),
      fact('new', { confirmed: [NEW_ITEM] }),
      fact('peer'),
      fact('elsewhere', { site: 's9' }),
    ]
    const plan = planRollout('r1', wish(['up', 'dark', 'locked', 'new', 'gone', 'up']), facts)
    expect(plan.waves).toEqual([{ name: 'canary', nodes: ['up'], needsApproval: false }])
    expect(plan.deferred).toEqual([
      { key: 'dark', why: 'it is offline' },
      { key: 'locked', why: 'rollout other is changing it' },
    ])
    expect(plan).toMatchObject({
      unchanged: ['new'],
      leftOut: [{ key: 'gone', why: 'nobody knows this node' }],
      peers: ['peer'],
    })
    expect(plan.nodes.map(({ key }) => key)).toEqual(['up', 'dark', 'locked', 'new', 'peer'])
  })

  it('keeps what the whole fleet serves beside what is changed, of those that tell', () => {
    const told = [fact('up', { requestsPerSec: 2 }), fact('elsewhere', { site: 's9', requestsPerSec: 6 })]
    const mute = [fact('mute', { requestsPerSec: null })]
    expect(planRollout('r1', wish(['up']), [...told, ...mute]).fleetRequestsPerSec).toBe(8)
    expect(planRollout('r1', wish(['mute']), mute)).not.toHaveProperty('fleetRequestsPerSec')
  })

  it('takes nodes that are ill but reachable: a bad version must not keep its own cure away', () => {
    const plan = planRollout('r1', wish(['ill']), [fact('ill', { criticalAlerts: 2 })])
    expect(plan.waves[0]?.nodes).toEqual(['ill'])
  })

  it('asks for approval where the strategy says so, and not behind the last wave', () => {
    const plan = planRollout('r1', wish(keys, { pauseAfter: ['all'] }), fleet)
    expect(plan.waves.map(({ needsApproval }) => needsApproval)).toEqual([true, true, true, false])
  })

  it.each([
    [['new'], {}, 'there is no node to change: 1 have digits@2.0.0 already'],
    [['dark'], {}, 'there is no node to change: 1 cannot be reached or are locked (dark: it is offline)'],
    [[], {}, 'no node was chosen'],
    [['up'], { canary: ['dark'] }, 'dark cannot be the canary'],
  ])('says why %j cannot be planned', (nodes, knobs, message) => {
    const facts = [fact('up'), fact('dark', { reach: 'offline' }), fact('new', { confirmed: [NEW_ITEM] })]
    expect(() => planRollout('r1', wish(nodes, knobs), facts)).toThrow(message)
  })

  it('of an undo brings each node what it had, by its own word where it gave one', () => {
    const older = { ...OLD_ITEM, version: '0.9.0', digest: 'c'.repeat(64) }
    const plan = planOf(DEFAULT_STRATEGY, [['n1', 'n2', 'n3', 'n4', 'n5', 'n6']], {
      nodes: [
        planNode('n1'),
        planNode('n2'),
        planNode('n3', { before: older }),
        planNode('n4', { before: null }),
        planNode('n5'),
        planNode('n6', { before: null }),
      ],
    })
    const state = confirmedAll(plan, ['n1', 'n2', 'n3', 'n4', 'n6'], { n6: OWN_ITEM })
    const undo = undoOf(state)
    expect(undo).toMatchObject({ item: OLD_ITEM, without: ['n4'] })
    const facts = ['n1', 'n2', 'n3', 'n4', 'n6'].map((key) => fact(key, { confirmed: [NEW_ITEM] }))
    const back = planRollout('r2', { ...wish([...undo.own.keys()]), item: undo.item, undoes: 'r1' }, facts, undo)
    expect(['n1', 'n3', 'n6'].map((key) => itemOf(back, key))).toEqual([OLD_ITEM, older, OWN_ITEM])
    expect(back.undoes).toBe('r1')
    expect(back.leftOut).toEqual([{ key: 'n4', why: 'nobody knows what it had before' }])
  })

  it('of an undo takes nodes back to what they were set up with, and passes over who has that', () => {
    const state = confirmedAll(planOf(DEFAULT_STRATEGY, [['n1', 'n2', 'n3']]), ['n1', 'n2', 'n3'], {
      n1: OWN_ITEM,
      n2: OWN_ITEM,
      n3: OWN_ITEM,
    })
    const undo = undoOf(state)
    expect(undo.item).toEqual(OWN_ITEM)
    const facts = [
      fact('n1', { confirmed: [NEW_ITEM] }),
      fact('n2', { confirmed: [] }),
      fact('n3', { confirmed: null }),
    ]
    const back = planRollout('r2', { ...wish(['n1', 'n2', 'n3']), item: undo.item, undoes: 'r1' }, facts, undo)
    expect(back.unchanged).toEqual(['n2'])
    expect(back.waves.flatMap(({ nodes }) => nodes).toSorted()).toEqual(['n1', 'n3'])
    // To begin with it is nothing that could be brought to somebody.
    expect(() => planRollout('r3', { ...wish(['n1']), item: OWN_ITEM }, facts)).toThrow('can only be gone back to')
  })
})
