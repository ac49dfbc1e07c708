import { execFile, execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { clockTicksPerSec, cpuTimeUsOfTree } from './infer/cpu-time.ts'
import type { LoadReport } from './infer/load.ts'
import { type Contender, contenders, pinned, type RunningServer } from './infer/servers.ts'

const CONCURRENCIES = [1, 8, 32]
const WARM_UP_MS = 4000
/** A server that owes an answer for longer than this fails the benchmark. */
const ANSWER_WITHIN_MS = 20_000
const SERVER_CORE = 0
const LOAD_CORE = 1

interface Sample {
  readonly server: string
  readonly concurrency: number
  readonly round: number
  readonly requestsPerSec: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuUsPerRequest: number
}

const HELP = `Compare edge-daemon with a plain Flask service: the same pictures, side by side in one run.

Usage: node bench/infer.ts [--rounds 5] [--seconds 3] [--json]

The servers take turns in every round, each on one core, the load on another. edge-daemon's answers count only when
they say that the result is stored, which is after the disk synced it; Flask keeps nothing. Ratios are made within a
round, so that a noisy machine hurts both sides.
`

/** Alternate the contenders over the rounds and print what was measured. */
async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (options.help) {
    console.log(HELP)
    return
  }
  const pin = canPin()
  if (!pin) console.error('one core only, or no taskset: server and load share what there is')
  const servers = contenders(pin ? SERVER_CORE : null)
  const samples: Sample[] = []
  for (let round = 0; round < Number(options.rounds); round += 1) {
    for (const contender of servers) {
      samples.push(...(await measure(contender, { round, pin, durationMs: Number(options.seconds) * 1000 })))
    }
    console.error(`round ${round + 1} of ${options.rounds} done`)
  }
  console.log(options.json ? JSON.stringify(samples) : report(samples, servers))
}

async function measure(
  contender: Contender,
  { round, pin, durationMs }: { round: number; pin: boolean; durationMs: number },
): Promise<Sample[]> {
  const ticksPerSec = clockTicksPerSec()
  const server = await contender.start()
  try {
    const load = { server, pin, keeps: contender.keeps }
    await runLoad({ ...load, concurrency: 32, durationMs: WARM_UP_MS })
    const samples: Sample[] = []
    for (const concurrency of CONCURRENCIES) {
      const before = cpuTimeUsOfTree(server.pid, ticksPerSec)
      const result = await runLoad({ ...load, concurrency, durationMs })
      const cpuUs = cpuTimeUsOfTree(server.pid, ticksPerSec) - before
      if (result.wrong > 0) {
        throw new Error(`${contender.name} answered ${result.wrong} of ${result.requests} requests wrongly`)
      }
      samples.push({
        server: contender.name,
        concurrency,
        round,
        requestsPerSec: (result.requests / result.durationMs) * 1000,
        p50Ms: result.p50Ms,
        p99Ms: result.p99Ms,
        cpuUsPerRequest: cpuUs / result.requests,
      })
    }
    return samples
  } finally {
    await server.stop()
  }
}

interface Load {
  readonly server: RunningServer
  readonly pin: boolean
  readonly keeps: boolean
  readonly concurrency: number
  readonly durationMs: number
}

async function runLoad({ server, pin, keeps, concurrency, durationMs }: Load): Promise<LoadReport> {
  const args = [join(import.meta.dirname, 'infer/load.ts'), server.port, concurrency, durationMs, keeps].map(String)
  const { stdout } = await promisify(execFile)(...pinned(pin ? LOAD_CORE : null, process.execPath, args), {
    timeout: durationMs + ANSWER_WITHIN_MS,
  })
  return JSON.parse(stdout) as LoadReport
}

function canPin(): boolean {
  try {
    execFileSync('taskset', ['-c', String(LOAD_CORE), 'true'], { stdio: 'ignore' })
    return availableParallelism() > LOAD_CORE
  } catch {
    return false
  }
}

function report(samples: readonly Sample[], servers: readonly Contender[]): string {
  const lines = [
    '| connections | server | requests/s | ratio | p50 ms | p99 ms | CPU µs/request | ratio |',
    '|---|---|---|---|---|---|---|---|',
  ]
  const reference = servers[0]?.name
  for (const concurrency of CONCURRENCIES) {
    const base = samples.filter((sample) => sample.concurrency === concurrency && sample.server === reference)
    for (const { name } of servers) {
      const own = samples.filter((sample) => sample.concurrency === concurrency && sample.server === name)
      const spreadOf = (pick: (sample: Sample) => number, digits: number): string => spread(own.map(pick), digits)
      const ratioOf = (pick: (sample: Sample) => number): string =>
        name === reference
          ? '1'
          : spread(
              own.map((sample, round) => pick(sample) / pick(base[round] as Sample)),
              2,
            )
      lines.push(
        `| ${concurrency} | ${name} | ${spreadOf((s) => s.requestsPerSec, 0)} | ${ratioOf((s) => s.requestsPerSec)} ` +
          `| ${spreadOf((s) => s.p50Ms, 2)} | ${spreadOf((s) => s.p99Ms, 2)} ` +
          `| ${spreadOf((s) => s.cpuUsPerRequest, 0)} | ${ratioOf((s) => s.cpuUsPerRequest)} |`,
      )
    }
  }
  return `${lines.join('\n')}\n\nmin/median/max of the rounds; a ratio is to ${reference} in the same round.`
}

function spread(values: readonly number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2
  const shown = [sorted[0], middle, sorted.at(-1)]
  return shown.map((value) => (value ?? 0).toFixed(digits)).join('/')
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
