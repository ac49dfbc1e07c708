/**
 * One log at full speed: a file that is there already is followed to its end by the follower, into a real store whose every
 * batch is synced before it goes on, beside `tail -F` into nothing, `tail -F` into a file that is synced once at the end, and
 * rsyslog from a file into a file, which neither parses nor redacts and is synced once at the end too.
 *
 * Run with `node bench/follow.ts [--mb 500]`; needs rsyslogd. Prints MB/s and CPU seconds for a GB; processes of both sides count.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { FollowService } from '../edge-daemon/logs/follow/service.ts'
import { openStore } from '../edge-daemon/store/store.ts'
import { seededRandom } from './simulator/random.ts'

/** What a way of following cost. */
interface Cost {
  readonly seconds: number
  readonly cpuSec: number
}

const POLL_MS = 5
const LIMIT_MS = 600_000

/** Write a log of so many bytes: lines of a web server and JSON of a service, as a node has them. */
function writeLog(path: string, bytes: number): number {
  const random = seededRandom(7)
  const lines = Array.from({ length: 5000 }, (_, n) => {
    const time = new Date(1_793_000_000_000 + n * 37).toISOString()
    if (n % 2 === 0) {
      return `${time} ${n % 50 === 0 ? 'ERROR' : 'INFO'} worker[${n % 8}]: frame ${n} of camera ${Math.floor(random() * 64)} took ${(random() * 20).toFixed(2)} ms\n`
    }
    return `${JSON.stringify({ level: n % 75 === 0 ? 50 : 30, time, msg: `request ${n} answered`, status: 200, ms: Math.round(random() * 90), path: '/infer' })}\n`
  })
  const block = Buffer.from(lines.join(''))
  const file = openSync(path, 'w')
  let written = 0
  while (written < bytes) written += writeSync(file, block)
  closeSync(file)
  return written
}

async function follow(path: string, bytes: number, dir: string): Promise<Cost & { readonly lines: number }> {
  const store = await openStore({ dir: join(dir, 'store'), nodeName: 'n1', maxBytes: 20e9, segmentBytes: 64e6 })
  const quiet = (): void => undefined
  const settings = {
    files: [{ path, source: null, format: 'auto' as const, multiline: null }],
    containers: { dir: null, format: 'auto' as const },
    units: [],
    from: 'start' as const,
    forward: 'error' as const,
    before: 5,
    redact: [],
    maxLineBytes: 32_768,
    bytesPerSec: 1e9,
  }
  let kept = 0
  store.onCommit((records) => {
    kept += records.length
  })
  const log = { info: quiet, warn: quiet, error: quiet }
  const service = new FollowService({ settings, stateDir: dir, store, settleMs: 0, log })
  const startedAt = performance.now()
  const before = process.cpuUsage()
  await service.start()
  while (service.status().bytes < bytes || kept < service.status().lines) {
    if (performance.now() - startedAt > LIMIT_MS) throw new Error('the follower did not come to the end')
    await sleep(POLL_MS * 10)
  }
  const { user, system } = process.cpuUsage(before)
  const seconds = (performance.now() - startedAt) / 1000
  await service.stop()
  await store.close()
  return { seconds, cpuSec: (user + system) / 1e6, lines: kept }
}

/** `tail -F` from the first line, into a file or nothing, until all of it came. */
async function tail(path: string, bytes: number, into: string | null): Promise<Cost> {
  const out = into === null ? 'pipe' : openSync(into, 'w')
  const startedAt = performance.now()
  const child = spawn('tail', ['-n', '+1', '-F', path], { stdio: ['ignore', out, 'ignore'] })
  let read = 0
  child.stdout?.on('data', (chunk: Buffer) => {
    read += chunk.length
  })
  while ((into === null ? read : statSync(into).size) < bytes) await sleep(POLL_MS)
  if (typeof out === 'number') await synced(into as string)
  const cost = { seconds: (performance.now() - startedAt) / 1000, cpuSec: cpuOf(child) }
  child.kill('SIGKILL')
  return cost
}

/** rsyslog's imfile into its omfile, line by line as it is. @throws Error when rsyslogd is missing or ends */
async function rsyslog(path: string, bytes: number, dir: string): Promise<Cost> {
  const into = join(dir, 'rsyslog.log')
  const config = join(dir, 'rsyslog.conf')
  const work = join(dir, 'rsyslog')
  mkdirSync(work)
  writeFileSync(
    config,
    `global(workDirectory="${work}")
module(load="imfile")
template(name="asItIs" type="string" string="%msg%\\n")
ruleset(name="copy") { action(type="omfile" file="${into}" template="asItIs") }
input(type="imfile" file="${path}" tag="app" addMetadata="off" ruleset="copy")
`,
  )
  const startedAt = performance.now()
  const args = ['-n', '-f', config, '-i', join(work, 'pid')]
  const child = spawn('rsyslogd', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  let end: string | null = null
  child.once('error', ({ message }) => {
    end = message
  })
  child.once('exit', (code) => {
    end = `it ended with ${code}`
  })
  const size = (): number => statSync(into, { throwIfNoEntry: false })?.size ?? 0
  try {
    while (size() < bytes) {
      if (end !== null) throw new Error(`rsyslogd (apt-get install rsyslog): ${end}`)
      if (performance.now() - startedAt > LIMIT_MS) throw new Error('rsyslogd did not come to the end')
      await sleep(POLL_MS)
    }
    await synced(into)
    return { seconds: (performance.now() - startedAt) / 1000, cpuSec: cpuOf(child) }
  } finally {
    child.kill('SIGKILL')
  }
}

async function synced(path: string): Promise<void> {
  const child = spawn('sync', [path], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('close', resolve))
}

/** CPU seconds of a process so far, of Linux. */
function cpuOf({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { mb: { type: 'string', default: '500' } } })
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-follow-bench-'))
  try {
    const path = join(dir, 'app.log')
    const bytes = writeLog(path, Number(values.mb) * 1e6)
    const row = (name: string, { seconds, cpuSec }: Cost): string =>
      `| ${name} | ${(bytes / 1e6 / seconds).toFixed(1)} | ${(cpuSec / (bytes / 1e9)).toFixed(1)} |`
    const rows = [
      row('tail -F into a pipe that is read and dropped', await tail(path, bytes, null)),
      row('tail -F into a file, synced at the end', await tail(path, bytes, join(dir, 'copy'))),
      row('rsyslogd, imfile into omfile, synced at the end', await rsyslog(path, bytes, dir)),
    ]
    const followed = await follow(path, bytes, dir)
    rows.push(row('the follower into the store, parsed, redacted, each batch synced', followed))
    console.log(
      `| ${(bytes / 1e6).toFixed(0)} MB, ${followed.lines} lines | MB/s | CPU s/GB |\n|---|---|---|\n${rows.join('\n')}`,
    )
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

await main()
