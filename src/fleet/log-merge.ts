/** How long lines of the fleet wait for those of other nodes, ms. */
export const LOG_WINDOW_MS = 2000

/** Something of a node with its place in time on our clock, ms. */
export interface Placed<T> {
  readonly key: string
  readonly atMs: number
  readonly item: T
}

/** What comes out of a {@link LogMerge}; `late` when something of a later time came out before it. */
export interface Released<T> extends Placed<T> {
  readonly late: boolean
}

/** How long things are held, and how much of them. */
export interface MergeLimits {
  /** What is older than this is let out whether or not every node has told up to its time, ms. */
  readonly windowMs: number
  /** Over so much, what is oldest is let out before its time. */
  readonly maxWeight: number
}

interface Held<T> extends Placed<T> {
  /** Order of arrival, for what is of one time. */
  readonly nth: number
  readonly weight: number
}

interface Teller {
  /** Told everything up to here, our clock. */
  toldMs: number
  /** Before this what it says of its own state does not count: its kept lines may still be on their way. */
  readonly settledMs: number
}

/**
 * Puts what nodes tell into one order of time: a thing is held until every node that is expected to tell has told up to its
 * time, or until the window is over. Within the window the order is true; what comes later comes out at once and is called
 * late, exactly then when something of a later time came out before. What is given first of one time comes out first.
 */
export class LogMerge<T> {
  readonly #limits: MergeLimits
  readonly #heap: Held<T>[] = []
  readonly #tellers = new Map<string, Teller>()
  #nextNth = 1
  #weight = 0
  /** What is older than the first word is held as if it were as old: nodes begin with kept lines, each at its own time. */
  #sinceMs: number | null = null
  #releasedMs = Number.NEGATIVE_INFINITY

  constructor(limits: MergeLimits) {
    this.#limits = limits
  }

  /** Wait for a node from now on; nothing is waited for that only began to tell after the window of its time. */
  join(key: string, nowMs: number): void {
    this.#sinceMs ??= nowMs
    this.#tellers.set(key, { toldMs: Number.NEGATIVE_INFINITY, settledMs: nowMs + this.#limits.windowMs / 2 })
  }

  /** Wait for a node no more. */
  leave(key: string): void {
    this.#tellers.delete(key)
  }

  /** Take something of a node. */
  add(key: string, atMs: number, item: T, weight: number): void {
    this.#sinceMs ??= atMs
    this.#push({ key, atMs, item, weight, nth: this.#nextNth })
    this.#nextNth += 1
    this.#weight += weight
  }

  /** A node told everything up to a time, by what came of it. */
  told(key: string, uptoMs: number): void {
    const teller = this.#tellers.get(key)
    if (teller !== undefined && uptoMs > teller.toldMs) teller.toldMs = uptoMs
  }

  /** A node said that there is nothing more up to a time. */
  saidNothing(key: string, uptoMs: number, nowMs: number): void {
    if (nowMs >= (this.#tellers.get(key)?.settledMs ?? 0)) this.told(key, uptoMs)
  }

  /** When the next thing has to be let out at the latest, our clock; null when nothing is held. */
  get dueMs(): number | null {
    const first = this.#heap[0]
    return first === undefined ? null : this.#dueMsOf(first)
  }

  /** Let out what may be, in order. */
  release(nowMs: number): Released<T>[] {
    const out: Released<T>[] = []
    const toldMs = this.#toldMs()
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      const isDue = first.atMs <= toldMs || nowMs >= this.#dueMsOf(first) || this.#weight > this.#limits.maxWeight
      if (!isDue) break
      this.#pop()
      this.#weight -= first.weight
      out.push({ key: first.key, atMs: first.atMs, item: first.item, late: first.atMs < this.#releasedMs })
      this.#releasedMs = Math.max(this.#releasedMs, first.atMs)
    }
    return out
  }

  #dueMsOf(held: Held<T>): number {
    return Math.max(held.atMs, this.#sinceMs ?? held.atMs) + this.#limits.windowMs
  }

  #toldMs(): number {
    let least = Number.POSITIVE_INFINITY
    for (const { toldMs } of this.#tellers.values()) if (toldMs < least) least = toldMs
    return this.#tellers.size === 0 ? Number.NEGATIVE_INFINITY : least
  }

  #push(held: Held<T>): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(held)
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || !isBefore(held, parent)) break
      heap[at] = parent
      at = up
    }
    heap[at] = held
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      const isRight = left !== undefined && right !== undefined && isBefore(right, left)
      const least = isRight ? right : left
      if (least === undefined || !isBefore(least, last)) break
      heap[at] = least
      at = 2 * at + (isRight ? 2 : 1)
    }
    heap[at] = last
  }
}

function isBefore<T>(a: Held<T>, b: Held<T>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.nth < b.nth)
}
