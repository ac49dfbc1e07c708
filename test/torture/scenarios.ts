import { runCalls, runEvicting } from './scenarios/calls.ts'
import { runChaos } from './scenarios/chaos.ts'
import { runHttp, runLostAnswers } from './scenarios/deliveries.ts'
import { runCloned, runCutLog, runRestoredDisk, runTwoOwners } from './scenarios/disks.ts'
import { runFlipped } from './scenarios/flipped.ts'
import { runFullDisk } from './scenarios/full-disk.ts'
import { runOldHub, runStreamLimits } from './scenarios/hubs.ts'
import { runLogs } from './scenarios/logs.ts'
import { runAllRegions, runFailover } from './scenarios/regions.ts'
import type { Outcome, World } from './world.ts'

/** What is asked of a scenario that can be long or short. */
export interface Extent {
  /** How long faults are made where a scenario makes them by time. */
  readonly seconds: number
  readonly nodes: number
}

/** One thing that is done to the system, and what must hold afterwards. */
export interface Scenario {
  readonly name: string
  readonly about: string
  readonly run: (world: World, extent: Extent) => Promise<Outcome>
}

/** Every scenario, in the order in which the long form runs them. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'chaos',
    about: 'random faults on nodes, links and the hub, by seed',
    run: (world, { seconds, nodes }) =>
      runChaos(world, {
        seconds,
        nodes,
        needs: { acks: seconds * nodes, 'daemon killed': seconds / 20, blocks: seconds },
      }),
  },
  {
    name: 'calls',
    about: 'killed exactly before and after the calls by which the store changes its files',
    run: (world, { seconds }) => runCalls(world, { rounds: Math.ceil(seconds / 30) }),
  },
  {
    name: 'evicting',
    about: 'killed before and after the calls by which a store over its size makes room',
    run: (world, { seconds }) => runEvicting(world, { rounds: Math.ceil(seconds / 6) }),
  },
  {
    name: 'lost-answers',
    about: 'blocks arrive, their acknowledgements do not, and somebody dies',
    run: (world, { seconds }) => runLostAnswers(world, { rounds: Math.ceil(seconds / 10) }),
  },
  {
    name: 'http',
    about: 'a receiver over HTTP that compares and stores: killed, half open, set back',
    run: (world, { seconds }) => runHttp(world, { rounds: Math.ceil(seconds / 15) }),
  },
  {
    name: 'full-disk',
    about: 'others fill the disk, also while it is killed',
    run: (world, { seconds }) => runFullDisk(world, { rounds: Math.ceil(seconds / 15) }),
  },
  { name: 'logs', about: 'logs that are rotated, copied, cut, replaced, and a follower that is killed', run: runLogs },
  { name: 'two-owners', about: 'a second daemon on the same state directory', run: runTwoOwners },
  { name: 'cloned', about: 'a copied state directory on two nodes of one name', run: runCloned },
  { name: 'restored-disk', about: 'an older state directory, then an empty one', run: runRestoredDisk },
  { name: 'cut-log', about: 'the log cut at the border of a frame', run: runCutLog },
  {
    name: 'flipped',
    about: 'bits flipped, files cut short and removed in the state directory',
    run: (world, { seconds }) => runFlipped(world, { rounds: Math.ceil(seconds / 6) }),
  },
  { name: 'old-hub', about: 'the hub set back to an older copy', run: runOldHub },
  { name: 'stream-limits', about: 'a full stream, and one that is purged', run: runStreamLimits },
  { name: 'failover', about: 'two regions joined by a leaf node; the first dies and half opens', run: runFailover },
  { name: 'all-regions', about: 'two regions that get everything; each is dead for a while', run: runAllRegions },
]
