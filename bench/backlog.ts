/**
 * What a large store costs at the start: a daemon over an empty state directory beside one over a backlog, each started
 * anew in turn; time until it serves, and its memory (the model lives in a process of its own).
 *
 * Run with `node bench/backlog.ts [--records 1000000] [--a-commit 4] [--body 250] [folder]`.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { nodeDisk } from '../edge-daemon/store/disk.ts'
import { LogEngine } from '../edge-daemon/store/engine.ts'
import { addKey, readKeyFile } from '../edge-daemon/store/key-file.ts'
import { spread } from './spread.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const ROUNDS = 3
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    records: { type: 'string', default: '1000000' },
    'a-commit': { type: 'string', default: '4' },
    body: { type: 'string', default: '250' },
  },
})
const RECORDS = Number(values.records)
const A_COMMIT = Number(values['a-commit'])
const BODY_BYTES = Number(values.body)

/** Fill a store as a long outage would; not synced, which changes nothing of what a start reads. */
function fill(stateDir: string, keyFile: string): number {
  const engine = LogEngine.open({
    dir: join(stateDir, 'store'),
    nodeName: 'bench',
    maxBytes: 1e13,
    segmentBytes: 16e6,
    keys: readKeyFile(keyFile),
    disk: { ...nodeDisk, sync: () => undefined, syncFolder: () => undefined },
  })
  for (let seq = 0; seq < RECORDS; seq += A_COMMIT) {
    const records = Array.from({ length: A_COMMIT }, () => ({
      class: 'abnormal' as const,
      timestamp: Date.now(),
      bodyJson: `{"code":200,"pred":7,"confidence":0.31,"text":"${randomBytes(BODY_BYTES / 2).toString('hex')}"}`,
    }))
    engine.commit(records)
  }
  const { bytes } = engine.status()
  engine.close()
  return bytes
}

interface Start {
  readonly ms: number
  readonly rssBytes: number
}

/** Start the daemon, wait until it serves and has settled, and end it. */
async function start(stateDir: string, keyFile: string): Promise<Start> {
  const configFile = join(stateDir, 'edge-daemon.yaml')
  const config = {
    node: { name: 'bench' },
    inference: { listen: '127.0.0.1:0' },
    control: { listen: '127.0.0.1:0' },
    models: { dir: join(ROOT, 'models'), variant: 'fp32' },
    store: { maxBytes: '1000GB', keyFile },
    upstream: { nats: { servers: ['nats://127.0.0.1:1'] } },
    state: { dir: stateDir },
  }
  writeFileSync(configFile, JSON.stringify(config))
  const begin = performance.now()
  const daemon = spawn(process.execPath, [join(ROOT, 'dist/edge-daemon.js'), '--config', configFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => daemon.on('close', resolve))
  for await (const line of createInterface({ input: daemon.stdout })) if (line.includes('"listening"')) break
  const ms = performance.now() - begin
  daemon.stdout.resume()
  await new Promise((resolve) => setTimeout(resolve, 2000))
  const rssBytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) * 1024
  daemon.kill('SIGTERM')
  await ended
  return { ms, rssBytes }
}

const dir = await mkdtemp(join(positionals[0] ?? tmpdir(), 'edgedeck-bench-backlog-'))
try {
  const keyFile = join(dir, 'store.keys')
  addKey(keyFile)
  const full = join(dir, 'full')
  mkdirSync(full)
  const bytes = fill(full, keyFile)
  console.log(JSON.stringify({ records: RECORDS, aCommit: A_COMMIT, bytes }))
  const starts: { empty: Start; full: Start }[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const empty = join(dir, `empty-${round}`)
    mkdirSync(empty)
    starts.push({ empty: await start(empty, keyFile), full: await start(full, keyFile) })
    rmSync(empty, { recursive: true })
  }
  for (const name of ['empty', 'full'] as const) {
    const startSec = spread(
      starts.map((round) => round[name].ms / 1000),
      2,
    )
    const rssMb = spread(
      starts.map((round) => round[name].rssBytes / 1e6),
      0,
    )
    console.log(JSON.stringify({ store: name, startSec, rssMb }))
  }
} finally {
  await rm(dir, { recursive: true })
}
