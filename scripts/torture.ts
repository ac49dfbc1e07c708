import { Command, InvalidArgumentError } from 'commander'
import { isPassed, reportLines } from '../test/torture/report.ts'
import { SCENARIOS, type Scenario } from '../test/torture/scenarios.ts'
import { World } from '../test/torture/world.ts'

/**
 * `npm run torture`: real daemons and real servers under faults, and an independent oracle that compares what was
 * acknowledged with what is held in the end. Ends with 1 on a broken promise, or when too little happened to tell.
 */
const program = new Command('torture')
  .description('Try to make edge-daemon lose, repeat or reorder what it acknowledged.')
  .option('--seconds <count>', 'how long random faults are made, of each scenario that makes them', positive, 60)
  .option('--seed <number>', 'decides the plan; a run that failed can be planned again', positive, Date.now() % 1e6)
  .option('--nodes <count>', 'nodes under random faults', positive, 2)
  .option('--scenario <names...>', `only these: ${SCENARIOS.map(({ name }) => name).join(', ')}`)
  .option('--quiet', 'no plan and no progress', false)
program.parse()
const options = program.opts<{ seconds: number; seed: number; nodes: number; scenario?: string[]; quiet: boolean }>()

const unknown = options.scenario?.find((wanted) => !SCENARIOS.some(({ name }) => name === wanted))
if (unknown !== undefined) program.error(`no scenario is called ${unknown}`)
const chosen = SCENARIOS.filter(({ name }) => options.scenario?.includes(name) ?? true)
console.log(`seed ${options.seed}, ${options.seconds} s of random faults, ${options.nodes} nodes`)

let failed = 0
for (const scenario of chosen) {
  console.log(`\n${scenario.name}: ${scenario.about}`)
  if (!(await isHeld(scenario))) failed += 1
}
console.log(`\n${chosen.length - failed} of ${chosen.length} scenarios passed, seed ${options.seed}`)
process.exitCode = failed === 0 ? 0 : 1

/** Run one scenario and print its judgement; one that cannot be carried out to its end is not passed either. */
async function isHeld({ name, run }: Scenario): Promise<boolean> {
  const startedAtMs = performance.now()
  try {
    await using world = new World({ seed: options.seed, say: options.quiet ? () => undefined : console.log })
    const outcome = await run(world, { seconds: options.seconds, nodes: options.nodes })
    for (const line of reportLines(name, outcome, performance.now() - startedAtMs)) console.log(line)
    return isPassed(outcome)
  } catch (error) {
    console.log(`FAILED ${name}: it could not be carried out`)
    console.log(error instanceof Error ? error.stack : error)
    return false
  }
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('expected a number over 0')
  return value
}
