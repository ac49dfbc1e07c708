import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { descendants, SeenProcesses } from '../support/process-tree.ts'
import { PtyProcess } from '../support/pty.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/edgedeck.js', import.meta.url))
const NODES = ['node-1', 'node-2', 'node-3'] as const
const ESC = '\u001b'

/** `edgedeck demo` on a terminal of 120×40, in a temporary folder of its own so that leftovers can be seen. */
class DemoOnTerminal {
  readonly #tempDir = mkdtempSync(join(tmpdir(), 'edgedeck-e2e-'))
  readonly pty = new PtyProcess([process.execPath, LAUNCHER, 'demo'], {
    columns: 120,
    rows: 40,
    env: { ...process.env, TERM: 'xterm-256color', TMPDIR: this.#tempDir, XDG_CONFIG_HOME: this.#tempDir, TZ: 'UTC' },
  })
  readonly #seen = new SeenProcesses()

  /** Wait until the screen is as wanted. */
  until(wanted: (screen: string) => boolean, timeoutMs = 120_000): Promise<void> {
    return this.pty.emulator.until(wanted, timeoutMs)
  }

  /** Row of a node in the fleet table; empty when it is not shown. */
  row(node: string): string {
    return this.pty.emulator.text().find((line) => line.slice(0, 12).includes(node)) ?? ''
  }

  /** The node under the cursor. */
  cursor(): string {
    return /^▶.(\S+)/m.exec(this.pty.emulator.screen())?.[1] ?? ''
  }

  /** Move the cursor to a node, one key at a time as a person does who looks; rows may move in between. */
  async moveTo(node: string): Promise<void> {
    for (let key = 0; key < 10 && this.cursor() !== node; key += 1) {
      const from = this.cursor()
      const lineOf = (name: string): number => this.pty.emulator.text().indexOf(this.row(name))
      this.pty.type(lineOf(node) > lineOf(from) ? 'j' : 'k')
      await this.until(() => this.cursor() !== from, 5000).catch(() => undefined)
    }
    expect(this.cursor()).toBe(node)
  }

  /** Whether a node is shown up, with CPU, inferences, latencies and bytes. */
  hasFigures(node: string): boolean {
    return /● up.* \d+ % .* [1-9]\d*\.\d .* ms .* ms .*(?:KB|MB)\/s/.test(this.row(node))
  }

  async untilServing(): Promise<void> {
    await this.until(() => NODES.every((node) => this.hasFigures(node)))
    await this.note()
  }

  /** Remember every process it has now, to look for later. */
  async note(): Promise<void> {
    this.#seen.note(descendants(await this.pty.pid))
  }

  leftovers(): { processes: number[]; files: string[] } {
    return { processes: this.#seen.alive(), files: readdirSync(this.#tempDir) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.note().catch(() => undefined)
    await this.pty.dispose()
    this.#seen.kill()
    if (existsSync(this.#tempDir)) rmSync(this.#tempDir, { recursive: true, force: true, maxRetries: 10 })
  }
}

/** The demo runs once; the tests are a story in order, as a newcomer would play it. */
describe('the demo on a terminal', () => {
  let demo: DemoOnTerminal
  let type: (keys: string) => void
  let backlogOf: (node: string) => number

  beforeAll(async () => {
    demo = new DemoOnTerminal()
    type = (keys) => demo.pty.type(keys)
    backlogOf = (node) => Number(/(\d+) *$/.exec(demo.row(node))?.[1])
    await demo.untilServing()
  })
  afterAll(async () => {
    await demo?.[Symbol.asyncDispose]()
  })

  it('shows three nodes up with figures, on the alternate screen', () => {
    const { emulator } = demo.pty
    expect(emulator.isAlternate()).toBe(true)
    expect(emulator.text()[0]).toMatch(/edgedeck demo {2}3 nodes {2}● 3 up/)
    expect(emulator.screen()).toContain('warehouse-东')
  })

  it('K kills the node under the cursor: it goes stale, then offline, its age counts up, the others stay', async () => {
    await demo.moveTo('node-2')
    type('K')
    await demo.until((screen) => screen.includes('node-2: killed with SIGKILL'))
    await demo.until(() => /◐ stale \d+s/.test(demo.row('node-2')))
    const ageSec = () => {
      const [, min = 0, sec] = /✗ offline (?:(\d+)m )?(\d+)s/.exec(demo.row('node-2')) ?? []
      return 60 * Number(min) + Number(sec)
    }
    await demo.until(() => ageSec() > 0)
    const before = ageSec()
    await demo.until(() => ageSec() > before)
    const others = ['node-1', 'node-3'] as const
    await demo.until((screen) => /● 2 up/.test(screen) && others.every((node) => demo.row(node).includes('● up')))
  })

  it('K again revives it, and it returns by itself', async () => {
    expect(demo.cursor()).toBe('node-2')
    type('K')
    await demo.until((screen) => demo.hasFigures('node-2') && screen.includes('● 3 up'))
    await demo.note()
  })

  it('C cuts the uplink and X fills the outbox: the backlog grows while the node serves on; C again drains it', async () => {
    await demo.moveTo('node-1')
    type('C')
    await demo.until((screen) => screen.includes('node-1: uplink cut'))
    const before = backlogOf('node-1')
    type('X')
    await demo.until(() => backlogOf('node-1') > before + 5 && demo.row('node-1').includes('● up'))
    type('C')
    await demo.until(() => backlogOf('node-1') === 0)
    // As long as something is told of it, esc would close that first.
    await demo.until((screen) => !screen.includes('esc closes'))
  })

  it('enter opens the node, l its logs, ? the help, : the palette, and esc goes back', async () => {
    await demo.moveTo('node-3')
    type('\r')
    await demo.until((screen) => screen.includes('inference stages') && /process +pid \d+/.test(screen))
    expect(demo.pty.emulator.screen()).toContain('digits@')
    type('l')
    await demo.until((screen) => /logs of node-3/.test(screen))
    // The camera of a demo writes much: what the daemon said at its start may be far above.
    type('&listening')
    await demo.until((screen) => screen.includes('&listening'))
    type('\r')
    await demo.until((screen) => /INFO +edge-daemon: listening|INFO +listening/.test(screen))
    type('?')
    await demo.until((screen) => screen.includes('Show every key of this screen.'))
    type(ESC)
    await demo.until((screen) => !screen.includes('Show every key of this screen.'))
    type(':')
    await demo.until((screen) => screen.includes('run an action'))
    type('wrap')
    await demo.until((screen) => screen.includes(':wrap'))
    type('\r')
    await demo.until(
      (screen) => !screen.includes('run an action') && /epoch=[0-9a-f]{32}/.test(screen.replace(/\n +/g, '')),
    )
    type(ESC)
    await demo.until((screen) => /logs of node-3/.test(screen) && !/listening\b.*\bfilter|&listening/.test(screen))
    type(ESC)
    await demo.until((screen) => screen.includes('inference stages'))
    type(ESC)
    await demo.until(() => demo.row('node-1') !== '' && demo.cursor() === 'node-3')
  })

  it('q leaves: the terminal is as it was, no process and no file is left', async () => {
    await demo.note()
    expect(demo.leftovers().processes.length).toBeGreaterThanOrEqual(6)
    type('q')
    expect(await demo.pty.ended).toEqual({ end: 'exit 0', modesRestored: true })
    await demo.pty.emulator.settle()
    expect(demo.pty.emulator.isAlternate()).toBe(false)
    expect(demo.pty.emulator.output).toMatch(/\u001b\[\?25h(?!.*\u001b\[\?25l)/s)
    expect(demo.leftovers()).toEqual({ processes: [], files: [] })
  })
})

it('kill -TERM of the console gives the terminal back and ends the demo', async () => {
  await using demo = new DemoOnTerminal()
  await demo.until(() => demo.row('node-1') !== '')
  await demo.until(() => /● up/.test(demo.row('node-1')))
  await demo.note()
  await demo.pty.signal('SIGTERM')
  expect(await demo.pty.ended).toEqual({ end: 'exit 143', modesRestored: true })
  await demo.pty.emulator.settle()
  expect(demo.pty.emulator.isAlternate()).toBe(false)
  expect(demo.leftovers()).toEqual({ processes: [], files: [] })
})
