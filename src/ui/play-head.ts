import type { Schedule } from '../fleet/coalescer.ts'
import { advanced, geared, holdAt, REPLAY_SPANS_MS, type ReplayClock, stepped, toggled } from '../fleet/replay-clock.ts'
import type { Replay } from '../replay/replay.ts'
import type { ConsoleStore } from './console-store.ts'

/** What a play head needs of its console. */
export interface PlayHeadParts {
  readonly store: ConsoleStore
  readonly replay: Replay
  readonly schedule: Schedule
  readonly now: () => number
  /** Tell the operator. */
  readonly toast: (text: string) => void
}

/** Time between two moves of the head while it plays: as often as the fleet tells of changes. */
const TICK_MS = 200
/** Playing from live begins so far back, for what is now cannot be played. */
const PLAY_FROM_MS = 10_000

/** What keys do to the time that is looked at, and what moves it while it plays. */
export class PlayHead {
  readonly #parts: PlayHeadParts
  #cancel: (() => void) | null = null

  constructor(parts: PlayHeadParts) {
    this.#parts = parts
  }

  step(deltaMs: number): void {
    this.#move(stepped(this.#clock(), deltaMs, this.#parts.now()))
  }

  /** Go to a time; false when that is yet to come. */
  goTo(atMs: number): boolean {
    const nowMs = this.#parts.now()
    const clock = holdAt(atMs, nowMs, this.#clock()?.rate)
    if (clock === null) return false
    this.#move(atMs === nowMs ? null : clock)
    return true
  }

  /** Hold the picture of now, or go back to live. */
  hold(): void {
    this.#move(this.#clock() === null ? holdAt(this.#parts.now(), this.#parts.now()) : null)
  }

  play(): void {
    const nowMs = this.#parts.now()
    const clock = this.#clock() ?? stepped(null, -PLAY_FROM_MS, nowMs)
    this.#move(clock === null ? null : toggled(clock, nowMs))
  }

  gear(direction: 1 | -1): void {
    const nowMs = this.#parts.now()
    const clock = this.#clock() ?? stepped(null, -PLAY_FROM_MS, nowMs)
    this.#move(clock === null ? null : geared(clock, direction, nowMs))
  }

  live(): void {
    this.#move(null)
  }

  /** The next length of the time bar. */
  zoom(): void {
    const { store } = this.#parts
    const spans: readonly number[] = REPLAY_SPANS_MS
    const next = spans[(spans.indexOf(store.get().spanMs) + 1) % spans.length]
    store.set({ spanMs: next ?? REPLAY_SPANS_MS[0] })
    if (this.#clock() !== null) this.#look()
  }

  /** Go to where the next alert began, later (1) or earlier (-1); false when none is known there. */
  toAlert(direction: 1 | -1): boolean {
    const { replay, store } = this.#parts
    const nowMs = this.#parts.now()
    const headMs = this.#clock()?.headMs ?? nowMs
    const { alerts } = replay.reach(this.#focusedKey(), nowMs - Math.max(...REPLAY_SPANS_MS), nowMs)
    const times = alerts.map(({ atMs }) => Math.ceil(atMs)).sort((a, b) => a - b)
    // A status tells of an alert up to a second after it began.
    const found =
      direction === 1
        ? times.find((atMs) => atMs + ALERT_SHOWN_MS > headMs)
        : times.findLast((atMs) => atMs + ALERT_SHOWN_MS < headMs)
    if (found === undefined) return false
    this.#move(stepped(store.get().replay, found + ALERT_SHOWN_MS - headMs, nowMs))
    return true
  }

  /** End for good. */
  stop(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  /** The node that the time bar is about; null for the whole fleet. */
  #focusedKey(): string | null {
    const { focus } = this.focus()
    return focus.length === 1 ? (focus[0] ?? null) : null
  }

  /** Nodes whose past is wanted whole. */
  focus(): { readonly focus: readonly string[] } {
    const screen = this.#parts.store.screen()
    if (screen.name === 'logs') return { focus: screen.keys === null ? [] : [...screen.keys] }
    return { focus: 'key' in screen ? [screen.key] : [] }
  }

  #clock(): ReplayClock | null {
    return this.#parts.store.get().replay
  }

  #move(clock: ReplayClock | null): void {
    const { store, replay } = this.#parts
    if (clock === null) {
      this.stop()
      replay.look(null)
      store.setReplay(null)
      return
    }
    store.setReplay(clock)
    this.#look()
    if (this.#cancel === null) this.#tick()
  }

  #look(): void {
    const { store, replay } = this.#parts
    const { replay: clock, spanMs } = store.get()
    if (clock === null) return
    const { headMs, playing, rate } = clock
    replay.look({ headMs, rate: playing ? rate : 0, spanMs, ...this.focus() })
  }

  #tick(): void {
    const { schedule, store, replay } = this.#parts
    this.#cancel = schedule(() => {
      this.#cancel = null
      const clock = this.#clock()
      if (clock === null) return
      const next = advanced(clock, this.#parts.now(), replay.playableMs())
      if (next === null) {
        this.#parts.toast('caught up with now: live again')
        this.#move(null)
        return
      }
      if (next !== clock) store.setReplay(next)
      this.#look()
      this.#tick()
    }, TICK_MS)
  }
}

const ALERT_SHOWN_MS = 1000
