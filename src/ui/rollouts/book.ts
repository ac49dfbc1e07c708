import { EdgeError, messageOf } from '../../../protocol/errors.ts'
import { type UntrustedText, untrusted } from '../../../protocol/untrusted-text.ts'
import { safe } from '../../fleet/clean.ts'
import type { Schedule } from '../../fleet/coalescer.ts'
import type { RolloutEvent } from '../../rollout/contract.ts'
import { type EventText, eventText } from '../../rollout/event-text.ts'
import { fold } from '../../rollout/fold.ts'
import { JournalTeller } from '../../rollout/journal-teller.ts'
import type { RolloutService, RolloutView } from '../../rollout/service.ts'
import { hasEnded, type RolloutState } from '../../rollout/state.ts'
import type { DecisionLine } from '../panes/rollout-lists.ts'
import { toneToken } from '../panes/rollout-look.ts'
import { sidesOf } from './facts.ts'
import { FIGURES_STEP_MS, type NodeCounters, RolloutFigures } from './figures.ts'

/** A rollout as this console follows it. */
export interface RolloutEntry {
  readonly id: string
  readonly state: RolloutState
  readonly view: RolloutView
  /** What happened and was decided, oldest first; safe to show. */
  readonly decisions: readonly DecisionLine[]
  readonly figures: RolloutFigures
}

/** What rollouts are followed with. */
export interface RolloutBookParts {
  /** Null where no journal of rollouts is known. */
  readonly service: RolloutService | null
  /** What nodes count now. */
  readonly counters: (nowMs: number) => (key: string) => NodeCounters | null
  /** Something that is drawn has changed. */
  readonly changed: () => void
  readonly toast: (text: string) => void
  readonly schedule: Schedule
  /** Unix ms. */
  readonly now: () => number
}

/** How often it is looked whether there are others. */
const LIST_EVERY_MS = 3000
/** Rollouts of the past that are held. */
const MOST_ROLLOUTS = 50
/** Lines that the list of a rollout holds: the newest. */
const MOST_DECISIONS = 2000

interface Tracked {
  entry: RolloutEntry | null
  readonly stop: AbortController
  decisions: DecisionLine[]
  readonly figures: RolloutFigures
  teller: JournalTeller | null
}

/** The rollouts of the fleet: those that run are followed wherever the operator looks, and those begun here are driven from here. */
export class RolloutBook {
  readonly #parts: RolloutBookParts
  readonly #tracked = new Map<string, Tracked>()
  readonly #driven = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>()
  readonly #endings: (() => void)[] = []
  #ids: readonly string[] = []
  #fault: UntrustedText | null = null
  /** Those that could not be read last, by id. */
  readonly #unread = new Map<string, UntrustedText>()
  #isStopped = false

  constructor(parts: RolloutBookParts) {
    this.#parts = parts
  }

  /** Why nothing can be rolled out or looked at; null when it can. */
  get obstacle(): string | null {
    return this.#parts.service === null ? 'this context has no journal of rollouts' : null
  }

  /** Why the journal could not be read last; null when it could. */
  get fault(): UntrustedText | null {
    return this.#fault
  }

  /** Why one rollout could not be read last, which is no fault of the others; null when it could. */
  faultOf(id: string): UntrustedText | null {
    return this.#unread.get(id) ?? null
  }

  /** Ids of those that could not be read last, newest first. */
  unread(): readonly string[] {
    return this.#ids.filter((id) => this.#unread.has(id))
  }

  /** Begin to look; the first answer comes later. */
  start(): void {
    this.#look()
    this.#sample()
  }

  /** Newest first. */
  entries(): readonly RolloutEntry[] {
    return this.#ids.flatMap((id) => {
      const entry = this.#tracked.get(id)?.entry ?? null
      return entry === null ? [] : [entry]
    })
  }

  /** How many the journal has; those beyond {@link entries} are still read, or are older than what is held. */
  get count(): number {
    return this.#ids.length
  }

  entry(id: string): RolloutEntry | null {
    return this.#tracked.get(id)?.entry ?? null
  }

  /** Those that have not ended, newest first. */
  running(): readonly RolloutEntry[] {
    return this.entries().filter(({ state }) => !hasEnded(state))
  }

  /** Those that this console drives and that have not ended. */
  drivenHere(): readonly RolloutEntry[] {
    return this.running().filter(({ id }) => this.#driven.has(id))
  }

  /** Follow a rollout from now on, and drive it from here until it ends or the console is left. */
  drive(id: string): void {
    const { service, toast } = this.#parts
    if (service === null || this.#driven.has(id)) return
    const stop = new AbortController()
    const done = service
      .drive(id, stop.signal)
      .catch((error: unknown) => toast(`${untrusted(id)} is no longer driven here: ${faultText(error)}`))
      .finally(() => {
        this.#driven.delete(id)
        this.#parts.changed()
      })
    this.#driven.set(id, { stop, done })
    this.#track(id)
  }

  /** The console is left: leases are given back, rollouts stand where they are. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const end of this.#endings.splice(0)) end()
    for (const { stop } of this.#tracked.values()) stop.abort()
    for (const { stop } of this.#driven.values()) stop.abort()
    await Promise.all([...this.#driven.values()].map(({ done }) => done))
  }

  #look(): void {
    const { service, schedule } = this.#parts
    if (service === null || this.#isStopped) return
    void service
      .list()
      .then((ids) => {
        const wasAway = this.#fault !== null
        this.#fault = null
        const held = ids.slice(0, MOST_ROLLOUTS)
        const isNew = held.join() !== this.#ids.join()
        this.#ids = held
        for (const id of held) this.#track(id)
        if (isNew || wasAway) this.#parts.changed()
      })
      .catch((error: unknown) => {
        // Where none can be read, none is to blame by itself.
        this.#unread.clear()
        this.#fault = faultText(error)
        this.#parts.changed()
      })
      .finally(() => {
        if (!this.#isStopped) this.#endings.push(schedule(() => this.#look(), LIST_EVERY_MS))
        // What is over is not kept.
        this.#endings.splice(0, Math.max(0, this.#endings.length - 4))
      })
  }

  #track(id: string): void {
    const { service } = this.#parts
    if (service === null || this.#isStopped || this.#tracked.has(id)) return
    if (!this.#ids.includes(id)) this.#ids = [id, ...this.#ids]
    const tracked: Tracked = {
      entry: null,
      stop: new AbortController(),
      decisions: [],
      figures: new RolloutFigures(),
      teller: null,
    }
    this.#tracked.set(id, tracked)
    void service
      .follow(id, (view) => this.#took(tracked, view), tracked.stop.signal)
      .catch((error: unknown) => {
        if (this.#isStopped) return
        this.#unread.set(id, faultText(error))
        // It is followed again at the next look; what it was stays in sight.
        if (tracked.entry === null || !hasEnded(tracked.entry.state)) this.#tracked.delete(id)
        this.#parts.changed()
      })
  }

  #took(tracked: Tracked, view: RolloutView): void {
    this.#unread.delete(view.id)
    const before = tracked.entry?.state ?? null
    const state = fold(before, view.entries)
    if (state === null) return
    const seen = before?.seq ?? 0
    tracked.teller ??= new JournalTeller(view.plan)
    const { teller } = tracked
    // What does not count is shown as what it says, and changes nothing of what is news.
    const tellOf = (event: RolloutEvent, ignored: string | undefined): EventText | null =>
      ignored === undefined ? teller.tell(event) : eventText(event, view.plan)
    const fresh = view.entries.flatMap(({ seq, event, ignored }) => {
      const told = seq <= seen ? null : tellOf(event, ignored)
      if (told !== null && ignored !== undefined) {
        const text = safe(`does not count, ${ignored}: ${told.text}`)
        return [{ atMs: event.at, piece: { text, token: 'danger' as const } }]
      }
      return told === null ? [] : [{ atMs: event.at, piece: { text: told.text, token: toneToken(told.tone) } }]
    })
    tracked.decisions = [...tracked.decisions, ...fresh].slice(-MOST_DECISIONS)
    tracked.entry = { id: view.id, state, view, decisions: tracked.decisions, figures: tracked.figures }
    // What is over does not change any more.
    if (hasEnded(state)) tracked.stop.abort()
    this.#parts.changed()
  }

  #sample(): void {
    const { now, counters, schedule } = this.#parts
    if (this.#isStopped) return
    const atMs = now()
    for (const { state, figures } of this.running()) figures.sample(atMs, sidesOf(state), counters(atMs))
    this.#endings.push(schedule(() => this.#sample(), FIGURES_STEP_MS))
    this.#endings.splice(0, Math.max(0, this.#endings.length - 4))
  }
}

function faultText(error: unknown): UntrustedText {
  return safe(error instanceof EdgeError ? error.toLine() : messageOf(error))
}
