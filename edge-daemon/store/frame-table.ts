/**
 * Where a frame lies in its segment and what it holds; times are Unix ms. An extent, which holds several frames of one
 * class, is told in the same terms: frames of other classes, and nothing else, may lie between its own.
 */
export interface FrameRef {
  readonly offset: number
  /** Headers and payloads, with what lies between them. */
  readonly bytes: number
  readonly firstSeq: number
  readonly lastSeq: number
  readonly minTime: number
  readonly maxTime: number
  readonly records: number
  readonly lineBytes: number
}

/** Most bytes of the log that an extent of several frames spans: what is read for one of its records. */
const EXTENT_BYTES = 16 * 1024
/** Most bytes of lines in an extent of several frames: what is decoded for one of its records. */
const EXTENT_LINE_BYTES = 64 * 1024

const FIRST_ROWS = 16
const GROWTH = 1.5
const COLUMNS = 8
const OFFSET = 0
const BYTES = 1
const FIRST_SEQ = 2
const LAST_SEQ = 3
const MIN_TIME = 4
const MAX_TIME = 5
const RECORDS = 6
const LINE_BYTES = 7

/** Sequences and times (Unix ms); bounds on sequence are outside, those on time inside. */
export interface ExtentRange {
  readonly afterSeq: number
  readonly beforeSeq: number
  readonly fromMs: number
  readonly toMs: number
}

/** Extents that may hold something of a range, by their places in the table, and what they hold. */
export interface ExtentSums {
  readonly positions: readonly number[]
  readonly records: number
  readonly lineBytes: number
  readonly minTime: number
  readonly maxTime: number
}

/** Bytes of an extent in {@link FrameTable.rows}. */
export const TABLE_ROW_BYTES = COLUMNS * Float64Array.BYTES_PER_ELEMENT

/**
 * Extents of one class in one segment in rising sequence, 64 bytes an extent. Which frames make an extent follows from
 * the frames and their order alone, so that a restart finds the same ones.
 */
export class FrameTable {
  #cells = new Float64Array(COLUMNS * FIRST_ROWS)
  #length = 0
  #records = 0
  #frameBytes = 0
  #minTime = Number.POSITIVE_INFINITY
  #maxTime = Number.NEGATIVE_INFINITY

  /** A table of what {@link rows} gave, with the bytes of its frames. */
  static of(rows: Uint8Array, frameBytes: number): FrameTable {
    const table = new FrameTable()
    // Copied, because the numbers of an array must lie at whole multiples of their size.
    table.#cells = new Float64Array(new Uint8Array(rows).buffer)
    table.#length = table.#cells.length / COLUMNS
    for (let position = 0; position < table.#length; position += 1) table.#count(table.at(position))
    table.#frameBytes = frameBytes
    return table
  }

  /** The extents as bytes, {@link TABLE_ROW_BYTES} each, in the byte order of the machine. */
  rows(): Uint8Array {
    return new Uint8Array(this.#cells.buffer, 0, this.#length * TABLE_ROW_BYTES)
  }

  get length(): number {
    return this.#length
  }

  /** Records in all frames. */
  get records(): number {
    return this.#records
  }

  /** Bytes of all frames, without what lies between them. */
  get frameBytes(): number {
    return this.#frameBytes
  }

  /** Earliest timestamp of a record, Unix ms; infinite when there is none. */
  get minTime(): number {
    return this.#minTime
  }

  /** Latest timestamp of a record, Unix ms; infinite when there is none. */
  get maxTime(): number {
    return this.#maxTime
  }

  /**
   * Enter a frame behind all others, in the last extent when it begins at or behind `joinFrom` and has room. Returns the
   * first sequence of the extent that now holds the frame.
   */
  add(ref: FrameRef, joinFrom: number): number {
    if (!this.#join(ref, joinFrom)) this.push(ref)
    return this.#cell(this.#length - 1, FIRST_SEQ)
  }

  /** Enter a frame, or a whole extent, behind all others as an extent of its own. */
  push(ref: FrameRef): void {
    const at = this.#length * COLUMNS
    if (at === this.#cells.length) {
      const grown = new Float64Array(COLUMNS * Math.ceil(this.#length * GROWTH))
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
    this.#count(ref)
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

  /** The first extent with a record after `seq` that may hold one of a time in `fromMs..toMs`; null when there is none. */
  next(seq: number, fromMs: number, toMs: number): FrameRef | null {
    if (this.#maxTime < fromMs || this.#minTime > toMs) return null
    for (let position = this.#firstEndingAfter(seq); position < this.#length; position += 1) {
      if (this.#overlaps(position, fromMs, toMs)) return this.at(position)
    }
    return null
  }

  /** The last extent with a record before `seq` that may hold one of a time in `fromMs..toMs`; null when there is none. */
  previous(seq: number, fromMs: number, toMs: number): FrameRef | null {
    if (this.#maxTime < fromMs || this.#minTime > toMs) return null
    // The extents before the first that ends at seq - 1 or later begin before seq, and so may that extent itself.
    let position = Math.min(this.#firstEndingAfter(seq - 2), this.#length - 1)
    while (position >= 0 && this.#cell(position, FIRST_SEQ) >= seq) position -= 1
    for (; position >= 0; position -= 1) {
      if (this.#overlaps(position, fromMs, toMs)) return this.at(position)
    }
    return null
  }

  /** The extents that may have something of a range. */
  within(range: ExtentRange): ExtentSums {
    const positions = [...this.#positions(range)]
    let [records, lineBytes] = [0, 0]
    let [minTime, maxTime] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (const position of positions) {
      records += this.#cell(position, RECORDS)
      lineBytes += this.#cell(position, LINE_BYTES)
      minTime = Math.min(minTime, this.#cell(position, MIN_TIME))
      maxTime = Math.max(maxTime, this.#cell(position, MAX_TIME))
    }
    return { positions, records, lineBytes, minTime, maxTime }
  }

  /** Some of the extents, as {@link rows}. */
  rowsAt(positions: readonly number[]): Uint8Array<ArrayBuffer> {
    const cells = new Float64Array(positions.length * COLUMNS)
    for (const [row, position] of positions.entries()) {
      cells.set(this.#cells.subarray(position * COLUMNS, (position + 1) * COLUMNS), row * COLUMNS)
    }
    return new Uint8Array(cells.buffer)
  }

  *#positions({ afterSeq, beforeSeq, fromMs, toMs }: ExtentRange): Generator<number, void, void> {
    if (this.#maxTime < fromMs || this.#minTime > toMs) return
    for (let position = this.#firstEndingAfter(afterSeq); position < this.#length; position += 1) {
      if (this.#cell(position, FIRST_SEQ) >= beforeSeq) return
      if (this.#overlaps(position, fromMs, toMs)) yield position
    }
  }

  #join(ref: FrameRef, joinFrom: number): boolean {
    const last = this.#length - 1
    const offset = this.#cell(last, OFFSET)
    const bytes = ref.offset + ref.bytes - offset
    const lineBytes = this.#cell(last, LINE_BYTES) + ref.lineBytes
    // Without a last extent both are NaN and fit nowhere.
    if (!(offset >= joinFrom && bytes <= EXTENT_BYTES && lineBytes <= EXTENT_LINE_BYTES)) return false
    const cells = this.#cells
    const at = last * COLUMNS
    cells[at + BYTES] = bytes
    cells[at + LAST_SEQ] = ref.lastSeq
    cells[at + MIN_TIME] = Math.min(this.#cell(last, MIN_TIME), ref.minTime)
    cells[at + MAX_TIME] = Math.max(this.#cell(last, MAX_TIME), ref.maxTime)
    cells[at + RECORDS] = this.#cell(last, RECORDS) + ref.records
    cells[at + LINE_BYTES] = lineBytes
    this.#count(ref)
    return true
  }

  #count(ref: FrameRef): void {
    this.#records += ref.records
    this.#frameBytes += ref.bytes
    this.#minTime = Math.min(this.#minTime, ref.minTime)
    this.#maxTime = Math.max(this.#maxTime, ref.maxTime)
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
