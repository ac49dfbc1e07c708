/**
 * How fast kept log lines are searched: 1 GB of lines in a real store, a rare text, a pattern, a level and source, and the
 * newest lines that pass, beside `zstdcat | grep` over the same lines in the same run; and what a search does to answers
 * of inference. Trust the ratios, not the figures.
 *
 * Run with `node bench/search.ts [megabytes] [folder]`. It needs zstd and twice the room on the disk for a while.
 */

import { execFileSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { SearchPage, SearchRequest } from '../edge-daemon/search/contract.ts'
import { Searcher } from '../edge-daemon/search/searcher.ts'
import { openStore, type Store } from '../edge-daemon/store/store.ts'
import type { LogFilter } from '../protocol/log-filter.ts'
import { spread } from './spread.ts'

const LINES_A_CALL = 200
const FROM_MS = 1_793_000_000_000
const ROUNDS = 3
const SOURCES = ['nginx', 'camera-gateway', 'kubelet', 'edge-daemon', 'sshd']
const LEVELS = ['debug', 'info', 'info', 'info', 'info', 'info', 'warn', 'error']
const EVERYTHING = {
  fromMs: 0,
  toMs: 9e15,
  afterSeq: 0,
  beforeSeq: Number.MAX_SAFE_INTEGER,
  newestFirst: false,
  stepMs: null,
}

interface Kept {
  readonly class: 'log' | 'error'
  readonly timestamp: number
  readonly body: object
}

function line(n: number): Kept {
  const level = n % 50 === 0 ? 'error' : (LEVELS[n % 7] ?? 'info')
  const id = ((n * 2_654_435_761) >>> 0).toString(16)
  const msg =
    n % 400_000 === 1
      ? `a rare needle of id ${id} in the hay`
      : `GET /infer/${id}?camera=${n % 64} took ${(n * 7919) % 900} ms, upstream 10.0.${n % 256}.${(n >>> 8) % 256}:5000 status ${n % 97 === 0 ? 504 : 200}`
  const body = {
    level,
    source: SOURCES[n % 5],
    msg,
    fields: { camera: String(n % 64), request: id, bytes: (n * 31) % 90_000 },
  }
  return { class: level === 'error' ? 'error' : 'log', timestamp: FROM_MS + n, body }
}

/** Fill a store and a compressed file with the same lines. */
async function fill(store: Store, path: string, megabytes: number): Promise<{ lines: number; bytes: number }> {
  const plain = createWriteStream(path)
  let [n, bytes] = [0, 0]
  while (bytes < megabytes * 1e6) {
    const records = Array.from({ length: LINES_A_CALL }, (_, at) => line(n + at))
    const outcome = await store.append(records)
    if (!outcome.stored) throw new Error(outcome.msg)
    const text = records
      .map(
        ({ timestamp, body }, at) =>
          `${JSON.stringify({ seq: outcome.seqs[at], node_id: 'bench', timestamp, ...body })}\n`,
      )
      .join('')
    bytes += text.length
    if (!plain.write(text)) await new Promise<void>((resolve) => plain.once('drain', () => resolve()))
    n += LINES_A_CALL
  }
  await new Promise<void>((resolve) => plain.end(() => resolve()))
  execFileSync('zstd', ['-q', '-3', '--rm', path])
  return { lines: n, bytes }
}

async function search(
  searcher: Searcher,
  request: Partial<SearchRequest>,
  limit = Number.POSITIVE_INFINITY,
): Promise<{ found: number; bytes: number; last: SearchPage | null }> {
  const running = searcher.begin({ filter: null, ...EVERYTHING, ...request }, 1)
  let [found, bytes] = [0, 0]
  for (;;) {
    const page = await running.next({ rows: Math.min(500, limit - found), bytes: 128 * 1024 })
    found += page.rows.length
    bytes = page.lookedAtBytes
    if (page.isDone || found >= limit) {
      running.end()
      return { found, bytes, last: page }
    }
  }
}

/** Lines that grep counts, and the processor time of it and of zstdcat, ms. */
function grep(path: string, args: string): { found: number; cpuMs: number } {
  // As low as the search itself, so that both get of the machine what others leave.
  const script = `TIMEFORMAT='%U %S'; time { zstdcat ${path} | LC_ALL=C grep -c ${args} || true; }`
  const text = execFileSync('nice', ['-n', '19', 'bash', '-c', `{ ${script}; } 2>&1`], { encoding: 'utf8' })
  const [found = 0, user = 0, system = 0] = text.trim().split(/\s+/).map(Number)
  return { found, cpuMs: (user + system) * 1000 }
}

async function timed<T>(work: () => T | Promise<T>): Promise<{ ms: number; value: T }> {
  const begin = performance.now()
  const value = await work()
  return { ms: performance.now() - begin, value }
}

/** Delays of a timer that asks for 2 ms and of a small computation in another thread, as stands for an answer: p99, ms. */
async function answerP99(forMs: number): Promise<number> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads')
     parentPort.on('message', (n) => { let sum = 0; for (let i = 0; i < 2e6; i += 1) sum += Math.sqrt(i ^ n); parentPort.postMessage(sum) })`,
    { eval: true },
  )
  const took: number[] = []
  const endMs = performance.now() + forMs
  while (performance.now() < endMs) {
    const begin = performance.now()
    worker.postMessage(took.length)
    await new Promise((resolve) => worker.once('message', resolve))
    took.push(performance.now() - begin)
    await sleep(2)
  }
  await worker.terminate()
  took.sort((a, b) => a - b)
  return took[Math.floor(took.length * 0.99)] ?? 0
}

const [megabytes = '1000', folder = tmpdir()] = process.argv.slice(2)
const dir = await mkdtemp(join(folder, 'edgedeck-bench-search-'))
const store = await openStore({
  dir: join(dir, 'store'),
  nodeName: 'bench',
  maxBytes: 4e9,
  segmentBytes: 16e6,
  durability: 'async',
})
try {
  const path = join(dir, 'lines')
  const { lines, bytes } = await fill(store, path, Number(megabytes))
  console.log(
    JSON.stringify({
      lines,
      megabytes: Math.round(bytes / 1e6),
      storedMegabytes: Math.round(store.status().bytes / 1e6),
    }),
  )
  const whole = new Searcher({ store, keys: null, share: 1, forwardedFrom: 'error' })
  const questions: readonly (readonly [name: string, filter: LogFilter, grep: string])[] = [
    ['a rare text', { pattern: 'rare needle' }, `-F 'rare needle'`],
    ['a rare text in any case', { pattern: 'RARE NEEDLE', ignoreCase: true }, `-i 'rare needle'`],
    ['a pattern with a text', { pattern: 'took 8[0-9]{2} ms.*status 504' }, `-E 'took 8[0-9]{2} ms.*status 504'`],
    ['a pattern without one', { pattern: '[0-9]{7}[a-f]{1}[?]' }, `-E '[0-9]{7}[a-f]{1}[?]'`],
    ['level and source', { level: 'error', sources: ['sshd'] }, `'"level":"error","source":"sshd"'`],
  ]
  for (const [name, filter, args] of questions) {
    const ours: number[] = []
    const theirs: number[] = []
    const cpu: number[] = []
    let agree = true
    for (let round = 0; round < (name === 'a pattern without one' ? 1 : ROUNDS); round += 1) {
      const before = process.cpuUsage()
      const our = await timed(() => search(whole, { filter }))
      const { user, system } = process.cpuUsage(before)
      const their = await timed(() => grep(`${path}.zst`, args))
      ours.push(our.ms)
      theirs.push(their.ms)
      cpu.push((user + system) / 1000 / their.value.cpuMs)
      agree &&= our.value.found === their.value.found
    }
    console.log(
      JSON.stringify({
        question: name,
        agree,
        megabytesPerSec: spread(
          ours.map((ms) => bytes / 1000 / ms),
          0,
        ),
        zstdcatGrep: spread(
          theirs.map((ms) => bytes / 1000 / ms),
          0,
        ),
        timesTheProcessor: spread(cpu, 2),
        timesAsLong: spread(
          ours.map((ms, at) => ms / (theirs[at] ?? ms)),
          2,
        ),
      }),
    )
  }
  const newest = await timed(() => search(whole, { filter: { pattern: 'status 504' }, newestFirst: true }, 100))
  console.log(
    JSON.stringify({
      question: 'the newest 100 of a text',
      ms: Math.round(newest.ms),
      lookedAtMegabytes: newest.value.bytes / 1e6,
    }),
  )
  const stepMs = Math.ceil(lines / 1000)
  for (const filter of [{ level: 'error' }, null] as const) {
    const tally = await timed(() => search(whole, { filter, stepMs: Math.max(1000, stepMs) }))
    const of = filter === null ? 'all levels' : 'errors'
    console.log(
      JSON.stringify({ question: `count ${of}`, ms: Math.round(tally.ms), steps: tally.value.last?.steps?.length }),
    )
  }
  await whole.stop()
  const shared = new Searcher({ store, keys: null, share: 0.5 })
  await search(shared, {}, 1)
  const ratios: string[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const alone = await answerP99(4000)
    let isOver = false
    const searching = (async () => {
      while (!isOver) await search(shared, { filter: { pattern: 'nowhere to be found' } })
    })()
    const beside = await answerP99(4000)
    isOver = true
    await searching
    ratios.push(`${beside.toFixed(1)}/${alone.toFixed(1)} ms`)
  }
  console.log(JSON.stringify({ question: 'p99 of an answer beside a search / without', rounds: ratios }))
  await shared.stop()
} finally {
  await store.close()
  await rm(dir, { recursive: true })
}
