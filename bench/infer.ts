import { execFile, execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { clockTicksPerSec, cpuTimeUsOfTree } from './infer/cpu-time.ts'
import type { LoadReport } from './infer/load.ts'
import { type Contender, contenders, pinned, type RunningServer } from './infer/servers.ts'
import { spread } from './spread.ts'

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

Usage: node bench/infer.ts [--rounds 5] [--seconds 2] [--json]

The servers take turns at every concurrency of every round, all on one core, the load on another. edge-daemon's answers
count only when they say that the result is stored, which is after the disk synced it; Flask keeps nothing. What the
sync and sealing cost is seen beside the same daemon with async durability and with a key. A ratio is
made of turns that follow each other, so that a noisy machine hurts both sides.
`

/** Alternate the contenders over the rounds and print what was measured. */
async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (options.help) {
    console.log(HELP)
    return
  }
  const rounds = positive('--rounds', options.rounds)
  const durationMs = positive('--seconds', options.seconds) * 1000
  const pin = canPin()
  if (!pin) console.error('one core only, or no taskset: server and load share what there is')
  const servers = contenders(pin ? SERVER_CORE : null)
  const samples: Sample[] = []
  const running: RunningServer[] = []
  try {
    for (const contender of servers) {
      const server = await contender.start()
      running.push(server)
      await runLoad({ server, pin, keeps: contender.keeps, concurrency: 32, durationMs: WARM_UP_MS })
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const concurrency of CONCURRENCIES) {
        for (const [position, contender] of servers.entries()) {
          const load = { server: running[position] as RunningServer, pin, keeps: contender.keeps, concurrency }
          const measured = await measure(contender.name, { ...load, durationMs })
          samples.push({ ...measured, round })
        }
      }
      console.error(`round ${round + 1} of ${rounds} done`)
    }
  } finally {
    await Promise.all(running.map((server) => server.stop()))
  }
  console.log(options.json ? JSON.stringify(samples) : report(samples, servers))
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`${option} takes a number above 0, not ${JSON.stringify(text)}`)
  return value
}

async function measure(name: string, load: Load): Promise<Omit<Sample, 'round'>> {
  const ticksPerSec = clockTicksPerSec()
  const before = cpuTimeUsOfTree(load.server.pid, ticksPerSec)
  const result = await runLoad(load)
  const cpuUs = cpuTimeUsOfTree(load.server.pid, ticksPerSec) - before
  if (result.wrong > 0) throw new Error(`${name} answered ${result.wrong} of ${result.requests} requests wrongly`)
  return {
    server: name,
    concurrency: load.concurrency,
    requestsPerSec: (result.requests / result.durationMs) * 1000,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    cpuUsPerRequest: cpuUs / result.requests,
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

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
