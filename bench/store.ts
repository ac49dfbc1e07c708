/**
 * Durable appends a second of 1 KiB records at 1, 32 and 256 writers: the store, plain and sealed, beside a bare file that
 * is written and synced in natural groups, in turn in the same run. Trust the ratios, not the figures.
 *
 * Run with `node bench/store.ts [folder]`; the folder decides the disk.
 */

import { randomBytes } from 'node:crypto'
import { closeSync, fdatasync, openSync, writev } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore, type Store } from '../edge-daemon/store/store.ts'
import { spread } from './spread.ts'

const ROUNDS = 5
const ROUND_MS = 700
const WRITERS = [1, 32, 256]

type Append = () => Promise<unknown>

function body(): object {
  const text = Array.from({ length: 110 }, () => Math.random().toString(36).slice(2, 10)).join(' ')
  return {
    code: 200,
    pred: 7,
    confidence: 0.98,
    model: 'digits@1.0.0',
    total_ms: 6.2,
    bytes: 91_230,
    msg: text.slice(0, 900),
  }
}
const BODIES = Array.from({ length: 64 }, body)

async function appendsPerSec(append: Append, writers: number): Promise<{ rate: number; p99Ms: number }> {
  const latencies: number[] = []
  const begin = performance.now()
  const write = async (): Promise<void> => {
    while (performance.now() - begin < ROUND_MS) {
      const from = performance.now()
      await append()
      latencies.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: writers }, write))
  const seconds = (performance.now() - begin) / 1000
  latencies.sort((a, b) => a - b)
  return { rate: latencies.length / seconds, p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0 }
}

/** The floor: gather while a sync runs, then one write and one sync, and nothing else. */
function bareFile(path: string): { append: Append; close: () => void } {
  const fd = openSync(path, 'w')
  let waiting: { line: Buffer; resolve: () => void }[] = []
  let isBusy = false
  let position = 0
  const turn = (): void => {
    const group = waiting
    if (group.length === 0) return
    waiting = []
    isBusy = true
    const bytes = Buffer.concat(group.map(({ line }) => line))
    writev(fd, [bytes], position, (writeError) => {
      if (writeError) throw writeError
      position += bytes.length
      fdatasync(fd, (syncError) => {
        if (syncError) throw syncError
        isBusy = false
        for (const { resolve } of group) resolve()
        setImmediate(turn)
      })
    })
  }
  let next = 0
  return {
    append: () =>
      new Promise<void>((resolve) => {
        next = (next + 1) % BODIES.length
        waiting.push({ line: Buffer.from(`${JSON.stringify(BODIES[next])}\n`), resolve })
        if (!isBusy && waiting.length === 1) setImmediate(turn)
      }),
    close: () => closeSync(fd),
  }
}

function appendTo(store: Store): Append {
  let next = 0
  return async () => {
    next = (next + 1) % BODIES.length
    const outcome = await store.append([{ class: 'normal', timestamp: Date.now(), body: BODIES[next] ?? {} }])
    if (!outcome.stored) throw new Error(outcome.msg)
  }
}

const dir = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'edgedeck-bench-store-'))
const options = { nodeName: 'bench', maxBytes: 1e9, segmentBytes: 16e6 }
const keys = { keys: [{ id: 1, secret: new Uint8Array(randomBytes(32)) }], lost: [] }
const plain = await openStore({ ...options, dir: join(dir, 'plain') })
const sealed = await openStore({ ...options, dir: join(dir, 'sealed'), keys })
const bare = bareFile(join(dir, 'bare'))
const contenders: readonly (readonly [name: string, append: Append])[] = [
  ['bare file', bare.append],
  ['store, plain', appendTo(plain)],
  ['store, sealed', appendTo(sealed)],
]
try {
  for (const writers of WRITERS) {
    const rounds: { rate: number; p99Ms: number }[][] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const row = []
      for (const [, append] of contenders) row.push(await appendsPerSec(append, writers))
      rounds.push(row)
    }
    for (const [at, [name]] of contenders.entries()) {
      const of = (figure: (row: { rate: number; p99Ms: number }[]) => number): number[] => rounds.map(figure)
      const row = {
        writers,
        name,
        perSec: spread(
          of((round) => round[at]?.rate ?? 0),
          0,
        ),
        ofBare: spread(
          of((round) => (round[at]?.rate ?? 0) / (round[0]?.rate ?? 1)),
          2,
        ),
        p99Ms: spread(
          of((round) => round[at]?.p99Ms ?? 0),
          2,
        ),
      }
      console.log(JSON.stringify(row))
    }
  }
} finally {
  bare.close()
  await plain.close()
  await sealed.close()
  await rm(dir, { recursive: true })
}
