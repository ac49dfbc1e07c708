import { UPSTREAM_CLASSES, type UpstreamClass } from '../../protocol/subjects.ts'

/** What leaves a node: blocks by class, blocks sent again on request, and what consoles are told. */
export type PacedClass = UpstreamClass | 'telemetry' | 'resend'

/** Whoever wants to send. */
export interface TurnRequest {
  readonly class: PacedClass
  /** Bytes on the wire, as well as they are known. */
  readonly bytes: number
  /** It catches up: what is happening now goes before it. Ledger and alerts never step back. */
  readonly late?: boolean | undefined
}

/** A turn: the bytes may go now. Call {@link Turn.ended} once they have left or never will. */
export interface Turn {
  ended(): void
}

/** What an {@link UplinkPacer} is made of. */
export interface UplinkPacerOptions {
  /** Cap on everything that leaves, bytes a second; null for none. */
  readonly capBytesPerSec: number | null
  /** Bytes that left on all wires so far, by their sockets: what nobody asked a turn for is paid from the cap too. */
  readonly leftBytes: () => number
  /** Monotonic clock, ms. */
  readonly nowMs?: () => number
}

/** Order of turns; requests of the same rank go by age. */
const ORDER: readonly PacedClass[] = [...UPSTREAM_CLASSES, 'telemetry', 'resend']
const NEVER_LATE: readonly PacedClass[] = ['ledger', 'alert']
const ALWAYS_LAST: readonly PacedClass[] = ['telemetry', 'resend']
/** Part of the cap that is everybody's own, however much more urgent things there are. */
const SHARE = 0.05
/** Consoles see a status every few seconds at least, also while a backlog drains. */
const TELEMETRY_SHARE = 0.2
/** Nobody claims a share sooner: small things must not turn the order over whenever the cap is short for a moment. */
const PATIENCE_MS = 2000
/** What may leave at once after a quiet time, as time of the cap. */
const BURST_MS = 250

interface Waiting {
  readonly request: TurnRequest
  readonly rank: number
  /** From when on it goes before everything more urgent. */
  readonly dueAtMs: number
  readonly grant: (turn: Turn | null) => void
}

const FREE_TURN: Turn = { ended: () => {} }

/**
 * Keeps everything that leaves a node under one cap and in order of urgency: a token bucket that may be overdrawn by one
 * turn, so that a block larger than what is saved up goes too and is paid for afterwards. What is urgent overtakes; what
 * is not has a small share that nobody takes from it. It is the sockets that say what left: bytes beyond what was asked
 * for (handshakes, pings, TLS) are charged as they are seen, and what was asked for in excess is given back.
 */
export class UplinkPacer {
  readonly #capBytesPerSec: number | null
  readonly #leftBytes: () => number
  readonly #nowMs: () => number
  readonly #waiting: Waiting[] = []
  #balance: number
  #balanceAtMs: number
  /** What the bucket was charged with, against what the sockets tell. */
  #chargedBytes: number
  /** Turns that were given and have not ended. */
  #open = 0
  #wasUrgent = false
  #telemetryDueAtMs = 0
  #timer: NodeJS.Timeout | null = null

  constructor({ capBytesPerSec, leftBytes, nowMs = () => performance.now() }: UplinkPacerOptions) {
    this.#capBytesPerSec = capBytesPerSec
    this.#leftBytes = leftBytes
    this.#nowMs = nowMs
    this.#balance = this.#burstBytes()
    this.#balanceAtMs = nowMs()
    this.#chargedBytes = leftBytes()
  }

  /** The cap in force, bytes a second; null for none. */
  get capBytesPerSec(): number | null {
    return this.#capBytesPerSec
  }

  /** Wait until these bytes may go; null once the signal is aborted. */
  turn(request: TurnRequest, signal?: AbortSignal): Promise<Turn | null> {
    if (signal?.aborted === true) return Promise.resolve(null)
    const capBytesPerSec = this.#capBytesPerSec
    if (capBytesPerSec === null) return Promise.resolve(FREE_TURN)
    const { promise, resolve } = Promise.withResolvers<Turn | null>()
    const leave = (): void => {
      const at = this.#waiting.indexOf(waiting)
      if (at !== -1) this.#waiting.splice(at, 1)
      resolve(null)
      this.#serve()
    }
    const share = request.class === 'telemetry' ? TELEMETRY_SHARE : SHARE
    const waiting: Waiting = {
      request,
      rank: rankOf(request),
      dueAtMs: this.#nowMs() + Math.max(PATIENCE_MS, (request.bytes * 1000) / (capBytesPerSec * share)),
      grant: (turn) => {
        signal?.removeEventListener('abort', leave)
        resolve(turn)
      },
    }
    signal?.addEventListener('abort', leave, { once: true })
    this.#waiting.push(waiting)
    this.#serve()
    return promise
  }

  /**
   * Whether something may be told to consoles now: what cannot wait in line asks this, sends or does not, and says with
   * {@link told} what it sent.
   */
  mayTell(): boolean {
    if (this.#capBytesPerSec === null) return true
    this.#refill()
    return this.#nowMs() >= this.#telemetryDueAtMs || (this.#balance >= 0 && this.#waiting.length === 0)
  }

  /** So many bytes were handed to a console's socket. */
  told(bytes: number): void {
    if (this.#capBytesPerSec === null) return
    this.#refill()
    this.#charge(bytes)
    this.#telemetryDueAtMs = Math.max(this.#nowMs(), this.#telemetryDueAtMs) + this.telemetrySpacingMs(bytes)
  }

  /** How long so many bytes take of the share that consoles have whatever else is sent, ms; 0 without a cap. */
  telemetrySpacingMs(bytes: number): number {
    return this.#capBytesPerSec === null ? 0 : (bytes * 1000) / (this.#capBytesPerSec * TELEMETRY_SHARE)
  }

  #burstBytes(): number {
    return ((this.#capBytesPerSec ?? 0) * BURST_MS) / 1000
  }

  #charge(bytes: number): void {
    this.#balance -= bytes
    this.#chargedBytes += bytes
  }

  #refill(): void {
    const now = this.#nowMs()
    this.#balance += ((now - this.#balanceAtMs) * (this.#capBytesPerSec ?? 0)) / 1000
    this.#balanceAtMs = now
    const unchargedBytes = this.#leftBytes() - this.#chargedBytes
    // Less left than was charged: while a turn is open that may still come, afterwards it was asked for in excess.
    if (unchargedBytes > 0 || this.#open === 0) this.#charge(unchargedBytes)
    this.#balance = Math.min(this.#balance, this.#burstBytes())
  }

  #serve(): void {
    this.#refill()
    while (this.#balance >= 0 && this.#waiting.length > 0) this.#grantNext()
    this.#arm()
  }

  /** The most urgent, or whoever waited for its share; of an alert and such a one, each in turn. */
  #next(): Waiting {
    const now = this.#nowMs()
    const first = least(this.#waiting, ({ rank }) => rank)
    const due = this.#waiting.filter(({ dueAtMs }) => dueAtMs <= now)
    const isUrgent = NEVER_LATE.includes(first.request.class) && !this.#wasUrgent
    return due.length === 0 || isUrgent ? first : least(due, ({ dueAtMs }) => dueAtMs)
  }

  #grantNext(): void {
    const next = this.#next()
    this.#wasUrgent = NEVER_LATE.includes(next.request.class)
    this.#waiting.splice(this.#waiting.indexOf(next), 1)
    this.#charge(next.request.bytes)
    this.#open += 1
    let isOpen = true
    next.grant({
      ended: () => {
        if (!isOpen) return
        isOpen = false
        this.#open -= 1
        this.#serve()
      },
    })
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#waiting.length === 0 || this.#capBytesPerSec === null) return
    const waitMs = Math.ceil((-this.#balance * 1000) / this.#capBytesPerSec)
    this.#timer = setTimeout(() => this.#serve(), Math.max(1, waitMs)).unref()
  }
}

/** What happens now by class, then what catches up by class, then what consoles read, then what is sent again. */
function rankOf({ class: pacedClass, late = false }: TurnRequest): number {
  const rank = ORDER.indexOf(pacedClass)
  if (ALWAYS_LAST.includes(pacedClass)) return 2 * ORDER.length + rank
  return late && !NEVER_LATE.includes(pacedClass) ? ORDER.length + rank : rank
}

/** The first of the least by a measure; there is at least one. */
function least<T>(items: readonly T[], measure: (item: T) => number): T {
  return items.reduce((best, item) => (measure(item) < measure(best) ? item : best))
}
