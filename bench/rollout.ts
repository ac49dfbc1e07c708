import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { fold } from '../src/rollout/fold.ts'
import { adjustStrategy, DEFAULT_STRATEGY } from '../src/rollout/strategy.ts'
import { JUDGES, type Scenario, SimulatedWorld } from '../test/support/rollout/simulated-world.ts'
import { spread } from './spread.ts'

/**
 * The engine of rollouts over a simulated fleet in virtual time: how much longer a rollout takes than its soaks, how long a
 * decision takes, what the state of a rollout weighs. The nodes are the daemon's own change slot; the judges are the real ones.
 */
const ROUNDS = 3
const LIVE: Scenario = {
  seed: 1,
  nodes: 50,
  sites: 5,
  waves: [5, 5, 15, 25],
  strategy: DEFAULT_STRATEGY,
  releases: ['good'],
  requestsPerSec: 20,
  troubles: [],
  strikes: [],
  decisions: [],
  approve: [],
  way: 'packages',
  operator: 'aborts',
  maxStageMs: 30_000,
}

function pace(scenario: Scenario): { readonly tookSec: number; readonly overPct: number } {
  const world = new SimulatedWorld(scenario)
  while (!world.hasEnded) world.step()
  if (world.state.phase !== 'done' || world.state.exceptions.length > 0)
    throw new Error(`it ended ${world.state.phase}`)
  const soakSec = scenario.waves.length * scenario.strategy.soakSec
  const tookSec = world.elapsedMs / 1000
  return { tookSec, overPct: (100 * (tookSec - soakSec)) / soakSec }
}

function bigRollout(seed: number): {
  readonly ms: number[]
  readonly events: number
  readonly mb: number
  readonly journalMb: number
} {
  const ms: number[] = []
  const strategy = adjustStrategy(DEFAULT_STRATEGY, { parallel: 50, soak: '30s' })
  const scenario = { ...LIVE, seed, nodes: 1000, sites: 20, waves: [20, 100, 300, 580], strategy }
  const world = new SimulatedWorld(scenario, JUDGES, (took) => ms.push(took))
  while (!world.hasEnded) world.step()
  if (world.state.phase !== 'done') throw new Error(`it ended ${world.state.phase}`)
  const text = JSON.stringify(world.journal.entries)
  const events = world.journal.entries.length
  collect()
  const before = process.memoryUsage().heapUsed
  const state = fold(null, JSON.parse(text))
  collect()
  const mb = (process.memoryUsage().heapUsed - before) / 2 ** 20
  // Named once more, so that it lives until here.
  if (state?.phase !== 'done') throw new Error('the journal folds to another end')
  return { ms, events, mb, journalMb: text.length / 2 ** 20 }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0
}

const seeds = Array.from({ length: ROUNDS }, (_, index) => index + 1)
const own = seeds.map((seed) => pace({ ...LIVE, seed, isInstant: true }))
const real = seeds.map((seed) => pace({ ...LIVE, seed }))
const line = ({ length }: { length: number }): string => `${length} waves of ${LIVE.strategy.soakSec} s soak`
console.log(`50 nodes, 5 sites, ${line(LIVE.waves)}; min/median/max of ${ROUNDS} seeds`)
console.log(
  `  nodes that take no time: ${spread(
    own.map((one) => one.tookSec),
    1,
  )} s, ${spread(
    own.map((one) => one.overPct),
    2,
  )} % over the soaks`,
)
console.log(
  `  nodes that fetch up to 30 s and swap up to 3.5 s: ${spread(
    real.map((one) => one.tookSec),
    1,
  )} s, ${spread(
    real.map((one) => one.overPct),
    1,
  )} % over the soaks`,
)
const big = seeds.map(bigRollout)
console.log(
  `1 000 nodes, 20 sites, a whole rollout of ${big[0]?.events} events (${big[0]?.journalMb.toFixed(1)} MB of JSON)`,
)
console.log(
  `  a decision: p50 ${spread(
    big.map(({ ms }) => quantile(ms, 0.5)),
    2,
  )} ms, p99 ${spread(
    big.map(({ ms }) => quantile(ms, 0.99)),
    2,
  )} ms, longest ${spread(
    big.map(({ ms }) => Math.max(...ms)),
    1,
  )} ms`,
)
console.log(
  `  memory of the state, its journal read and let go: ${spread(
    big.map(({ mb }) => mb),
    2,
  )} MB`,
)
