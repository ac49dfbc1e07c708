import type { NodeSort } from '../fleet/arrange.ts'
import { type Cursor, START_CURSOR } from '../fleet/cursor.ts'
import { REPLAY_SPANS_MS, type ReplayClock } from '../fleet/replay-clock.ts'
import type { AsOf } from '../fleet/view.ts'
import { type LogChoices, START_LOGS } from './logs/choices.ts'
import type { ShownContainer } from './logs/container-tail.ts'
import type { RolloutFace } from './rollouts/face.ts'
import type { ShellFace } from './shell-face.ts'

/** Which screen is open. */
export type ScreenName =
  | { readonly name: 'fleet' }
  | { readonly name: 'node'; readonly key: string }
  /** Logs of these nodes (null = all), or of a container on the one that is named. */
  | { readonly name: 'logs'; readonly keys: ReadonlySet<string> | null; readonly container?: ShownContainer }
  /** Results of a node, one a row. */
  | { readonly name: 'results'; readonly key: string }
  /** A command on many nodes, and what comes of it. */
  | { readonly name: 'exec' }
  /** The rollouts that run and those of the past. */
  | { readonly name: 'rollouts' }
  /** One rollout. */
  | { readonly name: 'rollout'; readonly id: string }
  /** The kept picture of a result. */
  | { readonly name: 'picture'; readonly key: string; readonly seq: number }

/** What lies over the screen and takes the keys. */
export type Overlay =
  /** `first` is the row that it is scrolled to. */
  | { readonly name: 'help'; readonly first: number }
  | { readonly name: 'palette'; readonly text: string; readonly row: number }
  | { readonly name: 'filter'; readonly text: string; readonly fault: string | null }
  /** What to look for in logs is being typed: to mark it, or to hide all else. `before` is what esc goes back to. */
  | {
      readonly name: 'find'
      readonly mode: 'search' | 'filter'
      readonly text: string
      readonly fault: string | null
      readonly before: string
    }
  /** A command for nodes is being typed; with `command`, how many they are, so that it is confirmed. */
  | {
      readonly name: 'exec'
      readonly nodes: readonly { readonly key: string; readonly site: string | null }[]
      readonly command: string | null
      readonly text: string
      readonly fault: string | null
    }
  /** A shell is being opened. */
  | { readonly name: 'shell'; readonly face: ShellFace }
  /** A rollout is being prepared, or decided about. */
  | { readonly name: 'rollout'; readonly face: RolloutFace }
  /** A time to go to is being typed. */
  | { readonly name: 'time'; readonly text: string; readonly fault: string | null }

/** How the fleet table is read. */
export interface FleetChoices {
  readonly cursor: Cursor
  readonly marked: ReadonlySet<string>
  readonly sort: NodeSort
  readonly filter: string
  /** Until then (our clock, ms) rows keep their order, so that the row under a moving cursor stays the row it was. */
  readonly holdOrderUntilMs: number
}

/** How results are read. */
export interface ResultChoices {
  readonly abnormalOnly: boolean
  /** Sequence of the row that the cursor is on; null follows the newest. */
  readonly cursorSeq: number | null
}

/** How a command on many nodes is read. */
export interface ExecChoices {
  /** The row that the cursor is on; null = the first. */
  readonly cursorId: string | null
  /** How many lines its output is scrolled down. */
  readonly scroll: number
  /** Show the output alone. */
  readonly isWide: boolean
}

/** The lists of a rollout that can be gone through. */
export const ROLLOUT_LISTS = ['nodes', 'decisions', 'gates', 'aside'] as const
/** @see ROLLOUT_LISTS */
export type RolloutList = (typeof ROLLOUT_LISTS)[number]

/** How rollouts are read. */
export interface RolloutChoices {
  /** Rollout that the cursor of their list is on; null = the newest. */
  readonly cursorId: string | null
  /** The list that keys move in. */
  readonly focus: RolloutList
  /** Node that the cursor is on. */
  readonly cursor: Cursor
  readonly filter: string
  /** Lines that decisions, gates and what is set aside are scrolled down. */
  readonly scroll: number
}

/** Everything the console remembers besides the fleet itself. It lives outside React; panes and components subscribe. */
export interface ConsoleState {
  /** Open screens, the top one last. */
  readonly stack: readonly ScreenName[]
  /** The screen that was left last, for going back and forth. */
  readonly left: ScreenName | null
  readonly overlay: Overlay | null
  /** The time that is looked at; the play head while a past is replayed. */
  readonly asOf: AsOf
  /** How the past is played; null while it is now. */
  readonly replay: ReplayClock | null
  /** Length of the time bar, ms. */
  readonly spanMs: number
  readonly fleet: FleetChoices
  readonly logs: LogChoices
  readonly results: ResultChoices
  readonly exec: ExecChoices
  readonly rollouts: RolloutChoices
  /** How many lines the facts of a node are scrolled down. */
  readonly nodeScroll: number
  /** What the operator should know, oldest first: refused key bindings, theme faults, answers to commands. */
  readonly notices: readonly Notice[]
}

/** A line for the operator. */
export interface Notice {
  readonly text: string
  /** Gone by itself after this time (Unix ms); null stays until it is dismissed. */
  readonly untilMs: number | null
}

const FLEET: ScreenName = { name: 'fleet' }
const START: ConsoleState = {
  stack: [FLEET],
  left: null,
  overlay: null,
  asOf: 'now',
  replay: null,
  spanMs: REPLAY_SPANS_MS[0],
  fleet: { cursor: START_CURSOR, marked: new Set(), sort: 'problems', filter: '', holdOrderUntilMs: 0 },
  logs: START_LOGS,
  results: { abnormalOnly: true, cursorSeq: null },
  exec: { cursorId: null, scroll: 0, isWide: false },
  rollouts: { cursorId: null, focus: 'nodes', cursor: START_CURSOR, filter: '', scroll: 0 },
  nodeScroll: 0,
  notices: [],
}

/** The state of the console, outside React. */
export class ConsoleStore {
  #state: ConsoleState
  readonly #listeners = new Set<() => void>()

  constructor(start: Partial<ConsoleState> = {}) {
    this.#state = { ...START, ...start }
  }

  /** The state now; the same object until something changes. */
  readonly get = (): ConsoleState => this.#state

  /** Be told of every change; returns how to stop. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Change some of it. */
  set(change: Partial<ConsoleState>): void {
    this.#state = { ...this.#state, ...change }
    for (const listener of this.#listeners) listener()
  }

  /** The screen that is open; the same object until another one is. */
  readonly screen = (): ScreenName => this.#state.stack.at(-1) ?? FLEET

  /** Open a screen above this one. */
  open(screen: ScreenName): void {
    this.set({ stack: [...this.#state.stack, screen], left: this.screen(), overlay: null, nodeScroll: 0 })
  }

  /** Open logs at their end, with nothing searched or hidden. */
  openLogs(keys: ReadonlySet<string> | null, container?: ShownContainer): void {
    const { minLevel, wrap, time, allUnfolded } = this.#state.logs
    this.setLogs({ ...START_LOGS, minLevel, wrap, time, allUnfolded })
    this.open({ name: 'logs', keys, ...(container === undefined ? {} : { container }) })
  }

  /** Close the screen on top; the first one stays. */
  back(): void {
    const { stack } = this.#state
    if (stack.length > 1) this.set({ stack: stack.slice(0, -1), left: this.screen() })
  }

  /** Change to the screen that was left last. */
  toggleLast(): void {
    const { left, stack } = this.#state
    if (left === null) return
    const base = left.name === 'fleet' ? [] : stack.slice(0, 1)
    this.set({ stack: [...base, left], left: this.screen() })
  }

  /** Look at a past time, or (null) at now. */
  setReplay(replay: ReplayClock | null): void {
    this.set({ replay, asOf: replay?.headMs ?? 'now' })
  }

  setResults(change: Partial<ResultChoices>): void {
    this.set({ results: { ...this.#state.results, ...change } })
  }

  setExec(change: Partial<ExecChoices>): void {
    this.set({ exec: { ...this.#state.exec, ...change } })
  }

  setRollouts(change: Partial<RolloutChoices>): void {
    this.set({ rollouts: { ...this.#state.rollouts, ...change } })
  }

  setFleet(change: Partial<FleetChoices>): void {
    this.set({ fleet: { ...this.#state.fleet, ...change } })
  }

  setLogs(change: Partial<LogChoices>): void {
    this.set({ logs: { ...this.#state.logs, ...change } })
  }

  /** Tell the operator something; the newest are kept. Without `untilMs` it stays until it is dismissed. */
  notify(text: string, untilMs: number | null = null): void {
    const MAX_NOTICES = 20
    this.set({ notices: [...this.#state.notices, { text, untilMs }].slice(-MAX_NOTICES) })
  }

  /** Notices that are still to be read, oldest first. */
  notices(nowMs: number): Notice[] {
    return this.#state.notices.filter(({ untilMs }) => untilMs === null || nowMs < untilMs)
  }
}
