/** Held sequences that share a place in the queue: the time is that of the newest. */
interface Waiting {
  seq: number
  atMs: number
  readonly sinceMs: number
}

/** Steps that the time to wait is divided into, so that the queue stays short whatever the rate. */
const STEPS = 16

/**
 * How far a receiver has surely synced what it acknowledged: what it has held for `afterMs` (the interval at which it
 * syncs) without a break of the link. A break may have been its end, so after one the time counts from when it was asked
 * again and still held it.
 */
export class SyncedLevel {
  readonly #afterMs: number
  readonly #nowMs: () => number
  #seq: number
  #waiting: Waiting[] = []

  /**
   * @param seq the level so far
   * @param nowMs a monotonic clock in milliseconds
   */
  constructor(seq: number, afterMs: number, nowMs: () => number = () => performance.now()) {
    this.#seq = seq
    this.#afterMs = afterMs
    this.#nowMs = nowMs
  }

  /** Sequence up to which all is surely synced. */
  get seq(): number {
    const now = this.#nowMs()
    while (this.#waiting.length > 0 && (this.#waiting[0]?.atMs ?? now) <= now - this.#afterMs) {
      this.#seq = Math.max(this.#seq, this.#waiting.shift()?.seq ?? 0)
    }
    return this.#seq
  }

  /** Time until the level may rise again, ms; null while nothing waits for it. */
  get dueInMs(): number | null {
    const [first] = this.#waiting
    return first === undefined ? null : Math.max(0, first.atMs + this.#afterMs - this.#nowMs())
  }

  /** Held up to `seq`; `synced` when the receiver synced before it answered. */
  held(seq: number, synced = false): void {
    if (synced) {
      this.#seq = Math.max(this.seq, seq)
      this.#waiting = this.#waiting.filter((waiting) => waiting.seq > seq)
      return
    }
    const now = this.#nowMs()
    const last = this.#waiting.at(-1)
    if (last !== undefined && now - last.sinceMs < this.#afterMs / STEPS) {
      last.seq = seq
      last.atMs = now
    } else {
      this.#waiting.push({ seq, atMs: now, sinceMs: now })
    }
  }

  /** The link broke: nothing matures until the receiver was asked again. */
  broken(): void {
    this.#waiting = []
  }

  /** The receiver was asked and holds everything up to `seq`. */
  confirmed(seq: number): void {
    if (seq > this.#seq) this.held(seq)
  }

  /** What lies behind `seq` is no longer held. */
  rewound(seq: number): void {
    this.#seq = Math.min(this.#seq, seq)
    this.#waiting = []
  }
}
