import { describe, expect, it } from 'vitest'
import type { RolloutEvent } from '../../../src/rollout/contract.ts'
import { partsOf } from '../../../src/rollout/gate-input.ts'
import { adjustStrategy, DEFAULT_STRATEGY } from '../../../src/rollout/strategy.ts'
import { holdToLaws } from '../../support/rollout/laws.ts'
import { NEW_ITEM, OLD_ITEM } from '../../support/rollout/plans.ts'
import { type Scenario, SimulatedWorld } from '../../support/rollout/simulated-world.ts'

const strategy = adjustStrategy(DEFAULT_STRATEGY, {
  soak: '20s',
  maxSoak: '60s',
  confirmWithin: '120s',
  dark: '40s',
  deferredFor: '300s',
  siteBudget: '50%',
})
const BASE: Scenario = {
  seed: 7,
  nodes: 12,
  sites: 2,
  waves: [2, 8],
  strategy,
  releases: ['good'],
  requestsPerSec: 20,
  troubles: [],
  strikes: [],
  decisions: [],
  approve: [],
  way: 'packages',
  operator: 'resumes',
  maxStageMs: 3000,
}

function run(scenario: Partial<Scenario>): SimulatedWorld {
  return holdToLaws({ ...BASE, ...scenario })
}

function eventsOf(world: SimulatedWorld, type: RolloutEvent['type'], node?: string): RolloutEvent[] {
  return world.journal.entries
    .map(({ event }) => event)
    .filter((event) => event.type === type && (node === undefined || ('node' in event && event.node === node)))
}

describe('a rollout', () => {
  it('brings a good release to every node, wave after wave, and changes no peer', () => {
    const world = run({})
    expect(world.state).toMatchObject({ phase: 'done', exceptions: [] })
    expect([...world.nodes.values()].filter(({ serving }) => serving.digest === NEW_ITEM.digest)).toHaveLength(10)
  })

  it('defers a node that is dark before its step, and lets it catch up on probation', () => {
    const world = run({ troubles: [{ atMs: 0, forMs: 150_000, kind: 'cut', node: 5 }] })
    expect(world.state).toMatchObject({ phase: 'done', exceptions: [] })
    expect(eventsOf(world, 'node.deferred', 'n5')).not.toHaveLength(0)
    expect(world.state.waves.at(-1)?.name).toBe('catch-up')
  })

  it('reports a node that stays dark and does not wait for it longer than it said', () => {
    const world = run({ troubles: [{ atMs: 0, forMs: 1e9, kind: 'cut', node: 5 }] })
    expect(world.state).toMatchObject({ phase: 'done', exceptions: [{ key: 'n5' }] })
    expect(world.elapsedMs).toBeLessThan(600_000)
  })

  it('takes back everything when a node goes dark after its step and its site does not', () => {
    const world = run({ troubles: [{ atMs: 20_000, forMs: 90_000, kind: 'dead', node: 0 }] })
    expect(world.state.phase).toBe('reverted')
    expect(world.state.halt?.why).toContain('n0: dark for')
  })

  it('does not take a site that is cut off as a whole for a bad release', () => {
    const world = run({ troubles: [{ atMs: 20_000, forMs: 90_000, kind: 'site-cut', node: 0 }] })
    expect(eventsOf(world, 'node.suspected', 'n0')).not.toHaveLength(0)
    expect(world.state).toMatchObject({ phase: 'done', exceptions: [] })
  })

  it('waits without data, then pauses; nodes on probation go back and are tried again after resume', () => {
    const world = run({ requestsPerSec: 0, decisions: [{ atMs: 400_000, decision: 'abort' }] })
    const paused = eventsOf(world, 'rollout.paused')
    expect(paused[0]).toMatchObject({ why: expect.stringContaining('canary cannot be judged after') })
    const returned = eventsOf(world, 'node.returned', 'n0')
    expect(returned[0]).toMatchObject({ fault: 'unconfirmed' })
    expect(
      eventsOf(world, 'step.intended', 'n0').filter((event) => 'step' in event && event.step === 'confirm'),
    ).toEqual([])
    expect(world.state.nodes.get('n0')?.activations).toBeGreaterThan(1)
  })

  it('goes on without data when somebody promotes it', () => {
    const world = run({ requestsPerSec: 0, operator: 'promotes' })
    expect(world.state).toMatchObject({ phase: 'done', exceptions: [] })
  })

  it('lets nobody be confirmed or changed by a pause: who passes is confirmed, nothing new begins', () => {
    const world = run({ decisions: [{ atMs: 15_000, decision: 'pause' }] })
    const from = eventsOf(world, 'person.decided')[0]?.at ?? 0
    const resumed = eventsOf(world, 'person.decided')[1]?.at ?? 0
    const begun = eventsOf(world, 'step.intended').filter(({ at }) => at > from && at < resumed)
    expect(begun.map((event) => ('step' in event ? event.step : ''))).not.toContain('stage')
    expect(world.state.phase).toBe('done')
  })

  it('pauses when the shadow disagrees, and lets somebody accept that for good', () => {
    const stopped = run({ releases: ['disagrees'], operator: 'aborts' })
    expect(eventsOf(stopped, 'rollout.paused')[0]).toMatchObject({ why: expect.stringContaining('shadow on n0') })
    expect(stopped.state.phase).toBe('reverted')
    expect(stopped.nodes.get('n0')?.serving).toEqual(OLD_ITEM)
    const accepted = run({ releases: ['disagrees'], operator: 'promotes' })
    expect(accepted.state).toMatchObject({ phase: 'done', isDisagreementAccepted: true })
    expect(eventsOf(accepted, 'rollout.paused')).toHaveLength(1)
  })

  it('stops at a release whose errors only the gates see, before the second wave', () => {
    const world = run({ releases: ['quiet-errors'] })
    expect(world.state.phase).toBe('reverted')
    expect(world.state.waves[1]?.phase).toBe('waiting')
    expect(world.state.halt?.why).toContain('canary fails its gates')
  })

  it('pauses when the canary cannot take the package, and takes nothing back', () => {
    const world = run({ releases: ['package'], operator: 'aborts' })
    expect(eventsOf(world, 'rollout.paused')[0]).toMatchObject({ why: expect.stringContaining('cannot take it') })
    expect(eventsOf(world, 'rollout.failing')).toEqual([])
  })

  it('changes nodes that are ill, whatever the budget: a bad version does not keep its cure away', () => {
    const ill = Array.from({ length: 12 }, (_, node) => ({ atMs: 0, forMs: 1e9, kind: 'alert' as const, node }))
    const world = run({ troubles: ill, strategy: { ...strategy, siteBudget: { count: 1 } } })
    expect(world.state).toMatchObject({ phase: 'done', exceptions: [] })
  })

  it('takes back confirmed nodes too when it is aborted', () => {
    const world = run({ decisions: [{ atMs: 40_000, decision: 'abort' }] })
    expect(world.state).toMatchObject({ phase: 'reverted', exceptions: [] })
    expect(
      eventsOf(world, 'step.done').filter((event) => 'step' in event && event.step === 'confirm'),
    ).not.toHaveLength(0)
    for (const node of world.nodes.values()) expect(node.serving).toEqual(OLD_ITEM)
  })

  it('reports a node that cannot be taken back, and takes back the others', () => {
    const world = run({
      decisions: [{ atMs: 40_000, decision: 'abort' }],
      troubles: [{ atMs: 35_000, forMs: 1e9, kind: 'locked', node: 1 }],
    })
    expect(world.state).toMatchObject({ phase: 'reverted', exceptions: [{ key: 'n1' }] })
    expect(world.nodes.get('n0')?.serving).toEqual(OLD_ITEM)
  })

  it('goes on where a driver was killed or stopped, at every one of its appends', () => {
    const count = run({}).journal.entries.length
    for (let at = 1; at < count; at += 7) {
      const kind = at % 2 === 0 ? ('kill' as const) : ('stop' as const)
      const world = run({ strikes: [{ afterAppends: at, kind, forMs: 30_000 }] })
      expect(world.state, `${kind} at ${at}`).toMatchObject({ phase: 'done', exceptions: [] })
      expect(world.state.term).toBeGreaterThan(1)
    }
  })

  it('waits for approval behind the canary', () => {
    const world = new SimulatedWorld({ ...BASE, approve: ['canary'] })
    while (world.state.waves[0]?.phase !== 'ended') world.step()
    for (let steps = 0; steps < 60; steps += 1) world.step()
    expect(world.state.waves[1]?.phase).toBe('waiting')
    while (!world.hasEnded) world.step()
    expect(world.state.phase).toBe('done')
  })

  it('spends no more on wrong stops when nodes of a wave come late and soak on their own', () => {
    const world = run({ troubles: [{ atMs: 31_000, forMs: 12_000, kind: 'cut', node: 5 }] })
    expect(world.state.waves[1]?.soaks).toBe(2)
    const perWave = Array.from({ length: 1000 }, (_, index) => 1 / partsOf(world.state.plan, index + 1))
    const spent = perWave.reduce((sum, part) => sum + part, 0) * (BASE.waves.length + 1)
    expect(spent).toBeLessThanOrEqual(1)
    expect(spent).toBeGreaterThan(0.99)
  })
})
