import type { LogFilter } from '../../protocol/log-filter.ts'
import type { Keymap } from '../actions/keymap.ts'
import type { ActingFor, ActionContextName } from '../actions/table.ts'
import { arrange } from '../fleet/arrange.ts'
import type { Schedule } from '../fleet/coalescer.ts'
import { settleCursor } from '../fleet/cursor.ts'
import { parseFilter } from '../fleet/filter.ts'
import type { FleetReader } from '../fleet/fleet-reader.ts'
import type { AsOf, FleetView, NodeView, ResultView } from '../fleet/view.ts'
import type { Standing } from '../identity/standing.ts'
import type { NodeLink } from '../link/link.ts'
import type { Replay } from '../replay/replay.ts'
import type { ConsoleExecMeans } from '../shell/fan-out-exec.ts'
import { Attention } from './attention.ts'
import type { ConsoleStore, ScreenName } from './console-store.ts'
import type { DemoPanel } from './demo-panel.ts'
import { rowUnderCursor } from './exec/exec-run.ts'
import { ExecVisit } from './exec/exec-visit.ts'
import { LogCounts } from './logs/counts.ts'
import { LogReader } from './logs/reader.ts'
import type { Look } from './panes/look.ts'
import { PictureViewer } from './picture-viewer.ts'
import { PlayHead } from './play-head.ts'
import { RolloutDesk } from './rollouts/desk.ts'
import type { RolloutParts } from './rollouts/visit.ts'
import { type ShellParts, ShellVisit } from './shell-visit.ts'

/** How long a passing notice stays. */
const TOAST_MS = 6000

/** What a console is made of. */
export interface ConsoleParts {
  /** The fleet of now and of any past that is replayed. */
  readonly fleet: FleetReader
  /** The past that is loaded. */
  readonly replay: Replay
  readonly store: ConsoleStore
  readonly keymap: Keymap
  readonly look: Look
  /** Where the fleet comes from, for the header. */
  readonly context: string
  /** Whether the fleet is one that others depend on. */
  readonly production: boolean
  /** Who the operator is now. */
  readonly standing: () => Standing
  /** Null outside a demo. */
  readonly demo: DemoPanel | null
  /** Which log lines links follow by themselves. */
  readonly firstLogs: LogFilter
  /** Put a text into the clipboard of the operator's terminal; answers what to tell them. */
  readonly copy: (text: string) => string
  /** Folder for log lines that the operator saves. */
  readonly logsDir: string
  /** Told which nodes are looked at; absent where all of them tell all the time. */
  readonly watch?: (keys: ReadonlySet<string>) => void
  /** The link to a node; undefined while there is none. */
  readonly link: (key: string) => NodeLink | undefined
  /** Whether the terminal shows colours. */
  readonly colour: boolean
  /** Folder for pictures that the operator saves. */
  readonly picturesDir: string
  /** How shells are opened on nodes; absent where they cannot be. */
  readonly shells?: ShellParts
  /** How models are rolled out; absent where they cannot be. */
  readonly rollouts?: RolloutParts
  readonly schedule: Schedule
  /** Unix ms. */
  readonly now: () => number
  /** What commands are run on nodes with; absent where they are not. */
  readonly exec?: ConsoleExecMeans
  readonly quit: () => void
  readonly redraw: () => void
}

/** The console as its panes read it and its keys change it: the fleet, and how the operator looks at it. */
export class Console {
  readonly parts: ConsoleParts
  readonly head: PlayHead
  readonly picture: PictureViewer
  readonly shell: ShellVisit
  readonly attention: Attention
  readonly exec: ExecVisit
  readonly rollouts: RolloutDesk
  readonly logs: LogReader
  readonly logCounts: LogCounts
  #listeners = 0
  #seen: { readonly asOf: AsOf; readonly view: FleetView } | null = null
  #arranged: { readonly mark: readonly unknown[]; readonly rows: readonly NodeView[] } | null = null

  constructor(parts: ConsoleParts) {
    this.parts = parts
    this.head = new PlayHead({ ...parts, toast: (text) => this.toast(text) })
    const { store, schedule, watch } = parts
    this.attention = new Attention({ screen: () => store.screen(), schedule, look: watch ?? null })
    this.logs = new LogReader({ ...parts, firstFilter: parts.firstLogs })
    this.logCounts = new LogCounts({ changed: () => store.set({}), now: parts.now })
    this.exec = new ExecVisit({
      means: parts.exec ?? null,
      changed: () => store.set({}),
      toast: (text) => this.toast(text),
      schedule,
      now: parts.now,
    })
    this.shell = new ShellVisit({ store, shells: parts.shells ?? null, toast: (text) => this.toast(text) })
    this.rollouts = new RolloutDesk(this)
    this.picture = new PictureViewer({ ...parts, acting: () => this.acting() })
  }

  /** Be told when anything that is drawn may have changed. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners += 1
    const changed = (): void => {
      this.#seen = null
      this.logs.invalidate()
      listener()
    }
    const { fleet, replay, store } = this.parts
    const endings = [fleet.subscribe(changed), replay.subscribe(changed), store.subscribe(listener)]
    return () => {
      this.#listeners -= 1
      for (const end of endings) end()
    }
  }

  /** By what right, and where, keys act now. */
  acting(): ActingFor {
    const key = this.currentKey()
    const site = this.view().nodes.find((node) => node.key === key)?.site ?? null
    return { rights: this.parts.standing().rights, site }
  }

  nowMs(): number {
    return this.parts.now()
  }

  /** Tell the operator how something went; it goes away by itself. */
  toast(text: string): void {
    this.parts.store.notify(text, this.nowMs() + TOAST_MS)
  }

  /**
   * The fleet as of the time that the operator looks at. While the console is shown it is as the fleet last told, so that
   * a key is answered from what is on the screen and does not wait for figures that the next tick brings anyway.
   */
  view(): FleetView {
    const { asOf } = this.parts.store.get()
    if (this.#seen?.asOf === asOf && this.#listeners > 0) return this.#seen.view
    const view = this.parts.fleet.view(asOf, this.nowMs())
    this.#seen = { asOf, view }
    return view
  }

  /** Whether what the open screen shows of the past is still on its way. */
  isLoading(): boolean {
    const { asOf } = this.parts.store.get()
    if (asOf === 'now') return false
    const { focus } = this.head.focus()
    const keys = focus.length > 0 ? focus : this.parts.fleet.keys().slice(0, 50)
    return keys.some((key) => this.parts.replay.fleet.teller(key, asOf) === 'loading')
  }

  screen(): ScreenName {
    return this.parts.store.screen()
  }

  /** Contexts that a key is looked up in, innermost first. */
  contexts(): ActionContextName[] {
    const screen = this.screen().name
    return this.parts.demo === null || (screen !== 'fleet' && screen !== 'node')
      ? [screen, 'global']
      : [screen, 'demo', 'global']
  }

  /** Rows of the fleet table in their order; while the cursor moves they keep the order they had. */
  rows(): readonly NodeView[] {
    const { sort, filter, holdOrderUntilMs } = this.parts.store.get().fleet
    const view = this.view()
    const held = this.nowMs() < holdOrderUntilMs
    // Several panes and every key look at the rows: they are arranged once a view.
    const mark = [view, sort, filter, held]
    const before = this.#arranged
    if (before !== null && mark.every((part, index) => part === before.mark[index])) return before.rows
    const parsed = parseFilter(filter)
    const arrangement = parsed.ok ? { sort, filter: parsed.filter } : { sort }
    // Few rows change places between two views, and what is nearly in order is sorted with few comparisons.
    const last = before === null ? view.nodes : inOrderOf(view.nodes, before.rows)
    const nodes = arrange(last, arrangement)
    const rows = held && before !== null ? inOrderOf(nodes, before.rows) : nodes
    this.#arranged = { mark, rows }
    return rows
  }

  /** The node that keys act on: the one that is open, else the one under the cursor. */
  currentKey(): string | null {
    const screen = this.screen()
    if (screen.name === 'node' || screen.name === 'results' || screen.name === 'picture') return screen.key
    if (screen.name === 'logs')
      return this.logs.current()?.key ?? (screen.keys?.size === 1 ? [...screen.keys][0] : null) ?? null
    if (screen.name === 'exec') {
      const { cursorId } = this.parts.store.get().exec
      return rowUnderCursor(this.exec.run?.rows() ?? [], cursorId)?.keys[0] ?? null
    }
    if (screen.name === 'rollout') return this.rollouts.cursorKey(screen.id)
    return settleCursor(this.parts.store.get().fleet.cursor, this.rows()).key
  }

  /** Results of the open node as the operator chose them, oldest first, up to the time that is looked at. */
  resultRows(): readonly ResultView[] {
    const { results, asOf } = this.parts.store.get()
    const key = this.currentKey()
    if (key === null) return []
    const until = asOf === 'now' ? {} : { toMs: asOf }
    return this.parts.fleet.results({ key, abnormalOnly: results.abnormalOnly, ...until })
  }
}

/** Nodes in an earlier order; new ones come last. */
function inOrderOf(nodes: readonly NodeView[], order: readonly NodeView[]): NodeView[] {
  const rank = new Map(order.map((node, index) => [node.key, index]))
  const rankOf = (node: NodeView): number => rank.get(node.key) ?? order.length
  return nodes.toSorted((a, b) => rankOf(a) - rankOf(b))
}
