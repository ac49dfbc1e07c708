import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RolloutEvent } from '../../../src/rollout/contract.ts'
import { decide } from '../../../src/rollout/decide.ts'
import { fold } from '../../../src/rollout/fold.ts'
import { encodeEntry } from '../../../src/rollout/journal/entry-text.ts'
import { foldsTheSame, holdToLaws } from '../../support/rollout/laws.ts'
import { entriesOf } from '../../support/rollout/plans.ts'
import { scenarios } from '../../support/rollout/scenarios.ts'
import { JUDGES, SimulatedWorld } from '../../support/rollout/simulated-world.ts'

describe('every rollout, whatever goes wrong', () => {
  it('keeps to budgets, judges before it confirms, ends, and leaves no node where it is not said to be', () => {
    fc.assert(
      fc.property(scenarios(40), (scenario) => {
        holdToLaws(scenario)
      }),
      { numRuns: Number(process.env.EDGE_LAW_RUNS ?? 40) },
    )
  }, 900_000)

  it('folds and decides whatever a journal holds, in whatever order', () => {
    const shuffled = fc
      .tuple(
        scenarios(12),
        fc.array(fc.record({ from: fc.nat(), term: fc.integer({ min: 0, max: 4 }) }), { maxLength: 120 }),
      )
      .map(([scenario, picks]) => {
        const world = new SimulatedWorld(scenario)
        while (!world.hasEnded && world.elapsedMs < 120_000) world.step()
        const events = world.journal.entries.map(({ event }) => event)
        const [started, ...rest] = events as [RolloutEvent, ...RolloutEvent[]]
        const picked = picks.flatMap(({ from, term }) => {
          const event = rest[from % Math.max(1, rest.length)]
          return event === undefined ? [] : [event.type === 'driver.took' || term > 2 ? { ...event, term } : event]
        })
        const observation = world.driver?.observe(world.now)
        return { entries: entriesOf([started, ...picked]), observation, seed: scenario.seed }
      })
    fc.assert(
      fc.property(shuffled, ({ entries, observation, seed }) => {
        foldsTheSame(entries, seed)
        const state = fold(null, entries)
        if (state === null || observation === undefined) return
        const events = decide(state, observation, JUDGES)
        for (const event of events) encodeEntry({ seq: 1, event })
        // The same again, whoever asks.
        expect(decide(state, observation, JUDGES)).toEqual(events)
      }),
      { numRuns: Number(process.env.EDGE_LAW_RUNS ?? 40) },
    )
  }, 900_000)
})
