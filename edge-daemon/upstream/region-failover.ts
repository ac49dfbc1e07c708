import type { Cursors } from '../store/contract.ts'
import type { UpstreamLog } from './log.ts'

/** What of an uplink the choice of regions needs; see `Uplink`. */
export interface RegionUplink {
  readonly name: string
  /** The link is up and, where blocks are sent, they are taken. */
  readonly isUp: boolean
  /** Begin to connect, once. */
  connect(): void
  /** Send from now on, what is surely held elsewhere left out. */
  activate(raiseTo: Cursors): void
  /** Send nothing more; the link stays. */
  standBy(by: string): void
}

/** What a {@link RegionFailover} is made of. */
export interface RegionFailoverOptions {
  /** In order of preference, at least one; none is connected yet. */
  readonly regions: readonly RegionUplink[]
  /** What another region than the one named has surely synced, by class. */
  readonly syncedElsewhere: (name: string) => Cursors
  readonly log: UpstreamLog
  /** How long the active region may be away before another takes over. */
  readonly takeOverAfterMs?: number
  /** How long a preferred region must be back before it takes over again. */
  readonly returnAfterMs?: number
  /** A monotonic clock in milliseconds. */
  readonly nowMs?: () => number
}

const LOOK_EVERY_MS = 250
const TAKE_OVER_AFTER_MS = 5000
const RETURN_AFTER_MS = 30_000
const MOST_RETURN_AFTER_MS = 600_000

/** One region as it was seen. */
interface Seen {
  readonly uplink: RegionUplink
  /** Since when it is as it is. */
  sinceMs: number
  isUp: boolean
  /** Grows while it comes back only to go again. */
  returnAfterMs: number
}

/**
 * Keeps one region of several active: the first in order that is reached. When the active one is away for some seconds,
 * the others are connected and the first that is up takes over, from where the rest of the regions surely have everything
 * before; when a preferred one has been back for a while it takes over again.
 */
export class RegionFailover {
  readonly #options: RegionFailoverOptions
  readonly #nowMs: () => number
  readonly #regions: readonly Seen[]
  #active = 0
  #activeSinceMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(options: RegionFailoverOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? (() => performance.now())
    this.#activeSinceMs = this.#nowMs()
    const { returnAfterMs = RETURN_AFTER_MS } = options
    this.#regions = options.regions.map((uplink) => ({
      uplink,
      sinceMs: this.#activeSinceMs,
      isUp: false,
      returnAfterMs,
    }))
  }

  /** Name of the region that blocks are sent to. */
  get active(): string {
    return this.#regions[this.#active]?.uplink.name ?? ''
  }

  start(): void {
    this.#switchTo(0, null)
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Look how the regions are, and switch when it is time. */
  look(): void {
    const now = this.#nowMs()
    for (const region of this.#regions) {
      if (region.uplink.isUp === region.isUp) continue
      region.isUp = region.uplink.isUp
      region.sinceMs = now
    }
    const active = this.#regions[this.#active]
    if (active === undefined) return
    const { takeOverAfterMs = TAKE_OVER_AFTER_MS, returnAfterMs = RETURN_AFTER_MS } = this.#options
    if (active.isUp) {
      if (now - this.#activeSinceMs > active.returnAfterMs) active.returnAfterMs = returnAfterMs
      const back = this.#regions.findIndex((its) => its.isUp && now - its.sinceMs >= its.returnAfterMs)
      if (back !== -1 && back < this.#active) this.#switchTo(back, 'it is back')
      return
    }
    if (now - active.sinceMs < takeOverAfterMs) return
    for (const { uplink } of this.#regions) uplink.connect()
    const next = this.#regions.findIndex((its) => its.isUp)
    if (next === -1) return
    // One that came back and went at once must be back for longer the next time.
    active.returnAfterMs = Math.min(active.returnAfterMs * 2, MOST_RETURN_AFTER_MS)
    this.#switchTo(next, `${active.uplink.name} is not reached`)
  }

  #switchTo(position: number, why: string | null): void {
    const next = this.#regions[position]
    if (next === undefined) return
    this.#active = position
    this.#activeSinceMs = this.#nowMs()
    for (const { uplink } of this.#regions) if (uplink !== next.uplink) uplink.standBy(next.uplink.name)
    next.sinceMs = this.#activeSinceMs
    next.uplink.connect()
    next.uplink.activate(this.#options.syncedElsewhere(next.uplink.name))
    const { log } = this.#options
    if (why !== null) log.warn('uplink.region', `blocks go to ${next.uplink.name} now: ${why}`, { region: this.active })
  }
}
