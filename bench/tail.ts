/**
 * A live tail of many nodes that log much: CPU, lag and memory of `edgedeck logs -f -o ndjson` beside a program that prints
 * the same lines as they come, unchecked and in no order. The nodes are simulated, in a process of their own.
 *
 * Run with `node bench/tail.ts [--nodes 50] [--lines 1000] [--seconds 15] [--rounds 3]` after `npm run build`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { clockTicksPerSec, cpuTimeUsOfTree } from './infer/cpu-time.ts'
import { spread } from './spread.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
/** Of so many lines one is parsed here: the measure must not cost what it measures. */
const SAMPLE_EVERY = 50
const WARM_UP_MS = 5000

interface Node {
  readonly key: string
  readonly url: string
}

/** What one run of one contender took. */
interface Run {
  readonly linesPerSec: number
  readonly missed: number
  readonly cpuPct: number
  readonly lagP50Ms: number
  readonly lagP99Ms: number
  readonly late: number
  readonly peakMb: number
}

type Contender = { readonly name: string; readonly command: (nodes: readonly Node[]) => readonly string[] }

const CONTENDERS: readonly Contender[] = [
  {
    name: 'edgedeck logs -f',
    command: (nodes) => [
      here('../dist/edgedeck.js'),
      ...['logs', '-f', '--level', 'debug', '--tail', '0', '-o', 'ndjson', '--config', '/dev/null'],
      ...nodes.flatMap(({ key, url }) => ['--node', `${key}=${url}`]),
    ],
  },
  { name: 'bare', command: (nodes) => [here('tail/bare.ts'), ...nodes.map(({ url }) => url)] },
]

async function main(): Promise<void> {
  const number = (text: string): number => Number(text)
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '50' },
      lines: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '15' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const [nodes, lines, seconds, rounds] = [values.nodes, values.lines, values.seconds, values.rounds].map(number)
  if (nodes === undefined || lines === undefined || seconds === undefined || rounds === undefined) return
  // Twenty frames a second of each node, as a daemon gathers them; a status once a second.
  const flood = ['--nodes', `${nodes}`, '--logs', `${nodes * lines}`, '--hz', '20', '--change', '0.05']
  const simulator = spawn(process.execPath, [here('simulator/main.ts'), ...flood], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [line] = (await once(createInterface({ input: simulator.stdout }), 'line')) as [string]
    const addresses = JSON.parse(line) as Node[]
    const runs = new Map<string, Run[]>(CONTENDERS.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (const contender of CONTENDERS) {
        const run = await measure(contender.command(addresses), seconds)
        runs.get(contender.name)?.push(run)
        console.log(`${contender.name}: ${JSON.stringify(run)}`)
      }
    }
    console.log(`${nodes} nodes × ${lines} lines/s, ${seconds} s, ${rounds} rounds: min / median / max`)
    for (const [name, all] of runs) {
      for (const figure of ['linesPerSec', 'missed', 'cpuPct', 'lagP50Ms', 'lagP99Ms', 'late', 'peakMb'] as const) {
        console.log(
          `  ${name.padEnd(18)} ${figure.padEnd(12)} ${spread(
            all.map((run) => run[figure]),
            0,
          )}`,
        )
      }
    }
  } finally {
    simulator.kill()
  }
}

async function measure(command: readonly string[], seconds: number): Promise<Run> {
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] })
  const taken = new LineSamples(child)
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
  const ticks = clockTicksPerSec()
  const cpu = cpuTimeUsOfTree(child.pid ?? 0, ticks)
  taken.begin()
  const beganMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const tookMs = performance.now() - beganMs
  const cpuUs = cpuTimeUsOfTree(child.pid ?? 0, ticks) - cpu
  const peakMb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  const { lines, missed, late, lagsMs } = taken
  child.kill()
  await once(child, 'close')
  lagsMs.sort((a, b) => a - b)
  const quantile = (share: number): number => Math.round(lagsMs[Math.floor(share * (lagsMs.length - 1))] ?? 0)
  return {
    linesPerSec: Math.round((lines / tookMs) * 1000),
    missed,
    cpuPct: Math.round(cpuUs / tookMs / 10),
    lagP50Ms: quantile(0.5),
    lagP99Ms: quantile(0.99),
    late,
    peakMb: Math.round(peakMb),
  }
}

/** Counts what a contender prints and looks at some of it. */
class LineSamples {
  lines = 0
  missed = 0
  late = 0
  lagsMs: number[] = []

  constructor({ stdout }: ChildProcess) {
    let rest = ''
    stdout?.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      for (const line of parts) this.#take(line)
    })
  }

  begin(): void {
    this.lines = 0
    this.missed = 0
    this.late = 0
    this.lagsMs = []
  }

  #take(line: string): void {
    if (line.startsWith('{"kind":"gap"')) {
      this.missed += (JSON.parse(line) as { missed: number | null }).missed ?? 0
      return
    }
    this.lines += 1
    if (line.includes('"late":true')) this.late += 1
    if (this.lines % SAMPLE_EVERY !== 0) return
    const { atMs, timestamp } = JSON.parse(line) as { atMs?: number; timestamp?: number }
    this.lagsMs.push(Date.now() - (atMs ?? timestamp ?? 0))
  }
}

await main()
