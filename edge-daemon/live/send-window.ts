/** What is under way and not urgent should be here for no longer than this, ms: so long a status may have to wait. */
const AHEAD_MS = 750
const SMALLEST_BYTES = 4 * 1024
const LARGEST_BYTES = 1024 * 1024
/** Before anything was measured: a second of 64 kbit/s. */
const FIRST_BYTES = 8 * 1024
/** Fewer bytes ahead of a mark tell nothing of the speed; with as good as none it tells the bare round trip. */
const TELLING_BYTES = 2 * 1024
const BARE_BYTES = 512
/** The best of so many measurements counts, since whatever disturbs one makes it slower. */
const KEPT = 4
/** How far beyond what was seen under way a measurement is believed. */
const GROWTH = 4
/** A round trip counts for one to two of these, ms: a link may change. */
const BARE_FOR_MS = 60_000
const SMALLEST_PIECE_BYTES = 1024
/** Pieces in a window: so many may be under way. */
const PIECES = 4

interface Mark {
  readonly n: number
  /** Bytes sent up to it. */
  readonly sentBytes: number
  /** Of these, bytes that were ahead of it on the way. */
  readonly aheadBytes: number
  readonly atMs: number
}

/**
 * How much may be under way to a reader, so that what is urgent never waits long behind what is not. Buffers on the way
 * take whatever they are given, and only the other end knows what has come: marks are put between the bytes, which it
 * sends back. What a mark takes longer than the bare round trip was spent behind the bytes ahead of it; the window is
 * what the link carries in {@link AHEAD_MS}. No I/O; times are of a monotonic clock, ms.
 */
export class SendWindow {
  #sizeBytes = FIRST_BYTES
  #sentBytes = 0
  #hereBytes = 0
  #markedBytes = 0
  #marks: Mark[] = []
  #nextMark = 1
  /** What is still ahead by the speed that is believed, and when that was so. */
  #queue: { readonly bytes: number; readonly atMs: number } = { bytes: 0, atMs: 0 }
  readonly #measured: number[] = []
  #bare = { sinceMs: 0, nowMs: Number.POSITIVE_INFINITY, beforeMs: Number.POSITIVE_INFINITY }

  /** Bytes that may be under way. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Bytes of which nothing is known but that they were sent. */
  get underWayBytes(): number {
    return this.#sentBytes - this.#hereBytes
  }

  /** What the link carries in {@link AHEAD_MS}, as well as that is known; null before anything was measured. */
  get carriesBytes(): number | null {
    return this.#measured.length === 0 ? null : Math.max(SMALLEST_BYTES, ...this.#measured)
  }

  /** What is not urgent is cut into pieces of this size. */
  get pieceBytes(): number {
    return Math.max(SMALLEST_PIECE_BYTES, Math.floor(this.#sizeBytes / PIECES))
  }

  /** So many bytes were sent. Returns whether a mark should follow them. */
  sent(bytes: number, nowMs: number): boolean {
    this.#queue = { bytes: this.#queuedBytes(nowMs) + bytes, atMs: nowMs }
    this.#sentBytes += bytes
    const unmarkedBytes = this.#sentBytes - this.#markedBytes
    return unmarkedBytes >= Math.max(TELLING_BYTES, this.#marks.length === 0 ? 0 : this.#sizeBytes / (2 * PIECES))
  }

  /** A mark is sent now; its number. */
  mark(nowMs: number): number {
    const n = this.#nextMark
    this.#nextMark += 1
    const aheadBytes = Math.min(this.underWayBytes, this.#queuedBytes(nowMs))
    this.#marks.push({ n, sentBytes: this.#sentBytes, aheadBytes, atMs: nowMs })
    this.#markedBytes = this.#sentBytes
    return n
  }

  /** A mark came back. Returns false for one that was not sent. */
  came(n: number, nowMs: number): boolean {
    const at = this.#marks.findIndex((mark) => mark.n === n)
    const mark = this.#marks[at]
    if (mark === undefined) return false
    this.#marks = this.#marks.slice(at + 1)
    this.#hereBytes = mark.sentBytes
    const tookMs = Math.max(0, nowMs - mark.atMs)
    if (mark.aheadBytes < BARE_BYTES) this.#tookBare(tookMs, nowMs)
    if (mark.aheadBytes >= TELLING_BYTES) this.#measure(mark.aheadBytes, tookMs)
    return true
  }

  #queuedBytes(nowMs: number): number {
    const { bytes, atMs } = this.#queue
    return Math.max(0, bytes - ((nowMs - atMs) * this.#sizeBytes) / AHEAD_MS)
  }

  #tookBare(tookMs: number, nowMs: number): void {
    const { sinceMs, nowMs: now } = this.#bare
    const isOver = nowMs - sinceMs > BARE_FOR_MS
    this.#bare = isOver
      ? { sinceMs: nowMs, nowMs: tookMs, beforeMs: now }
      : { ...this.#bare, nowMs: Math.min(now, tookMs) }
  }

  #measure(aheadBytes: number, tookMs: number): void {
    const bareMs = Math.min(this.#bare.nowMs, this.#bare.beforeMs)
    const behindMs = Math.max(1, tookMs - (Number.isFinite(bareMs) ? bareMs : 0))
    this.#measured.push((aheadBytes * AHEAD_MS) / behindMs)
    if (this.#measured.length > KEPT) this.#measured.shift()
    const believed = Math.min(this.carriesBytes ?? 0, Math.max(this.#sizeBytes, aheadBytes * GROWTH))
    this.#sizeBytes = Math.floor(Math.min(LARGEST_BYTES, believed))
  }
}
