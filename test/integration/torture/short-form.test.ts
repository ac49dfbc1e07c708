import { describe, expect, it } from 'vitest'
import { isPassed, reportLines } from '../../torture/report.ts'
import { SCENARIOS } from '../../torture/scenarios.ts'
import { World } from '../../torture/world.ts'

/** Decides the plan of the random faults; `npm run torture -- --seed N` tries another. */
const SEED = 4
/** What each scenario is cut down to; `npm run torture` runs all of them longer. */
const EXTENTS = { chaos: 10, calls: 15, 'full-disk': 15, cloned: 0, 'cut-log': 0, 'old-hub': 0 }

describe('the short form of `npm run torture`: nothing acknowledged is lost, doubled or out of order', () => {
  it.each(Object.entries(EXTENTS))(
    '%s',
    async (name, seconds) => {
      const scenario = SCENARIOS.find((one) => one.name === name)
      if (scenario === undefined) throw new Error(`there is no scenario ${name}`)
      const said: string[] = []
      await using world = new World({ seed: SEED, say: (line) => said.push(line) })
      const outcome = await scenario.run(world, { seconds, nodes: 1 })
      expect(isPassed(outcome), [...said, ...reportLines(name, outcome, 0)].join('\n')).toBe(true)
    },
    600_000,
  )
})
