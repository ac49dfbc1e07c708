/** Where a frame lies in its segment and what it holds; times are Unix ms. */
export interface FrameRef {
  readonly offset: number
  /** Header and payload. */
  readonly bytes: number
  readonly firstSeq: number
  readonly lastSeq: number
  readonly minTime: number
  readonly maxTime: number
  readonly records: number
  readonly lineBytes: number
}

const COLUMNS = 8
const OFFSET = 0
const BYTES = 1
const FIRST_SEQ = 2
const LAST_SEQ = 3
const MIN_TIME = 4
const MAX_TIME = 5
const RECORDS = 6
const LINE_BYTES = 7

/** Frames of one class in one segment in rising sequence, 64 bytes a frame. */
export class FrameTable {
  #cells = new Float64Array(COLUMNS * 16)
  #length = 0
  #records = 0
  #minTime = Number.POSITIVE_INFINITY
  #maxTime = Number.NEGATIVE_INFINITY

  get length(): number {
    return this.#length
  }

  /** Records in all frames. */
  get records(): number {
    return this.#records
  }

  push(ref: FrameRef): void {
    const at = this.#length * COLUMNS
    if (at === this.#cells.length) {
      const grown = new Float64Array(this.#cells.length * 2)
      grown.set(this.#cells)
      this.#cells = grown
    }
    const cells = this.#cells
    cells[at + OFFSET] = ref.offset
    cells[at + BYTES] = ref.bytes
    cells[at + FIRST_SEQ] = ref.firstSeq
    cells[at + LAST_SEQ] = ref.lastSeq
    cells[at + MIN_TIME] = ref.minTime
    cells[at + MAX_TIME] = ref.maxTime
    cells[at + RECORDS] = ref.records
    cells[at + LINE_BYTES] = ref.lineBytes
    this.#length += 1
    this.#records += ref.records
    this.#minTime = Math.min(this.#minTime, ref.minTime)
    this.#maxTime = Math.max(this.#maxTime, ref.maxTime)
  }

  at(position: number): FrameRef {
    const column = (index: number): number => this.#cell(position, index)
    return {
      offset: column(OFFSET),
      bytes: column(BYTES),
      firstSeq: column(FIRST_SEQ),
      lastSeq: column(LAST_SEQ),
      minTime: column(MIN_TIME),
      maxTime: column(MAX_TIME),
      records: column(RECORDS),
      lineBytes: column(LINE_BYTES),
    }
  }

  /** Forget the frames that lie at or behind an offset. */
  dropFrom(offset: number): void {
    while (this.#length > 0 && this.#cell(this.#length - 1, OFFSET) >= offset) {
      this.#length -= 1
      this.#records -= this.#cell(this.#length, RECORDS)
    }
  }

  /** The first frame with a record after `seq` that may hold one of a time in `fromMs..toMs`; null when there is none. */
  next(seq: number, fromMs: number, toMs: number): FrameRef | null {
    if (this.#maxTime < fromMs || this.#minTime > toMs) return null
    for (let position = this.#firstEndingAfter(seq); position < this.#length; position += 1) {
      if (this.#overlaps(position, fromMs, toMs)) return this.at(position)
    }
    return null
  }

  /** The last frame with a record before `seq` that may hold one of a time in `fromMs..toMs`; null when there is none. */
  previous(seq: number, fromMs: number, toMs: number): FrameRef | null {
    if (this.#maxTime < fromMs || this.#minTime > toMs) return null
    // The frames before the first that ends at seq - 1 or later begin before seq, and so may that frame itself.
    let position = Math.min(this.#firstEndingAfter(seq - 2), this.#length - 1)
    while (position >= 0 && this.#cell(position, FIRST_SEQ) >= seq) position -= 1
    for (; position >= 0; position -= 1) {
      if (this.#overlaps(position, fromMs, toMs)) return this.at(position)
    }
    return null
  }

  #cell(position: number, column: number): number {
    return this.#cells[position * COLUMNS + column] ?? Number.NaN
  }

  #overlaps(position: number, fromMs: number, toMs: number): boolean {
    return this.#cell(position, MAX_TIME) >= fromMs && this.#cell(position, MIN_TIME) <= toMs
  }

  #firstEndingAfter(seq: number): number {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#cell(middle, LAST_SEQ) > seq) high = middle
      else low = middle + 1
    }
    return low
  }
}
