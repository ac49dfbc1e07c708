import { parseArgs } from 'node:util'
import { ChangingNode } from '../test/support/changing-node.ts'
import { eventually } from '../test/support/edge-daemon.ts'
import { pacedLoad } from './infer/paced-load.ts'
import { spread } from './spread.ts'

const HELP = `The live answers' latency while a candidate runs in shadow, beside the same node without one.

Usage: node bench/shadow.ts [--rounds 10] [--seconds 5] [--rate 100]

One real daemon answers pictures that come at a fixed rate, each result stored and synced. In each round it is measured
without a shadow and with one (its usual 20 % of the live pictures; all of them; kept pictures), in changing order. A
ratio is made of turns of one round.
`
const MODES = {
  'live 20 %': { source: 'live', samplePct: 20 },
  'live 100 %': { source: 'live', samplePct: 100 },
  kept: { source: 'kept', samplePct: 0 },
} as const
type Mode = keyof typeof MODES

interface Turn {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly compared: number
}

/** Measure by turns and print ratios. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '5' },
      rate: { type: 'string', default: '100' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return
  }
  const rounds = Number(values.rounds)
  const durationMs = Number(values.seconds) * 1000
  const load = { isOver: (elapsedMs: number) => elapsedMs >= durationMs, perSec: Number(values.rate) }
  await using node = new ChangingNode({ 'inputs.sampleEvery': 1 })
  await node.serve()
  const port = Number(new URL(node.served?.inferUrl ?? '').port)
  await pacedLoad(port, load)
  const turns = new Map<Mode | 'none', Turn[]>()
  for (let round = 0; round < rounds; round += 1) {
    const order: (Mode | 'none')[] = ['none', ...(Object.keys(MODES) as Mode[])]
    for (const mode of round % 2 === 0 ? order : order.toReversed()) {
      const turn = await measured(node, { mode, round, port, load })
      turns.set(mode, [...(turns.get(mode) ?? []), turn])
      console.error(
        `round ${round + 1} ${mode}: p50 ${turn.p50Ms.toFixed(2)} p99 ${turn.p99Ms.toFixed(2)} ms, ${turn.compared} compared`,
      )
    }
  }
  report(turns)
}

async function measured(
  node: ChangingNode,
  {
    mode,
    round,
    port,
    load,
  }: {
    mode: Mode | 'none'
    round: number
    port: number
    load: Load
  },
): Promise<Turn> {
  if (mode === 'none') return { ...(await pacedLoad(port, load)), compared: 0 }
  const rollout = `r${round}-${MODES[mode].source}-${MODES[mode].samplePct}`
  const item = await node.shelve('1.0.1')
  await node.stage(item, { rollout })
  await node.ask('change.shadow', { rollout, samples: 100_000, ...MODES[mode] })
  const compared = () => node.changes.change?.shadow?.compared ?? 0
  await eventually(
    async () => {
      await node.infer(1)
      return compared() > 0
    },
    { timeoutMs: 180_000, what: 'the shadow runs' },
  )
  const before = compared()
  const figures = await pacedLoad(port, load)
  const turn = { ...figures, compared: compared() - before }
  await node.ask('change.end', { rollout })
  return turn
}

type Load = Parameters<typeof pacedLoad>[1]

function report(turns: ReadonlyMap<Mode | 'none', readonly Turn[]>): void {
  const none = turns.get('none') ?? []
  console.log('live latency with a shadow / without one, min/median/max over the rounds')
  for (const mode of Object.keys(MODES) as Mode[]) {
    const with_ = turns.get(mode) ?? []
    const ratio = (of: (turn: Turn) => number): string =>
      spread(
        with_.map((turn, round) => of(turn) / of(none[round] as Turn)),
        3,
      )
    const compared = with_.reduce((sum, turn) => sum + turn.compared, 0)
    console.log(
      `${mode.padEnd(12)} p50 ${ratio((turn) => turn.p50Ms)}   p99 ${ratio((turn) => turn.p99Ms)}   ${compared} pictures compared`,
    )
  }
  console.log(
    `without      p50 ${spread(
      none.map((turn) => turn.p50Ms),
      2,
    )} ms   p99 ${spread(
      none.map((turn) => turn.p99Ms),
      2,
    )} ms`,
  )
}

await main()
