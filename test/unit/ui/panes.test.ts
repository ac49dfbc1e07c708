import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { loadKeymap } from '../../../src/actions/keymap-file.ts'
import type { DemoPanel, DemoPanelNode } from '../../../src/ui/demo-panel.ts'
import { demoStrip } from '../../../src/ui/panes/demo-strip.ts'
import { factLines } from '../../../src/ui/panes/facts.ts'
import type { Line } from '../../../src/ui/terminal/line.ts'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { PLAIN_THEME } from '../../../src/ui/theme.ts'
import { ConsoleScreen, type ConsoleScreenOptions } from '../../support/console-screen.ts'

const LOOK = { theme: PLAIN_THEME, ascii: false }
const DEFAULT_KEYS = fileURLToPath(new URL('../../../keymaps/default.yaml', import.meta.url))

const screens: ConsoleScreen[] = []
afterEach(() => {
  for (const screen of screens.splice(0)) screen.dispose()
})

async function open(options: Partial<ConsoleScreenOptions> = {}): Promise<ConsoleScreen> {
  const screen = new ConsoleScreen({ columns: 80, rows: 24, nodes: [{}, {}], ...options })
  screens.push(screen)
  await screen.pass(3)
  return screen
}

function textOf(line: Line): string {
  return line.map((span) => span.text).join('')
}

function demoOf(...changes: readonly Partial<DemoPanelNode>[]): DemoPanel {
  const nodes = changes.map((change, index) => {
    return { name: `node-${index + 1}`, pid: 1, uplink: 'up', slowMs: 0, garbage: false, ...change }
  })
  const done = (): Promise<void> => Promise.resolve()
  const state = () => ({ nodes, cloud: { kind: 'nats', up: true } })
  return { state, kill: done, revive: done, cut: done, restore: done, slow: done, garbage: done }
}

function strip(demo: DemoPanel, nodeKey: string, columns: number): string {
  const { keymap } = loadKeymap({ defaultFile: DEFAULT_KEYS, userFile: null })
  return textOf(demoStrip(demo, { keymap, nodeKey, locked: false }, LOOK, columns))
}

test('the demo keys say what they would do to the node under the cursor', () => {
  const demo = demoOf({}, { pid: null, uplink: 'cut', slowMs: 120, garbage: true })
  expect(strip(demo, 'node-1', 120)).toMatch(/C cut uplink {2}K kill {2}L slow {2}X garbage/)
  expect(strip(demo, 'node-2', 120)).toMatch(/C mend uplink {2}K revive {2}L unslow {2}X no garbage/)
})

test('the demo says which key rolls out a model, unless there is only room for what is broken', () => {
  expect(strip(demoOf({}), 'node-1', 80)).toContain('u roll out  C cut uplink')
  expect(strip(demoOf({ uplink: 'cut' }), 'node-1', 80)).not.toContain('roll out')
  expect(strip(demoOf({ uplink: 'cut' }), 'node-1', 120)).toMatch(/node-1: uplink cut +u roll out/)
})

test('what is broken in the demo is told whole, or counted where there is no room', () => {
  const demo = demoOf({ uplink: 'cut' }, { pid: null }, { slowMs: 120 })
  expect(strip(demo, 'node-1', 140)).toContain('node-1: uplink cut; node-2: down; node-3: slow')
  const narrow = strip(demo, 'node-1', 80)
  expect(narrow).toContain('3 disturbed')
  expect(widthOf(narrow)).toBeLessThanOrEqual(80)
})

test('a fact that is longer than its column goes on in the next line', () => {
  const value = 'wss://press-4.plant-a.example.org:5443/live'
  const lines = factLines([{ title: 'Link', facts: [{ label: 'address', value }] }], LOOK, 40).map(textOf)
  expect(lines.join('').replaceAll(/\s/g, '')).toContain(value)
  for (const text of lines) expect(widthOf(text)).toBeLessThanOrEqual(40)
})

test('the last line answers the newest key before older answers and faults of files', async () => {
  const screen = await open()
  screen.store.notify('keymap.yaml:3: this stays')
  screen.store.notify('first answer', screen.nowMs + 60_000)
  screen.store.notify('second answer', screen.nowMs + 60_000)
  await screen.pass(1)
  expect(screen.emulator.text().at(-1)).toContain('second answer')
  const lastLine = async (): Promise<string | undefined> => {
    await screen.pass(1)
    return screen.emulator.text().at(-1)
  }
  await screen.type('\u001b')
  await expect.poll(lastLine).toContain('keymap.yaml:3')
  await screen.type('\u001b')
  await expect.poll(lastLine).toContain('Quit')
})

test('a fault of a file gives up its folders before its cure', async () => {
  const screen = await open()
  screen.store.notify('/home/somebody/.config/edgedeck/keymap.yaml:3: nav.downn: did you mean "nav.down"?')
  await screen.pass(1)
  expect(screen.emulator.text().at(-1)).toContain(' keymap.yaml:3: nav.downn: did you mean "nav.down"?  esc closes')
})

test('the header counts one node as one', async () => {
  const screen = await open({ nodes: [{}] })
  expect(screen.emulator.text()[0]).toMatch(/ 1 node {2}● 1 up/)
})

test('a filter that no node matches, and a log without lines, say so', async () => {
  const screen = await open({ nodes: [{ logsPerSec: 0 }] })
  expect(screen.emulator.screen()).toContain('no line of level info or above yet')
  await screen.type('/nothing-like-it')
  expect(screen.emulator.screen()).toContain('no node matches the filter')
})

test('a node that is silent is not said to be running', async () => {
  const screen = await open()
  await screen.type('\r')
  expect(screen.emulator.screen()).toMatch(/running for \d+s/)
  screen.silent.add('node-1')
  await screen.pass(6)
  expect(screen.emulator.screen()).toContain('stale')
  expect(screen.emulator.screen()).not.toContain('running for')
})
