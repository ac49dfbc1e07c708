import { runTrial } from '../logs/trial.ts'
import type { Outcome, World } from '../world.ts'

/** Logs are turned over in every way at full load while what follows them is killed. */
export async function runLogs(world: World, { seconds }: { seconds: number }): Promise<Outcome> {
  const seed = Math.floor(world.random() * 1e6)
  const { written, turned, kills, faults } = await runTrial({ seconds, seed, linesPerSec: 1000, killEveryMs: 2000 })
  world.did('line written', written)
  world.did('log turned over', turned)
  world.did('follower killed', kills)
  for (const msg of faults) world.broke({ rule: 'log line', node: 'n1', msg })
  return world.settle(
    {},
    { 'line written': seconds * 100, 'log turned over': seconds, 'follower killed': seconds / 20 },
  )
}
