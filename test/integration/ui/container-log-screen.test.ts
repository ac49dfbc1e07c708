import { afterEach, expect, test } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import type { LogRecord } from '../../../protocol/records.ts'
import type { ContainerEvent, ContainerLog, LogBegin } from '../../../src/remote/contract.ts'
import { ConsoleScreen, START_MS } from '../../support/console-screen.ts'

const cleanUp: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanUp.splice(0)) clean()
})

/** A container that writes what a test says, behind an API server that may be away. */
class FakeContainer implements ContainerLog {
  /** Why nothing can be read now; null when it can. */
  fault: EdgeError | null = null
  readonly followed: LogBegin[] = []
  /** How many follow it now. */
  followers = 0
  readonly #records: LogRecord[] = []
  #wake: (() => void)[] = []
  #notes: string[] = []

  write(atMs: number, count: number): void {
    for (let i = 0; i < count; i += 1) {
      const number = this.#records.length + 1
      const seq = number * 10
      const place = { seq, node_id: '', timestamp: Math.floor(atMs + i / 100), source: 'vision/camera/app' }
      this.#records.push({ ...place, level: 'info', msg: `line ${number}` })
    }
    this.#go()
  }

  tell(text: string): void {
    this.#notes.push(text)
    this.#go()
  }

  async *follow(from: LogBegin, signal: AbortSignal): AsyncGenerator<ContainerEvent> {
    this.followed.push(from)
    if (this.fault !== null) throw this.fault
    this.followers += 1
    try {
      let at = this.#records.indexOf(this.#from(from)[0] as LogRecord)
      if (at < 0) at = this.#records.length
      while (!signal.aborted) {
        for (const text of this.#notes.splice(0)) yield { kind: 'note', atMs: START_MS + 1e6, text }
        for (; at < this.#records.length; at += 1) yield { kind: 'line', record: this.#records[at] as LogRecord }
        await new Promise<void>((resolve) => {
          this.#wake.push(resolve)
          signal.addEventListener('abort', () => resolve())
        })
      }
    } finally {
      this.followers -= 1
    }
  }

  async *read(from: LogBegin): AsyncGenerator<LogRecord> {
    if (this.fault !== null) throw this.fault
    yield* this.#from(from)
  }

  #from({ sinceMs, tail }: LogBegin): LogRecord[] {
    const since = this.#records.filter(({ timestamp }) => sinceMs === null || timestamp >= sinceMs)
    return tail === null ? since : since.slice(-tail)
  }

  #go(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

function screenOver(log: FakeContainer): ConsoleScreen {
  const never = () => Promise.reject(new Error('no shell here'))
  const place = { how: 'pod', label: 'vision/camera (app)', detail: 'container, running', open: never, log } as const
  const screen = new ConsoleScreen({
    columns: 120,
    rows: 40,
    nodes: [{ name: 'n1', logsPerSec: 0 }],
    shells: {
      desk: {
        context: 'test',
        production: false,
        who: () => 'mia',
        journal: { begins: never },
        recordingsDir: '/nonexistent',
        record: { input: false, maxBytes: 1, redact: [] },
        named: () => ({}),
        tellNode: never,
        nowMs: () => START_MS,
      },
      find: async () => ({ places: [place], faults: [] }),
      lend: never,
      size: () => ({ columns: 120, rows: 40 }),
      term: 'xterm',
    },
  })
  cleanUp.push(() => screen.dispose())
  return screen
}

const numbers = (screen: ConsoleScreen): number[] =>
  [...screen.emulator.screen().matchAll(/line (\d+)/g)].map(([, number]) => Number(number))

test('while the API server is away a row says so once, and what was written meanwhile comes without a hole', async () => {
  const log = new FakeContainer()
  log.write(START_MS - 5000, 20)
  log.fault = new EdgeError('KUBE_UNREACHABLE', { message: 'the API server does not answer', next: ['look at it'] })
  const screen = screenOver(log)
  await screen.pass(1)
  await screen.type('b')
  await screen.until('the log cannot be read: the API server does not answer → look at it')
  log.write(screen.nowMs, 1300)
  for (let tries = 0; tries < 100 && log.followed.length < 4; tries += 1)
    await screen.until('cannot be read').then(() => screen.type('w'))
  expect(log.followed.length).toBeGreaterThan(3)
  expect(screen.emulator.screen().match(/cannot be read/g)).toHaveLength(1)
  log.fault = null
  await screen.until('line 1320')
  await screen.type('g')
  await screen.until(/line 1\b/)
  const seen = new Set<number>()
  for (let press = 0; press < 400 && !seen.has(1320); press += 1) {
    for (const number of numbers(screen)) seen.add(number)
    await screen.type('\u0004')
  }
  expect(seen.size).toBe(1320)
}, 120_000)

test('what is to be known stands between the lines before and after it, and so does how many lines are no longer held', async () => {
  const log = new FakeContainer()
  log.write(START_MS - 60_000, 5)
  const screen = screenOver(log)
  await screen.pass(1)
  await screen.type('b')
  await screen.until('line 5')
  log.tell('it was started again')
  await screen.until('started again')
  log.write(screen.nowMs - 2000, 3)
  await screen.until('line 8')
  const rows = screen.emulator.text().filter((row) => /line \d|started/.test(row))
  expect(rows.map((row) => /line \d|started/.exec(row)?.[0])).toEqual([
    ...[1, 2, 3, 4, 5].map((number) => `line ${number}`),
    'started',
    ...[6, 7, 8].map((number) => `line ${number}`),
  ])
  log.write(screen.nowMs, 40_000)
  await screen.until('line 40008')
  await screen.type('g')
  await screen.until(/line 1\b/)
  expect(screen.emulator.screen()).toMatch(/20 00\d lines of n1 are no longer held here/)
}, 60_000)

test('it is followed while its screen is open, also when that is gone back to, and no longer', async () => {
  const log = new FakeContainer()
  log.write(START_MS - 1000, 3)
  const screen = screenOver(log)
  await screen.pass(1)
  await screen.type('b')
  await screen.until('line 3')
  expect(log.followers).toBe(1)
  await screen.type('\r')
  await screen.type('\u001b')
  await new Promise((resolve) => setTimeout(resolve, 120))
  await screen.until('line 3')
  expect(log.followers).toBe(1)
  await screen.type('-')
  await expect.poll(() => log.followers).toBe(0)
  await screen.type('-')
  await expect.poll(() => log.followers).toBe(1)
  await screen.type('a')
  await expect.poll(() => log.followers).toBe(0)
  await screen.until('logs of all nodes')
})
