import { Command, InvalidArgumentError } from 'commander'
import { startSimulator } from './simulator.ts'

/** `node bench/simulator/main.ts --nodes 200 --hz 1` serves until it is ended and prints `[{key,url}]` as one line. */
const program = new Command('simulator')
  .description('A fleet of simulated nodes that speak the live protocol, on one loopback port.')
  .option('--nodes <count>', 'how many nodes', positive, 200)
  .option('--hz <ticks>', 'ticks a second', positive, 1)
  .option('--change <share>', 'share of the nodes that send a status in a tick', positive, 1)
  .option('--logs <rate>', 'log lines a second of the whole fleet', positive, 5)
  .option('--seed <number>', 'repeatable run', positive, 1)
  .option('--port <port>', 'listen here; 0 = any free port', Number, 0)
  .option('--hostile', 'one node has a hostile name and hostile log lines', false)
program.parse()
const { nodes, hz, change, logs, seed, port, hostile } = program.opts<{
  nodes: number
  hz: number
  change: number
  logs: number
  seed: number
  port: number
  hostile: boolean
}>()

const simulator = await startSimulator({ nodes, hz, changeShare: change, logsPerSec: logs, seed, port, hostile })
process.stdout.write(`${JSON.stringify(simulator.nodes)}\n`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.stop())

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('expected a number over 0')
  return value
}
