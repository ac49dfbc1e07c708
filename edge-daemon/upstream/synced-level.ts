/** Held sequences that share a place in the queue: the time is that of the newest. */
interface Waiting {
  seq: number
  atMs: number
  readonly sinceMs: number
}

/** Steps that the time to wait is divided into, so that the queue stays short whatever the rate. */
const STEPS = 16

/**
 * How far a receiver has surely synced what it acknowledged: what it still holds `afterMs` (the interval at which it
 * syncs) later. That the time has passed is not enough, since a server behind the one that the link goes to may have come
 * back with less: an answer says so, of the next block or to a question. A break of the link may have been its end too, so
 * after one the time counts from when it was asked again.
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
    return this.#seq
  }

  /** Time until a question would let the level rise to its end, ms; null while nothing waits for it. */
  get dueInMs(): number | null {
    const last = this.#waiting.at(-1)
    return last === undefined ? null : Math.max(0, last.atMs + this.#afterMs - this.#nowMs())
  }

  /**
   * The receiver took a block up to `seq`, behind the one before, so it has that one still; `synced` when it synced
   * before it answered.
   */
  held(seq: number, synced = false): void {
    this.#rise()
    if (synced) {
      this.#seq = Math.max(this.#seq, seq)
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
    this.#rise()
    if (seq > Math.max(this.#seq, this.#waiting.at(-1)?.seq ?? 0)) this.held(seq)
  }

  /** What lies behind `seq` is no longer held. */
  rewound(seq: number): void {
    this.#seq = Math.min(this.#seq, seq)
    this.#waiting = []
  }

  /** Everything that waits is held now. */
  #rise(): void {
    const dueMs = this.#nowMs() - this.#afterMs
    while ((this.#waiting[0]?.atMs ?? Number.POSITIVE_INFINITY) <= dueMs) {
      this.#seq = Math.max(this.#seq, this.#waiting.shift()?.seq ?? 0)
    }
  }
}
