import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FollowSettings } from '../../../edge-daemon/logs/follow/contract.ts'
import { openStore } from '../../../edge-daemon/store/store.ts'
import { seededRandom } from '../../support/random.ts'
import { numberedIn } from './numbered.ts'
import { LogWriter, type Turn } from './writers.ts'

/** How long a trial writes, and how often the follower is killed. */
export interface TrialPlan {
  readonly seconds: number
  readonly seed: number
  /** Lines a second of every writer, about. */
  readonly linesPerSec: number
  readonly killEveryMs: number
}

/** What a trial saw. */
export interface TrialOutcome {
  readonly written: number
  readonly turned: number
  readonly kills: number
  /** What is not as it should be; empty when every line is there once and in order. */
  readonly faults: readonly string[]
}

const MAIN = fileURLToPath(new URL('./follower-main.ts', import.meta.url))
const TICK_MS = 20
const DRAIN_MS = 60_000
const TURNS: Readonly<Record<string, readonly Turn[]>> = {
  renamed: ['rename'],
  copied: ['copytruncate'],
  replaced: ['replace', 'rename'],
  recreated: ['recreate'],
  mixed: ['rename', 'copytruncate', 'recreate', 'replace'],
}

/**
 * Writers at full load turn their logs over in every way there is, while what follows them is killed again and again; in the
 * end every line must be in the store once, and those of one class in the order they were written.
 */
export async function runTrial({ seconds, seed, linesPerSec, killEveryMs }: TrialPlan): Promise<TrialOutcome> {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-logs-'))
  try {
    const logs = join(dir, 'logs')
    mkdirSync(logs)
    const random = seededRandom(seed)
    const writers = Object.entries(TURNS).map(
      ([app, turns]) => new LogWriter({ app, path: join(logs, `${app}.log`), turns, random }),
    )
    const path = containerLog(dir)
    writers.push(new LogWriter({ app: 'contained', path, turns: ['rename'], random, envelope: inParts }))
    const follower = new FollowerProcess(dir, settingsFor(logs), (app, number) => {
      const writer = writers.find((candidate) => candidate.app === app)
      if (writer !== undefined) writer.kept = Math.max(writer.kept, number)
    })
    // What was rotated away before anybody followed is nobody's.
    for (const writer of writers) writer.write(1)
    await follower.start()
    while (writers.some(({ kept }) => kept === 0)) await sleep(TICK_MS)
    let kills = 0
    const endsAt = performance.now() + seconds * 1000
    let killAt = performance.now() + killEveryMs
    for (let now = performance.now(); now < endsAt; now = performance.now()) {
      for (const writer of writers) {
        writer.write(Math.ceil((linesPerSec * TICK_MS) / 1000))
        if (random() < 0.08) writer.turn()
      }
      if (now >= killAt) {
        follower.kill()
        kills += 1
        killAt = now + killEveryMs * (0.3 + 1.4 * random())
        void follower.start()
      }
      await sleep(TICK_MS)
    }
    const drained = performance.now() + DRAIN_MS
    while (writers.some(({ kept, count }) => kept < count) && performance.now() < drained) await sleep(50)
    await sleep(500)
    await follower.stop()
    const faults = await judge(dir, writers)
    const written = writers.reduce((sum, { count }) => sum + count, 0)
    const turned = writers.reduce((sum, writer) => sum + writer.turned, 0)
    return { written, turned, kills, faults: [...faults, ...follower.complaints] }
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Compare what the store holds with what was written. */
async function judge(dir: string, writers: readonly LogWriter[]): Promise<string[]> {
  const store = await openStore({ dir: join(dir, 'store'), nodeName: 'n1', maxBytes: 4e9, segmentBytes: 4e6 })
  const faults: string[] = []
  const seen = new Map(
    writers.map(({ app }) => [app, { times: new Map<number, number>(), last: new Map<string, number>() }]),
  )
  for (let afterSeq = 0; ; ) {
    const page = await store.read({ classes: ['log', 'error'], afterSeq, limit: 5000, maxBytes: 8e6 })
    const last = page.at(-1)
    if (last === undefined) break
    afterSeq = last.seq
    for (const { class: recordClass, line } of page) {
      const { msg, origin } = JSON.parse(line) as { msg: string; origin?: string }
      const found = numberedIn(msg)
      const of = found === null ? undefined : seen.get(found.app)
      if (found === null || of === undefined) {
        faults.push(`a record that nobody wrote: ${msg.slice(0, 200)}`)
        continue
      }
      of.times.set(found.number, (of.times.get(found.number) ?? 0) + 1)
      const before = of.last.get(recordClass) ?? 0
      if (found.number < before)
        faults.push(`${found.app}: ${found.number} after ${before} (${recordClass}, ${origin})`)
      of.last.set(recordClass, found.number)
    }
  }
  await store.close()
  for (const { app, count } of writers) {
    const times = seen.get(app)?.times ?? new Map<number, number>()
    const numbers = Array.from({ length: count }, (_, index) => index + 1)
    const missing = numbers.filter((number) => !times.has(number))
    const twice = numbers.filter((number) => (times.get(number) ?? 0) > 1)
    if (missing.length > 0)
      faults.push(`${app}: ${missing.length} of ${count} are missing, from ${missing[0]} to ${missing.at(-1)}`)
    if (twice.length > 0)
      faults.push(`${app}: ${twice.length} of ${count} are there twice, from ${twice[0]} to ${twice.at(-1)}`)
  }
  return faults.slice(0, 20)
}

/** The log of a container as kubelet lays it out: links that lead to a file elsewhere. Returns the path of that. */
function containerLog(dir: string): string {
  const pod = join(dir, 'pods', 'plant_web_uid', 'web')
  mkdirSync(pod, { recursive: true })
  mkdirSync(join(dir, 'containers'))
  const path = join(pod, '0.log')
  symlinkSync(path, join(dir, 'containers', `web_plant_web-${'0a'.repeat(32)}.log`))
  return path
}

/** A line as containerd writes it: long ones in parts, errors on the other stream. */
function inParts(line: string, random: () => number): string {
  const stream = line.startsWith('ERROR') ? 'stderr' : 'stdout'
  const stamp = `2026-11-26T00:00:00.123456789Z ${stream}`
  const cuts = [...Array(Math.floor(random() * 3))].map(() => Math.floor(random() * line.length)).sort((a, b) => a - b)
  let from = 0
  let text = ''
  for (const cut of cuts) {
    text += `${stamp} P ${line.slice(from, cut)}\n`
    from = cut
  }
  return `${text}${stamp} F ${line.slice(from)}\n`
}

function settingsFor(logs: string): FollowSettings {
  return {
    files: [{ path: join(logs, '*.log'), source: null, format: 'auto', multiline: null }],
    containers: { dir: join(dirname(logs), 'containers'), format: 'cri' },
    units: [],
    from: 'start',
    forward: 'error',
    before: 2,
    redact: [],
    maxLineBytes: 32_768,
    bytesPerSec: 50e6,
  }
}

/** The process that follows, started again and again. */
class FollowerProcess {
  readonly #dir: string
  readonly #settings: FollowSettings
  readonly #onKept: (app: string, number: number) => void
  #child: ChildProcess | null = null
  #ended: Promise<unknown> = Promise.resolve()
  readonly complaints: string[] = []

  constructor(dir: string, settings: FollowSettings, onKept: (app: string, number: number) => void) {
    this.#dir = dir
    this.#settings = settings
    this.#onKept = onKept
  }

  /** Start it when the one before has ended; resolves when it follows. */
  async start(): Promise<void> {
    await this.#ended
    const told = JSON.stringify({ dir: this.#dir, settings: this.#settings })
    const child = spawn(process.execPath, [MAIN, told], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.complaints.push(text.trim()))
    this.#ended = new Promise((resolve) => child.once('close', resolve))
    await new Promise<void>((resolve) => {
      if (child.stdout === null) throw new Error('no output')
      createInterface({ input: child.stdout }).on('line', (line) => {
        const [app = '', number] = line.split(' ')
        if (app === 'ready') resolve()
        else this.#onKept(app, Number(number))
      })
      child.once('close', () => resolve())
    })
  }

  kill(): void {
    this.#child?.kill('SIGKILL')
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM')
    await this.#ended
  }
}
