import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import type { LogRecord } from '../../../protocol/records.ts'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { ConsoleScreen, type ConsoleScreenOptions, START_MS } from '../../support/console-screen.ts'
import { KeptLogs } from '../../support/kept-logs.ts'

const HOUR_MS = 3_600_000
const ESC = '\u001b'
const cleanUp: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanUp.splice(0)) clean()
})

/** A console over nodes that say nothing by themselves and keep what a test gave them. */
class LogsOnScreen {
  readonly screen: ConsoleScreen
  readonly links: ReadonlyMap<string, KeptLogs>

  constructor(names: readonly string[], options: Partial<ConsoleScreenOptions> = {}) {
    this.links = new Map(names.map((name) => [name, new KeptLogs(name)]))
    const nodes = names.map((name) => ({ name, logsPerSec: 0 }))
    this.screen = new ConsoleScreen({ columns: 120, rows: 40, ...options, nodes, links: this.links })
    cleanUp.push(() => this.screen.dispose())
  }

  node(name: string): KeptLogs {
    const link = this.links.get(name)
    if (link === undefined) throw new Error(`no node ${name}`)
    return link
  }

  /** A line that is kept and comes live. */
  say(name: string, line: Partial<LogRecord>): void {
    const record = this.node(name).keep(this.screen.nowMs, line)
    const frame = { t: 'rows' as const, id: 'logs', topic: 'logs' as const, rows: [record] }
    this.screen.fleet.apply(name, { kind: 'frame', frame, sizeBytes: 200 }, this.screen.nowMs)
  }

  /** Open the logs of all nodes. */
  async open(): Promise<void> {
    await this.screen.pass(2)
    await this.type('l')
    if (this.links.size > 1) await this.type('a')
  }

  async type(...keys: string[]): Promise<void> {
    for (const key of keys) {
      await this.screen.type(key)
      // It may be the begin of a sequence: the router waits so long for the rest.
      if (key === ESC) await new Promise((resolve) => setTimeout(resolve, 120))
    }
    await this.screen.pass(1)
  }

  get text(): string {
    return this.screen.emulator.screen()
  }

  /** The line under the cursor. */
  get cursor(): string {
    return this.screen.emulator.text().find((row) => /^[▌>]/.test(row)) ?? ''
  }

  /** Numbers of the lines in sight that say `line N`. */
  get numbers(): number[] {
    return [...this.text.matchAll(/line (\d+)/g)].map(([, number]) => Number(number))
  }

  get title(): string {
    return this.screen.emulator.text().find((row) => /^[─═] logs of/.test(row)) ?? ''
  }
}

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-logs-'))
  cleanUp.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Lines of two nodes that take turns, one a second up to a minute before the start. */
function keepTurns(logs: LogsOnScreen, count: number): void {
  const [first = '', second = ''] = [...logs.links.keys()]
  for (let number = 1; number <= count; number += 1) {
    logs
      .node(number % 2 === 1 ? first : second)
      .keep(START_MS - 60_000 - (count - number) * 1000, { msg: `line ${number}` })
  }
}

test('older lines are read from the nodes as they are scrolled to, in one order, none twice, to what is kept no longer', async () => {
  const logs = new LogsOnScreen(['n1', 'n2'])
  keepTurns(logs, 1200)
  await logs.open()
  expect(logs.numbers.at(-1)).toBe(1200)
  const seen = new Set<number>()
  for (let press = 0; press < 90 && !seen.has(1); press += 1) {
    const { numbers } = logs
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index))
    for (const number of numbers) seen.add(number)
    await logs.type('\u0015')
  }
  for (const number of logs.numbers) seen.add(number)
  expect(seen.size).toBe(1200)
  await logs.type('\u0015', '\u0015')
  expect(logs.text).toContain('no older lines')
  await logs.type('G')
  expect(logs.numbers.at(-1)).toBe(1200)
}, 240_000)

test('a search marks and goes through what matches, and hides nothing; a wrong pattern says why while it is typed', async () => {
  const logs = new LogsOnScreen(['n1'])
  for (let number = 1; number <= 30; number += 1) {
    logs
      .node('n1')
      .keep(START_MS - 40_000 + number * 1000, { msg: number % 10 === 3 ? `Timeout ${number}` : `line ${number}` })
  }
  await logs.open()
  await logs.type('/', 'time(')
  expect(logs.screen.emulator.text().at(-1)).toMatch(/missing closing \): time\(/)
  await logs.type('\r')
  expect(logs.screen.emulator.text().at(-1)).toContain(' /time(')
  await logs.type('\u007f', '.ut')
  expect(logs.screen.emulator.text().at(-1)).toContain('3 of 30 lines')
  await logs.type('\r')
  expect(logs.cursor).toContain('Timeout 23')
  expect(logs.title).toContain('3 match "time.ut"')
  expect(logs.text).toContain('line 22')
  await logs.type('N')
  expect(logs.cursor).toContain('Timeout 13')
  await logs.type('n')
  expect(logs.cursor).toContain('Timeout 23')
  const row = logs.screen.emulator.text().findIndex((line) => line.includes('Timeout 13'))
  const column = logs.screen.emulator.text()[row]?.indexOf('Timeout') ?? 0
  expect(logs.screen.emulator.cell(row, column).bg).not.toBe(logs.screen.emulator.cell(row, column + 12).bg)
  await logs.type(ESC)
  expect(logs.title).not.toContain('match')
})

test('a filter is asked of the nodes and hides the rest; without it the line stands among its neighbours', async () => {
  const logs = new LogsOnScreen(['n1', 'n2'])
  keepTurns(logs, 600)
  logs.node('n2').records[10] = { ...(logs.node('n2').records[10] as LogRecord), msg: 'pump stalled', source: 'plc' }
  await logs.open()
  expect(logs.text).not.toContain('pump stalled')
  await logs.type('&', 'source:plc stalled', '\r')
  expect(logs.node('n2').follows.at(-1)?.filter).toEqual({
    level: 'info',
    sources: ['plc'],
    pattern: 'stalled',
    ignoreCase: true,
  })
  expect(logs.text).toContain('plc: pump stalled')
  expect(logs.numbers).toEqual([])
  await logs.type('k', ESC)
  expect(logs.cursor).toContain('pump stalled')
  expect(logs.numbers).toEqual(expect.arrayContaining([21, 23]))
  await logs.type(ESC, ESC, ESC)
  expect(logs.node('n1').follows.at(-1)?.filter).toEqual({ level: 'info' })
})

test('what stood around a line that a filter left over is shown in its place', async () => {
  const logs = new LogsOnScreen(['n1', 'n2'])
  keepTurns(logs, 600)
  logs.node('n2').records[10] = { ...(logs.node('n2').records[10] as LogRecord), msg: 'pump stalled' }
  await logs.open()
  await logs.type('&', 'stalled', '\r', 'c')
  expect(logs.numbers).toEqual([16, 18, 20, 24, 26, 28])
  expect(logs.screen.emulator.text().filter((row) => row.startsWith('│'))).toHaveLength(6)
  await logs.type('c')
  expect(logs.numbers).toHaveLength(20)
  await logs.type('c')
  expect(logs.numbers).toEqual([])
})

test('a key for a node means the one whose line the cursor is on', async () => {
  const logs = new LogsOnScreen(['n1', 'n2'])
  keepTurns(logs, 6)
  await logs.open()
  await logs.type('k')
  expect(logs.cursor).toMatch(/n1 +INFO {2}app: line 5/)
  await logs.type('\r')
  expect(logs.text).toMatch(/^ n1 /m)
})

test('the nearest error is found on any node beyond what is held, its node opened, and its line come back to', async () => {
  const logs = new LogsOnScreen(['n1', 'n2'])
  logs.node('n2').keep(START_MS - 26 * HOUR_MS, { level: 'error', msg: 'disk gone' })
  logs.node('n1').keep(START_MS - 5 * HOUR_MS, { level: 'fatal', msg: 'out of memory' })
  keepTurns(logs, 1000)
  await logs.open()
  await logs.type('E')
  expect(logs.cursor).toMatch(/n1 +FATAL app: out of memory/)
  expect(logs.title).toMatch(/═ logs of all nodes: THEN 05:00:00/)
  await logs.type('E')
  expect(logs.cursor).toMatch(/11-21 .*n2 +ERROR app: disk gone/)
  await logs.type('\r')
  expect(logs.text).toContain('inference stages')
  await logs.type(ESC)
  expect(logs.cursor).toMatch(/n2 +ERROR app: disk gone/)
  await logs.type('e')
  expect(logs.cursor).toMatch(/n1 +FATAL app: out of memory/)
  await logs.type('.')
  expect(logs.title).toContain('following')
  expect(logs.numbers.at(-1)).toBe(1000)
})

test('a time is gone to, and a range shown, with how to get back', async () => {
  const logs = new LogsOnScreen(['n1', 'n2'])
  keepTurns(logs, 7200)
  await logs.open()
  await logs.type('T', '09:00', '\r')
  expect(logs.cursor).toContain('09:00:00')
  expect(logs.title).toContain('THEN 09:00:00.000'.slice(0, 13))
  await logs.type('T', '08:30..08:30:09', '\r')
  expect(logs.title).toContain('08:30:00 to 08:30:09')
  expect(logs.numbers).toHaveLength(10)
  await logs.type('T', '25:00', '\r')
  expect(logs.screen.emulator.text().at(-1)).toContain('24 hours')
  await logs.type(ESC, ESC)
  expect(logs.title).toContain('following')
  await logs.type('2')
  expect(logs.title).toContain('last 5m')
  await logs.type('g')
  expect(logs.cursor).toMatch(/09:55:/)
})

test('what comes while it is paused is counted, and all there when it goes on', async () => {
  const logs = new LogsOnScreen(['n1'])
  await logs.open()
  logs.say('n1', { msg: 'line 1' })
  await logs.type('=')
  for (let number = 2; number <= 9; number += 1) logs.say('n1', { msg: `line ${number}` })
  await logs.screen.pass(3)
  expect(logs.title).toContain('PAUSED, 8 newer')
  expect(logs.numbers).toEqual([1])
  await logs.type('=')
  expect(logs.numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('a line unfolds to its fields, what is JSON in them, the lines before it, and what was cut', async () => {
  const logs = new LogsOnScreen(['n1'])
  logs.node('n1').keep(START_MS - 9000, {
    level: 'error',
    msg: 'refused',
    fields: { camera: '7', request: '{"path":"/infer","tries":[1,2]}', a: 1, b: 2, c: 3, d: 4 },
    cut_chars: 61_234,
    before: [{ timestamp: START_MS - 10_000, level: 'warn', msg: 'slow' }],
  })
  await logs.open()
  expect(logs.text).toContain('refused  camera=7 request={"path":"/infer","tries":[1,2]} a=1 b=2 c=3 +1 (61 234 char')
  await logs.type('o')
  expect(logs.text).toMatch(/ camera {3}7 *\n/)
  expect(logs.text).toContain('"path": "/infer",')
  expect(logs.text).toContain('61 234 more characters were cut by the node')
  expect(logs.text).toMatch(/before it: *\n.*09:59:50\.000 WARN {2}slow/)
  await logs.type('o')
  expect(logs.text).not.toContain('before it:')
})

test('lines are copied to the clipboard and saved to a file of their own', async () => {
  const logsDir = tempDir()
  const logs = new LogsOnScreen(['n1'], { logsDir })
  for (let number = 1; number <= 3; number += 1)
    logs.node('n1').keep(START_MS - 5000 + number, { msg: `line ${number}` })
  await logs.open()
  await logs.type('k', 'y')
  expect(logs.screen.copied).toEqual([expect.stringMatching(/^2026-11-22 \d\d:59:55\.002 n1 INFO {2}app: line 2$/)])
  await logs.type('m', 'G', 'Y')
  expect(logs.screen.copied.at(-1)?.split('\n')).toHaveLength(2)
  for (const [at, range] of ['0', '1'].entries()) {
    await logs.type(range, 'S')
    await logs.screen.emulator.until((screen) => {
      const file = /saved 3 lines .*\/(\S+\.log)/.exec(screen)?.[1]
      return file !== undefined && readdirSync(logsDir).sort()[at] === file
    })
  }
  const files = readdirSync(logsDir)
  expect(files).toHaveLength(2)
  for (const file of files) {
    expect(statSync(join(logsDir, file)).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(logsDir, file), 'utf8').split('\n')).toHaveLength(4)
  }
})

test('while a page comes slowly its lines are shown as they come, and how many of it there are', async () => {
  const logs = new LogsOnScreen(['n1'])
  for (let number = 1; number <= 600; number += 1) {
    logs.node('n1').keep(START_MS - 900_000 + number * 1000, { msg: `line ${number}` })
  }
  const { promise, resolve } = Promise.withResolvers<void>()
  logs.node('n1').restAfter = promise
  await logs.open()
  for (let press = 0; press < 9; press += 1) await logs.type('\u0015')
  expect(logs.text).toContain('reading older lines from the nodes, 100 of 400 came')
  expect(logs.numbers[0]).toBe(501)
  resolve()
  await vi.waitFor(
    async () => {
      await logs.type('\u0015')
      expect(logs.text).not.toContain('came')
      expect(logs.numbers[0]).toBeLessThan(501)
    },
    { timeout: 60_000 },
  )
})

test('a node that does not answer is named, and the others are shown', async () => {
  const logs = new LogsOnScreen(['n1', 'n2'])
  keepTurns(logs, 40)
  logs.node('n2').isSilent = true
  await logs.open()
  expect(logs.numbers.every((number) => number % 2 === 1)).toBe(true)
  await logs.type('g')
  expect(logs.text).toContain('older lines of n2 are missing: no answer within 10000 ms')
})

test('the histogram counts errors of all nodes, and its bars are stepped through', async () => {
  const logs = new LogsOnScreen(['n1', 'n2'])
  for (const [name, minutes, level] of [
    ['n1', 50, 'error'],
    ['n2', 50, 'fatal'],
    ['n2', 20, 'warn'],
    ['n1', 5, 'error'],
  ] as const) {
    logs.node(name).keep(START_MS - minutes * 60_000, { level, msg: `${level} of ${name}` })
  }
  await logs.open()
  const bars = logs.screen.emulator.text().find((row) => row.startsWith(' errors'))
  expect(bars).toMatch(/█ +▄ +max 2\/1m/)
  await logs.type('\u001b[D')
  expect(logs.cursor).toContain('error of n1')
  await logs.type('\u001b[D')
  expect(logs.cursor).toContain('warn of n2')
  await logs.type('\u001b[D', '\u001b[C')
  expect(logs.cursor).toContain('warn of n2')
})

test('while nothing has come yet it is said that lines are read, and not that there are none or that it is 1970', async () => {
  const logs = new LogsOnScreen(['n1'])
  const { promise, resolve: answer } = Promise.withResolvers<null>()
  logs.node('n1').answersAfter = promise
  logs.node('n1').keep(START_MS - 60_000, { msg: 'line 1' })
  await logs.open()
  expect(logs.text).toContain('reading lines of level info or above from the nodes …')
  await logs.type('g')
  expect(logs.text).toContain('reading lines of level info or above from the nodes …')
  expect(logs.text).not.toMatch(/no line of level|01-01|older lines/)
  expect(logs.text).toMatch(/ counting…/)
  answer(null)
  await logs.screen.pass(2)
  expect(logs.cursor).toContain('line 1')
})

const HOSTILE: readonly Partial<LogRecord>[] = [
  { msg: 'started', source: 'edge-daemon', fields: { version: '0.1.0' } },
  { msg: '温度传感器 正常 🌡️ 41.2°C 👩‍🏭 好', source: 'plc', fields: { 工位: '东区-3' } },
  { level: 'warn', msg: `long ${'x'.repeat(60_000)}`, cut_chars: 30_000 },
  {
    level: 'error',
    msg: 'evil \u001b[2J\u001b]0;owned\u0007 \u202egnp.exe',
    source: 'e\u001b[31mvil',
    fields: { 'na\u009bme': '\u001b[5m' },
  },
  { level: 'fatal', msg: 'out of memory', source: 'kernel' },
]

test.each([
  [80, 24, {}],
  [120, 40, {}],
  [200, 60, {}],
  [250, 70, {}],
  [80, 24, { ascii: true, depth: 'none' }],
] as const)('logs at %i×%i look as they were agreed, whatever nodes write: %j', async (columns, rows, look) => {
  const logs = new LogsOnScreen(['press-1', '质检-东区-03'], { columns, rows, ...look })
  for (let turn = 0; turn < 30; turn += 1) {
    for (const [at, line] of HOSTILE.entries()) {
      if (at > 2 && turn % 7 !== 0) continue
      logs.node(turn % 2 === 0 ? 'press-1' : '质检-东区-03').keep(START_MS - 1_800_000 + turn * 60_000 + at, line)
    }
  }
  await logs.open()
  await logs.type('/', 'memory|温度', '\r', 'E', 'o')
  const suffix = 'ascii' in look ? '-ascii' : ''
  await expect(logs.text).toMatchFileSnapshot(`../../golden/logs/${columns}x${rows}${suffix}.txt`)
  // Of emoji the emulator thinks otherwise than most terminals, so a blank stands behind them.
  for (const line of logs.screen.emulator.text()) {
    if (!line.includes('🌡')) expect(widthOf(line)).toBeLessThanOrEqual(columns)
  }
  expect(logs.screen.emulator.output).not.toMatch(/\u001b\]0|\u202e|\u009b/)
})
