import { afterEach, describe, expect, test } from 'vitest'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { ConsoleScreen, type ConsoleScreenOptions } from '../../support/console-screen.ts'

const screens: ConsoleScreen[] = []
afterEach(() => {
  for (const screen of screens.splice(0)) screen.dispose()
})

async function open(options: Partial<ConsoleScreenOptions> = {}): Promise<ConsoleScreen> {
  const nodes = [{}, { site: 'plant-b', cpuPct: 95 }, { name: '质检-东区-03', site: '仓库', uplinkDown: true }]
  const screen = new ConsoleScreen({ columns: 120, rows: 40, nodes, ...options })
  screens.push(screen)
  await screen.pass(12)
  return screen
}

function lineWith(screen: ConsoleScreen, text: string): string {
  const found = screen.emulator.text().find((line) => line.includes(text))
  if (found === undefined) throw new Error(`no line with "${text}":\n${screen.emulator.screen()}`)
  return found
}

test.each([
  [80, 24],
  [120, 40],
  [200, 60],
  [250, 70],
])('the fleet at %i×%i looks as it was agreed', async (columns, rows) => {
  const screen = await open({ columns, rows })
  await expect(screen.emulator.screen()).toMatchFileSnapshot(`../../golden/fleet-${columns}x${rows}.txt`)
})

test.each([
  ['node', '\r'],
  ['logs', 'l'],
  ['help', '?'],
  ['palette', ':'],
] as const)('the %s view looks as it was agreed', async (name, keys) => {
  const screen = await open()
  await screen.type(keys)
  await expect(screen.emulator.screen()).toMatchFileSnapshot(`../../golden/${name}-120x40.txt`)
})

describe('a row', () => {
  test('fills the width and loses no column, at every width from 60 to 250', async () => {
    const screen = await open()
    for (const columns of [60, 61, 79, 80, 99, 100, 119, 133, 160, 199, 250]) {
      screen.emulator.resize(columns, 40)
      await screen.emulator.settle()
      const heading = lineWith(screen, 'NODE')
      expect(heading).toMatch(/ STATE/)
      for (const title of heading.trim().split(/\s{1,}/)) expect(title).not.toMatch(/[…#]/)
      for (const line of screen.emulator.text()) expect(widthOf(line)).toBeLessThanOrEqual(columns)
      expect(lineWith(screen, 'node-1')).not.toContain('##')
    }
  })

  test('of a silent node goes stale, then offline, counts its age, and comes back', async () => {
    const screen = await open()
    screen.silent.add('node-1')
    await screen.pass(5)
    expect(lineWith(screen, '▶')).toMatch(/node-1|▶/)
    expect(lineWith(screen, ' node-1')).toMatch(/◐ stale [45]s/)
    // What it was when it was last heard is not shown as what it is.
    expect(lineWith(screen, ' node-1')).not.toMatch(/%|\/s| ms|°/)
    expect(lineWith(screen, ' node-2')).toMatch(/%.* ms/)
    expect(screen.emulator.text()[0]).toContain('1 stale')
    await screen.pass(12)
    expect(lineWith(screen, ' node-1')).toMatch(/✗ offline 1[5-8]s/)
    screen.silent.clear()
    await screen.pass(3)
    expect(lineWith(screen, ' node-1 ')).toMatch(/● up.*%.* ms/)
  })

  test('keeps the cursor on its node while rows move', async () => {
    const screen = await open()
    await screen.type('g')
    const before = /▶.([^ ]+)/.exec(lineWith(screen, '▶'))?.[1] as string
    screen.silent.add('node-1')
    screen.silent.add('node-2')
    await screen.pass(20)
    expect(lineWith(screen, '▶')).toContain(before)
  })
})

test('names and log lines from a hostile node are shown and never executed', async () => {
  const hostile = 'evil\u001b[2J\u001b]0;owned\u0007\u202egnp.exe'
  const screen = await open({
    columns: 200,
    nodes: [
      {
        name: hostile,
        site: `s${'\u0301'.repeat(300)}`,
        logsPerSec: 2,
        logSuffix: `\u001b[31mX\r\n\u009b2J${'y'.repeat(9000)}`,
      },
      {},
    ],
  })
  const row = lineWith(screen, 'evil')
  expect(row).toContain('evil␛[2J␛]0;owned␇·gnp.exe')
  expect(screen.emulator.output).not.toContain('\u202e')
  expect(screen.emulator.output).not.toContain('\u001b]')
  expect(screen.emulator.output).not.toContain('\u009b')
  await screen.type('l')
  expect(screen.emulator.screen()).toContain('␛[31mX␍␊·2Jyyy')
})

test('NO_COLOR leaves no colour, and the state is still told', async () => {
  const screen = await open({ depth: 'none' })
  const parameters = [...screen.emulator.output.matchAll(/\u001b\[([0-9;]*)m/g)].flatMap((match) =>
    (match[1] ?? '').split(';'),
  )
  expect(parameters.length).toBeGreaterThan(5)
  expect(parameters.filter((parameter) => Number(parameter) >= 30)).toEqual([])
  expect(lineWith(screen, 'node-2')).toContain('● up')
})

test('ASCII draws with ASCII alone', async () => {
  const screen = await open({ ascii: true, nodes: [{}, {}] })
  await screen.type('?')
  await screen.type('x')
  await screen.type('\r')
  expect(screen.emulator.screen()).toMatch(/^[\x20-\x7e\n]*$/)
})

test('a terminal that is too small says how large it must be, and recovers', async () => {
  const screen = await open()
  screen.emulator.resize(50, 10)
  await screen.emulator.settle()
  expect(screen.emulator.screen()).toContain('50×10; edgedeck needs 60×15')
  screen.emulator.resize(100, 30)
  await screen.pass(1)
  expect(lineWith(screen, 'node-1')).toContain('up')
})

test('a filter shows what it hides, and a wrong one says what to write', async () => {
  const screen = await open()
  await screen.type('/')
  await screen.type('cpu>x')
  expect(lineWith(screen, 'cpu>x')).toContain('such as cpu>80')
  await screen.type('\u007f80\r')
  expect(screen.emulator.screen()).toContain('filter "cpu>80" shows 1 of 3')
  expect(screen.emulator.text().slice(3, 7).join('\n')).not.toContain('node-1')
  await screen.type('\u001b')
})

test('marked nodes are those whose logs are opened', async () => {
  const screen = await open()
  await screen.type('g')
  await screen.type('  ')
  expect(screen.emulator.screen()).toContain('2 marked')
  await screen.type('l')
  const title = lineWith(screen, 'logs of')
  expect(title.match(/logs of ([^,]+), ([^ ]+)/)).not.toBeNull()
})

test('held still, the screen says so and stays at that time', async () => {
  const screen = await open()
  await screen.type('=')
  expect(screen.emulator.text()[0]).toMatch(/^ REPLAY 10:00:1\d −0s held/)
  const row = lineWith(screen, 'node-1')
  await screen.pass(4)
  expect(screen.emulator.text()[0]).toMatch(/^ REPLAY 10:00:1\d −4s held/)
  expect(lineWith(screen, 'node-1')).toBe(row)
  await screen.type('=')
  expect(screen.emulator.text()[0]).not.toContain('REPLAY')
})

test('quitting is asked of the owner, not done', async () => {
  const screen = await open()
  await screen.type('q')
  expect(screen.hasQuit).toBe(true)
})
