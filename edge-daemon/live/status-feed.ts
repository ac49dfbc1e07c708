import { MAX_FRAME_BYTES } from '../../protocol/frames.ts'
import type { StageHistograms } from '../../protocol/status.ts'
import { latencyBetween, NO_LATENCY } from '../health/stage-window.ts'
import type { ClockReading } from './clock-probe.ts'
import { LIVE_LIMITS, type LiveClock, type LiveLog, type StatusBody, type TelemetryPace } from './contract.ts'

/** The longest pause that a frame can announce. */
const MAX_EVERY_MS = 600_000

/** Where a session's window begins: what was counted when it was last sent a status. */
interface Base {
  readonly latency: StageHistograms
  readonly monotonicMs: number
}

/** What a status subscription may do with its session. */
export interface StatusOutlet {
  slow(): boolean
  /** The cap that the session's frames count under. */
  readonly pace: Pick<TelemetryPace, 'mayTell' | 'spacingMs'>
  reading(): ClockReading
  send(frame: string): void
}

/** One session's subscription to `status`: how often it wants one, its credits, and where its window begins. */
export class StatusSubscription {
  readonly id: string
  readonly outlet: StatusOutlet
  credits: number
  /** Time between frames that was asked for, ms; 0 for every tick. */
  everyMs: number
  /** It has not been told yet how often it is told from now on. */
  isRepaced = false
  /** Number of the last frame that was due. */
  n = 0
  /** Set by the feed with every frame sent. */
  base: Base | null = null

  constructor(id: string, credits: number, outlet: StatusOutlet, everyMs = 0) {
    this.id = id
    this.credits = credits
    this.outlet = outlet
    this.everyMs = everyMs
  }

  /** Grant credits; the next tick uses them. */
  credit(n: number): void {
    this.credits = Math.min(LIVE_LIMITS.credits, this.credits + n)
  }
}

/** The same instant for every session: the body, and what was made of it for each window so far. */
interface Tick {
  readonly at: number
  readonly base: Base
  readonly head: string
  readonly body: StatusBody
  readonly tails: Map<Base | null, string>
}

/**
 * Status frames on a steady grid: tick `k` is due at `start + k × intervalMs`, so lateness never adds up. It runs only
 * while somebody is subscribed. Who wants fewer gets those ticks that are due. A session without credit, or for which the cap is short, gets nothing and its
 * window goes on growing. The costly part of a frame is serialised once for all sessions whose windows begin at the same tick. Each frame says when the
 * next one comes at the latest, so that a console knows silence from a pause (architecture decision 15).
 */
export class StatusFeed {
  readonly #intervalMs: number
  readonly #snapshot: () => StatusBody
  readonly #clock: LiveClock
  readonly #log: LiveLog
  readonly #subscriptions = new Set<StatusSubscription>()
  #timer: NodeJS.Timeout | null = null
  #dueMs = 0

  constructor(options: { intervalMs: number; snapshot: () => StatusBody; clock: LiveClock; log: LiveLog }) {
    this.#intervalMs = options.intervalMs
    this.#snapshot = options.snapshot
    this.#clock = options.clock
    this.#log = options.log
  }

  /** Begin to send; the first frame goes at once with an empty window, the others on the grid. */
  add(subscription: StatusSubscription): void {
    this.#subscriptions.add(subscription)
    if (this.#timer === null) {
      this.#dueMs = this.#clock.monotonicMs() + this.#intervalMs
      this.#arm()
    }
    this.#sendTo([subscription])
  }

  /** Tell it from now on every so many ms; that this is so it hears at once, or with the next tick after a frame. */
  repace(subscription: StatusSubscription, everyMs: number): void {
    subscription.everyMs = everyMs
    subscription.isRepaced = true
    const sinceMs = this.#clock.monotonicMs() - (subscription.base?.monotonicMs ?? Number.NEGATIVE_INFINITY)
    if (sinceMs >= this.#intervalMs) this.#sendTo([subscription])
  }

  /** End it. The grid stops with the last one. */
  remove(subscription: StatusSubscription): void {
    this.#subscriptions.delete(subscription)
    if (this.#subscriptions.size === 0) this.stop()
  }

  /** Send no more. */
  stop(): void {
    this.#subscriptions.clear()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #arm(): void {
    const waitMs = Math.max(0, this.#dueMs - this.#clock.monotonicMs())
    this.#timer = setTimeout(() => this.#tick(), waitMs)
  }

  #tick(): void {
    const lateMs = this.#clock.monotonicMs() - this.#dueMs
    this.#dueMs += this.#intervalMs * Math.max(1, Math.ceil((lateMs + 1) / this.#intervalMs))
    this.#arm()
    // A tick is not missed for a few ms by which its timer is early.
    const nowMs = this.#clock.monotonicMs() + this.#intervalMs / 2
    const isDue = ({ base, everyMs, isRepaced }: StatusSubscription): boolean =>
      base === null || isRepaced || nowMs - base.monotonicMs >= everyMs
    this.#sendTo([...this.#subscriptions].filter(isDue))
  }

  #sendTo(subscriptions: readonly StatusSubscription[]): void {
    let tick: Tick | null = null
    for (const subscription of subscriptions) {
      const { credits, outlet } = subscription
      subscription.n += 1
      if (credits === 0 || outlet.slow() || !outlet.pace.mayTell('status')) continue
      tick ??= this.#take()
      if (tick === null) return
      const frame = this.#frameOf(tick, subscription)
      if (Buffer.byteLength(frame) > MAX_FRAME_BYTES) {
        this.#log.warn('live.status_too_large', 'a status frame is over the limit and is not sent')
        return
      }
      subscription.credits -= 1
      subscription.base = tick.base
      subscription.isRepaced = false
      subscription.outlet.send(frame)
      this.#lastServed(subscription)
    }
  }

  /** Where the cap is too short for all, the others come first at the next tick. */
  #lastServed(subscription: StatusSubscription): void {
    if (this.#subscriptions.delete(subscription)) this.#subscriptions.add(subscription)
  }

  #take(): Tick | null {
    let body: StatusBody
    try {
      body = this.#snapshot()
    } catch (error) {
      this.#log.warn('live.status_failed', error instanceof Error ? error.message : String(error))
      return null
    }
    const base = { latency: body.inference.latency, monotonicMs: this.#clock.monotonicMs() }
    const { inference: _, ...rest } = body
    return {
      at: Math.round(this.#clock.wallMs()),
      base,
      head: JSON.stringify(rest).slice(1, -1),
      body,
      tails: new Map(),
    }
  }

  /** The longest that the next frame may take: as asked, or what the cap is sure to carry for all who are told. */
  #promiseMs({ everyMs, outlet }: StatusSubscription, sizeBytes: number): number {
    const askedMs = Math.max(everyMs, this.#intervalMs)
    const spacingMs = outlet.pace.spacingMs(sizeBytes * this.#subscriptions.size)
    return Math.min(MAX_EVERY_MS, Math.max(askedMs, Math.ceil(spacingMs / this.#intervalMs) * this.#intervalMs))
  }

  #frameOf(tick: Tick, subscription: StatusSubscription): string {
    const { id, n, base, outlet } = subscription
    let tail = tick.tails.get(base)
    if (tail === undefined) {
      const window = base === null ? NO_LATENCY : latencyBetween(tick.base.latency, base.latency)
      const windowMs = base === null ? 0 : Math.max(0, Math.round(tick.base.monotonicMs - base.monotonicMs))
      tail = JSON.stringify({ ...tick.body.inference, windowMs, latency: window })
      tick.tails.set(base, tail)
    }
    const session = JSON.stringify(outlet.reading())
    const rest = `"session":${session},${tick.head},"inference":${tail}}`
    const everyMs = this.#promiseMs(subscription, Buffer.byteLength(rest))
    return `{"t":"status","id":${JSON.stringify(id)},"n":${n},"at":${tick.at},"everyMs":${everyMs},${rest}`
  }
}
