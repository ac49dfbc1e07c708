/**
 * The console on a 200×50 terminal over a fleet of simulated nodes, beside the same panes drawn by plain Ink: CPU, bytes
 * to the terminal, key to frame, start to first frame. Real processes, a real pseudo terminal, the real protocol; the
 * contenders take turns in one run. Trust the ratios, not the figures.
 *
 * Run with `node bench/screen.ts`; `--help` tells the options. Needs python3 for the pseudo terminal.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { clockTicksPerSec } from './infer/cpu-time.ts'
import { bundleContenders, type Contender } from './screen/bundle.ts'
import { type Measured, readRecording } from './screen/recording.ts'
import { report, type Sample } from './screen/report.ts'

const HELP = `Compare the console with the same panes drawn by plain Ink: side by side in one run.

Usage: node bench/screen.ts [--rounds 3] [--nodes 3,200] [--seconds 4] [--keys 36] [--size 200x50]
                            [--only edgedeck|plain|no] [--profile FOLDER] [--keep FOLDER] [--json]

"no screen" is the links and the model of the fleet alone, which both have: CPU of drawing is what comes on top of it.
Each node reports once a second, each at its own time, and the fleet logs five lines a second. A turn settles for two
seconds, is watched for --seconds while nobody types (CPU, bytes), then gets --keys cursor keys at random times.
--profile writes a CPU profile of every turn, --keep the recordings of what went to the terminal.
`

const SETTLE_SEC = 2
/** Ticks a second of the simulator; a node reports in every tenth, so that nodes do not all speak at once. */
const FLEET_PACE = ['--hz', '10', '--change', '0.1', '--logs', '5']

interface Settings {
  readonly columns: number
  readonly rows: number
  readonly watchSec: number
  readonly keys: number
  readonly profileDir: string | null
  readonly recordings: string
  readonly configFile: string
  readonly ticksPerSec: number
}

async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      nodes: { type: 'string', default: '3,200' },
      seconds: { type: 'string', default: '4' },
      keys: { type: 'string', default: '36' },
      size: { type: 'string', default: '200x50' },
      only: { type: 'string' },
      profile: { type: 'string' },
      keep: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (options.help) return void console.log(HELP)
  const [columns = 200, rows = 50] = options.size.split('x').map(Number)
  const dir = await mkdtemp(join(tmpdir(), 'edgedeck-bench-screen-'))
  const samples: Sample[] = []
  try {
    const all = await bundleContenders(join(import.meta.dirname, '..'), dir)
    const contenders = all.filter(({ name }) => options.only === undefined || name.includes(options.only))
    for (const nodes of options.nodes.split(',').map(Number)) {
      const fleet = await startFleet(nodes)
      const configFile = join(dir, `${nodes}.yaml`)
      await writeFile(configFile, JSON.stringify({ nodes: fleet.nodes.map(({ key, url }) => ({ name: key, url })) }))
      const settings: Settings = {
        columns,
        rows,
        watchSec: Number(options.seconds),
        keys: Number(options.keys),
        profileDir: options.profile ?? null,
        recordings: options.keep ?? dir,
        configFile,
        ticksPerSec: clockTicksPerSec(),
      }
      try {
        for (let round = 0; round < Number(options.rounds); round += 1) {
          for (const contender of contenders) {
            samples.push({ ...(await takeTurn(contender, `${nodes}-${round}`, settings)), name: contender.name, nodes })
          }
          console.error(`${nodes} nodes, round ${round + 1} of ${options.rounds} done`)
        }
      } finally {
        await fleet.stop()
      }
    }
  } finally {
    await rm(dir, { recursive: true })
  }
  console.log(options.json ? JSON.stringify(samples) : report(samples))
}

/** The simulator in a process of its own: its CPU is not the console's. */
async function startFleet(
  nodes: number,
): Promise<{ readonly nodes: readonly { key: string; url: string }[]; stop(): Promise<void> }> {
  const main = join(import.meta.dirname, 'simulator/main.ts')
  const child = spawn(process.execPath, [main, '--nodes', String(nodes), ...FLEET_PACE], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return {
    nodes: JSON.parse(line) as { key: string; url: string }[],
    stop: async () => {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

async function takeTurn(contender: Contender, turn: string, settings: Settings): Promise<Measured> {
  const { columns, rows, watchSec, profileDir } = settings
  const label = `${contender.name.replace(' ', '-')}-${turn}`
  const recording = join(settings.recordings, `${label}.recording`)
  const profile =
    profileDir === null ? [] : ['--cpu-prof', `--cpu-prof-name=${label}.cpuprofile`, `--cpu-prof-dir=${profileDir}`]
  const command = [process.execPath, ...profile, ...contender.command(settings.configFile)]
  const meter = join(import.meta.dirname, 'screen/meter.py')
  const times = [SETTLE_SEC, watchSec].map(String)
  const draws = contender.name !== 'no screen'
  const keys = draws ? cursorKeys(settings.keys) : ''
  const args = [meter, String(columns), String(rows), recording, ...times, keys, ...command]
  const env: NodeJS.ProcessEnv = { ...process.env, TERM: 'xterm-256color', COLORTERM: 'truecolor', LANG: 'C.UTF-8' }
  // Ink shows only its last frame where it believes to be in a CI run.
  delete env.CI
  const child = spawn('python3', args, { env, stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`the meter of ${contender.name} ended with ${code}`)
  return readRecording(recording, { ...settings, draws })
}

/** Down a few rows and up again: the cursor moves with every key, also among three nodes. */
function cursorKeys(count: number): string {
  return 'jjkk'.repeat(Math.ceil(count / 4)).slice(0, count)
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
