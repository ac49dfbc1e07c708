import type { Schedule } from '../../fleet/coalescer.ts'
import { settleCursor } from '../../fleet/cursor.ts'
import type { FleetReader } from '../../fleet/fleet-reader.ts'
import type { FleetView } from '../../fleet/view.ts'
import type { ConsoleStore, ScreenName } from '../console-store.ts'
import { nodesMatching } from '../panes/rollout-lists.ts'
import { RolloutBook, type RolloutEntry } from './book.ts'
import { type RolloutFacts, type RolloutNode, rolloutFacts } from './facts.ts'
import { leaveLines } from './leave-text.ts'
import { countersNow, nodesNow } from './node-now.ts'
import { type RolloutParts, RolloutVisit } from './visit.ts'

/** The console that rollouts are shown in. */
export interface RolloutHost {
  readonly parts: {
    readonly store: ConsoleStore
    readonly fleet: FleetReader
    readonly schedule: Schedule
    readonly now: () => number
    readonly production: boolean
    readonly context: string
    readonly rollouts?: RolloutParts
  }
  nowMs(): number
  view(): FleetView
  screen(): ScreenName
  toast(text: string): void
}

/** Rollouts as the console shows them and its keys change them. */
export class RolloutDesk {
  readonly book: RolloutBook
  readonly visit: RolloutVisit
  readonly #console: RolloutHost
  #facts: { readonly mark: readonly unknown[]; readonly facts: RolloutFacts } | null = null

  constructor(console: RolloutHost) {
    const { store, rollouts, fleet, schedule, now, production, context } = console.parts
    this.#console = console
    const toast = (text: string): void => console.toast(text)
    this.book = new RolloutBook({
      service: rollouts?.service ?? null,
      counters: (nowMs) => countersNow(fleet, nowMs),
      changed: () => store.set({}),
      toast,
      schedule,
      now,
    })
    this.visit = new RolloutVisit({
      store,
      rollouts: rollouts ?? null,
      production,
      context,
      toast,
      begun: (id) => {
        this.book.drive(id)
        store.setFleet({ marked: new Set() })
        this.show(id)
      },
      drive: (id) => this.book.drive(id),
    })
  }

  /** Begin to follow what is rolled out. */
  start(): void {
    this.book.start()
  }

  /** The console is left; resolves when what was driven is given back. */
  async stop(): Promise<void> {
    await this.book.stop()
  }

  /** Open the screen of a rollout. */
  show(id: string): void {
    const { store } = this.#console.parts
    store.setRollouts({ cursorId: id, focus: 'nodes', cursor: { key: null, row: 0 }, filter: '', scroll: 0 })
    const screen = store.screen()
    if (screen.name !== 'rollout' || screen.id !== id) store.open({ name: 'rollout', id })
  }

  /** What is shown of a rollout now; null while its journal is not read. */
  facts(id: string): RolloutFacts | null {
    const entry = this.book.entry(id)
    if (entry === null) return null
    const nowMs = this.#console.nowMs()
    const view = this.#console.view()
    // Several panes and every key ask for it: it is made once for a picture.
    const mark = [entry, view, Math.floor(nowMs / 1000)]
    if (this.#facts !== null && mark.every((part, at) => part === this.#facts?.mark[at])) return this.#facts.facts
    const facts = this.#factsOf(entry, nowMs)
    this.#facts = { mark, facts }
    return facts
  }

  /** A line about a rollout needs no cache. */
  #factsOf(entry: RolloutEntry, nowMs: number): RolloutFacts {
    const { driver, isDrivenHere } = entry.view
    return rolloutFacts(entry.state, {
      nowMs,
      driver: isDrivenHere
        ? { name: 'this console', isHere: true }
        : driver === null
          ? null
          : { name: driver.heldBy, isHere: false },
      nodeNow: nodesNow(this.#console.parts.fleet, { view: this.#console.view(), nowMs }, entry.id),
    })
  }

  /** Facts of every rollout that runs, newest first. */
  running(): readonly RolloutFacts[] {
    const nowMs = this.#console.nowMs()
    return this.book.running().map((entry) => this.#factsOf(entry, nowMs))
  }

  /** Rows that the line about what runs takes: none where the rollout itself is open. */
  stripRows(): number {
    const { name } = this.#console.screen()
    return name === 'rollout' || name === 'rollouts' || this.book.running().length === 0 ? 0 : 1
  }

  /** Nodes of a rollout that pass its filter, worst first. */
  rows(id: string): readonly RolloutNode[] {
    const facts = this.facts(id)
    return facts === null ? [] : nodesMatching(facts.nodes, this.#console.parts.store.get().rollouts.filter)
  }

  /** Node of a rollout that keys act on. */
  cursorKey(id: string): string | null {
    return settleCursor(this.#console.parts.store.get().rollouts.cursor, this.rows(id)).key
  }

  /** Leave the console; where rollouts are driven here, once the operator said that others may go on with them. */
  leave(quit: () => void): void {
    const driven = this.book.drivenHere()
    if (driven.length === 0) quit()
    else void this.visit.leave(driven, leaveLines(driven)).then((may) => (may ? quit() : undefined))
  }
}
