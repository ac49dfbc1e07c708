import { fileURLToPath } from 'node:url'
import { type NodeCharacter, SimulatedNode } from '../../bench/simulator/simulated-node.ts'
import type { StatusChanges } from '../../protocol/change.ts'
import { loadKeymap } from '../../src/actions/keymap-file.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { LOCAL_STANDING, type Standing } from '../../src/identity/standing.ts'
import type { HistorySource } from '../../src/link/history-source.ts'
import type { NodeLink } from '../../src/link/link.ts'
import { Replay } from '../../src/replay/replay.ts'
import type { ConsoleExecMeans } from '../../src/shell/fan-out-exec.ts'
import { Console } from '../../src/ui/console.ts'
import { ConsoleStore } from '../../src/ui/console-store.ts'
import type { DemoPanel } from '../../src/ui/demo-panel.ts'
import { mountConsole } from '../../src/ui/mount.tsx'
import type { RolloutParts } from '../../src/ui/rollouts/visit.ts'
import type { ShellParts } from '../../src/ui/shell-visit.ts'
import { Compositor } from '../../src/ui/terminal/compositor.ts'
import { InputRouter } from '../../src/ui/terminal/input-router.ts'
import type { ColourDepth } from '../../src/ui/terminal/style.ts'
import { loadTheme } from '../../src/ui/theme.ts'
import { Emulator } from './emulator.ts'
import { FakeInput } from './fake-input.ts'
import { ManualSchedule } from './manual-schedule.ts'

const ASSETS = fileURLToPath(new URL('../..', import.meta.url))
/** 2026-11-22 10:00:00 UTC. */
export const START_MS = Date.UTC(2026, 10, 22, 10, 0, 0)
/** For what comes from outside this process, such as a disk. */
const PATIENCE_MS = 60_000
/** Turns of the event loop in which React draws what it was told. */
const TURNS = 5

/** How a console on an emulator is made. */
export interface ConsoleScreenOptions {
  readonly columns: number
  readonly rows: number
  readonly nodes: readonly Partial<NodeCharacter>[]
  readonly depth?: ColourDepth
  readonly theme?: 'dark' | 'light'
  readonly ascii?: boolean
  readonly demo?: DemoPanel
  /** Who knows the past. */
  readonly sources?: readonly HistorySource[]
  readonly links?: ReadonlyMap<string, NodeLink>
  readonly picturesDir?: string
  readonly logsDir?: string
  readonly production?: boolean
  /** What commands are run on nodes with. */
  readonly exec?: ConsoleExecMeans
  /** How models are rolled out. */
  readonly rollouts?: RolloutParts
  /** How shells are opened, and containers found. */
  readonly shells?: ShellParts
  /** Who the operator is. */
  readonly standing?: Standing
  /** Nodes that are spoken to in plain over a network. */
  readonly insecure?: readonly string[]
}

/** The whole console on a terminal emulator, over nodes that speak the real frames, on a clock that the test turns. */
export class ConsoleScreen {
  readonly emulator: Emulator
  readonly fleet: Fleet
  readonly store = new ConsoleStore()
  readonly nodes: readonly SimulatedNode[]
  /** Nodes that say nothing. */
  readonly silent = new Set<string>()
  hasQuit = false
  /** What was put into the clipboard. */
  readonly copied: string[] = []
  readonly #clock = new ManualSchedule()
  readonly #compositor: Compositor
  readonly #input = new FakeInput()
  readonly #router: InputRouter
  readonly #unmount: () => void
  readonly #stopRollouts: () => Promise<void>
  #n = 0

  constructor(options: ConsoleScreenOptions) {
    const { columns, rows, depth = 'true', ascii = false } = options
    this.#clock.nowMs = START_MS
    this.emulator = new Emulator(columns, rows)
    this.fleet = new Fleet({ schedule: this.#clock.schedule })
    this.nodes = options.nodes.map((node, index) => new SimulatedNode(characterOf(node, index), START_MS))
    for (const { character } of this.nodes) {
      const insecure = options.insecure?.includes(character.name) ?? false
      this.fleet.add(character.name, { url: `ws://${character.name}:5443/live`, insecure, nowMs: START_MS })
    }
    this.#compositor = new Compositor({ screen: this.emulator, depth, ascii })
    this.#router = new InputRouter({ terminal: this.#input })
    const replay = new Replay({
      live: this.fleet,
      sources: options.sources ?? [],
      schedule: this.#clock.schedule,
      now: () => this.#clock.nowMs,
    })
    const console = new Console({
      fleet: replay.fleet,
      replay,
      store: this.store,
      keymap: loadKeymap({ defaultFile: `${ASSETS}keymaps/default.yaml`, userFile: null }).keymap,
      look: { theme: loadTheme(options.theme ?? 'dark', `${ASSETS}themes`).theme, ascii },
      context: 'test',
      production: options.production ?? false,
      ...(options.exec === undefined ? {} : { exec: options.exec }),
      ...(options.rollouts === undefined ? {} : { rollouts: options.rollouts }),
      ...(options.shells === undefined ? {} : { shells: options.shells }),
      standing: () => options.standing ?? LOCAL_STANDING,
      demo: options.demo ?? null,
      firstLogs: { level: 'info' },
      copy: (text) => {
        this.copied.push(text)
        return `copied ${text.length}`
      },
      logsDir: options.logsDir ?? '/nonexistent',
      link: (key) => options.links?.get(key),
      colour: depth !== 'none',
      picturesDir: options.picturesDir ?? '/nonexistent',
      schedule: this.#clock.schedule,
      now: () => this.#clock.nowMs,
      quit: () => {
        this.hasQuit = true
      },
      redraw: () => this.#compositor.repaint(),
    })
    this.#compositor.start()
    this.#router.start()
    this.#unmount = mountConsole(console, this.#compositor, this.#router.ink)
    console.rollouts.start()
    this.#stopRollouts = () => console.rollouts.stop()
    for (const node of this.nodes) {
      const { name } = node.character
      this.fleet.apply(name, { kind: 'opened' }, START_MS)
      this.fleet.apply(name, { kind: 'frame', frame: node.welcome(START_MS, 1000), sizeBytes: 200 }, START_MS)
    }
  }

  get nowMs(): number {
    return this.#clock.nowMs
  }

  /** Let whole seconds pass; every node that is not silent reports once a second. */
  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      this.#clock.advance(750)
      this.#n += 1
      for (const node of this.nodes) this.#report(node)
      this.#clock.advance(250)
    }
    await this.#drawn()
  }

  /** Let seconds pass until the screen says something; what is not of this clock, such as a disk, is waited for. */
  async until(text: string | RegExp): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS
    for (let tries = 0; tries < 200 || performance.now() < endMs; tries += 1) {
      const shown = this.emulator.screen()
      if (typeof text === 'string' ? shown.includes(text) : text.test(shown)) return
      await new Promise((resolve) => setTimeout(resolve, 20))
      await this.pass(1)
    }
    throw new Error(`the screen never said ${text}:\n${this.emulator.screen()}`)
  }

  /** Wait until the screen says something, without letting time pass: for what is read from a disk. */
  async saying(text: string): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS
    while (performance.now() < endMs && !this.emulator.screen().includes(text)) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      await this.emulator.settle()
    }
    if (!this.emulator.screen().includes(text))
      throw new Error(`the screen never said ${text}:\n${this.emulator.screen()}`)
  }

  /** What a node tells of changes from now on. */
  readonly changes = new Map<string, StatusChanges>()

  /** Let time pass in which no node reports. */
  advance(ms: number): void {
    this.#clock.advance(ms)
  }

  /** Type keys, as a terminal sends them. */
  async type(keys: string): Promise<void> {
    this.#input.type(keys)
    await new Promise((resolve) => setTimeout(resolve, 20))
    // A machine that was busy for all of these lets a timer overtake what waits for its turn.
    await turns()
    this.#clock.advance(250)
    await this.#drawn()
  }

  dispose(): void {
    void this.#stopRollouts()
    this.#unmount()
    this.#compositor.stop()
    this.#router.stop()
    this.emulator.dispose()
  }

  async #drawn(): Promise<void> {
    await turns()
    await this.emulator.settle()
  }

  #report(node: SimulatedNode): void {
    const { name } = node.character
    if (this.silent.has(name)) return
    node.advance(this.nowMs)
    const rows = node.takeLogs()
    const changes = this.changes.get(name)
    const status = node.status(this.nowMs, { id: 'status', n: this.#n })
    const frame = changes === undefined ? status : { ...status, changes }
    this.fleet.apply(name, { kind: 'frame', frame, sizeBytes: 2000 }, this.nowMs)
    if (rows.length === 0) return
    const logs = { t: 'rows', id: 'logs', topic: 'logs', rows } as const
    this.fleet.apply(name, { kind: 'frame', frame: logs, sizeBytes: 500 }, this.nowMs)
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

function characterOf(node: Partial<NodeCharacter>, index: number): NodeCharacter {
  const usual = { inferencesPerSec: 6, medianMs: 8, cpuPct: 20, uplinkDown: false, logsPerSec: 0.2, logSuffix: '' }
  return { name: `node-${index + 1}`, site: 'plant-a', seed: index + 1, ...usual, ...node }
}
