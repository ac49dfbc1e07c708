import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { ConsoleScreen } from '../../support/console-screen.ts'
import { KeptLogs } from '../../support/kept-logs.ts'

const HELD = 'lines of n1 are no longer held here'

let node: KeptLogs
let screen: ConsoleScreen
let errorMs: number

const cursor = (): string => screen.emulator.text().find((row) => /^[▌>]/.test(row)) ?? ''
const typed = async (...keys: string[]): Promise<void> => {
  for (const key of keys) await screen.type(key)
  await screen.pass(1)
}

/** So many lines that come live, one a millisecond; resolves with the time of the last. */
async function say(count: number, level: 'info' | 'error' = 'info'): Promise<number> {
  const atMs = screen.nowMs
  const rows = Array.from({ length: count }, (_, index) => node.keep(atMs - count + 1 + index, { level }))
  const frame = { t: 'rows', id: 'logs', topic: 'logs', rows } as const
  screen.fleet.apply('n1', { kind: 'frame', frame, sizeBytes: 200 * count }, screen.nowMs)
  await screen.pass(1)
  return atMs
}

// What came while the screen was open and was let go since: lines 11 to 20, with one error, are among it.
beforeEach(async () => {
  node = new KeptLogs('n1')
  const links = new Map([['n1', node]])
  screen = new ConsoleScreen({ columns: 120, rows: 40, nodes: [{ name: 'n1', logsPerSec: 0 }], links })
  onTestFinished(() => screen.dispose())
  await screen.pass(2)
  await say(10)
  await screen.pass(5)
  await typed('l')
  await screen.pass(5)
  await say(9)
  errorMs = await say(1, 'error')
  for (let times = 0; times < 36; times += 1) await say(500)
})

test('lines that were let go since the screen was opened are read from their node again, by enter on the row that says so', async () => {
  await typed('g', ...'j'.repeat(10))
  expect(cursor()).toContain(`${HELD}; enter reads them again`)
  const gone = Number(/([\d ]+) lines of/.exec(cursor())?.[1]?.replaceAll(' ', ''))
  await typed('\r')
  await screen.pass(1)
  const text = screen.emulator.screen()
  expect(text).not.toContain(HELD)
  const numbers = [...text.matchAll(/line (\d+)/g)].map(([, number]) => Number(number))
  expect(numbers.length).toBeGreaterThan(20)
  expect(numbers).toContain(gone - 5)
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index))
  // At the end again, what was let go is with the node as all older lines, and read as they are scrolled to.
  await typed('G', '\u0015', '\u0015')
  expect(screen.emulator.screen()).not.toContain(HELD)
})

test('a time among lines that were let go is gone to in what the node keeps', async () => {
  await typed('T', new Date(errorMs).toISOString(), '\r')
  await screen.pass(1)
  expect(cursor()).toContain('line 20 ')
})

test('an error among lines that were let go is found, from behind them and from before them', async () => {
  await typed('E')
  await screen.pass(1)
  expect(cursor()).toContain('line 20 ')
  await typed('G', 'g', 'e')
  await screen.pass(1)
  expect(cursor()).toContain('line 20 ')
})
