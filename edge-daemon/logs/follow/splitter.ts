import { crcOf } from './line-check.ts'

/** A line as it stands in a file, before anything is made of it. */
export interface RawLine {
  /** Without the newline; invalid UTF-8 is U+FFFD. */
  readonly text: string
  /** Offset of its first byte, and of the one behind its newline. */
  readonly start: number
  readonly end: number
  /** Characters beyond the bound, which are nowhere any more. */
  readonly cutChars: number
  /** {@link checkOf} its last bytes: tells later whether this place in the file is still the same. */
  readonly check: number
}

/** Bytes before an offset that its check covers at most. */
export const CHECKED_BYTES = 1024
const NEWLINE = 0x0a

/** Checksum of what stands before an offset: the last bytes of the line that ends there. `bytes` may begin before it. */
export function checkOf(bytes: Buffer): number {
  const tail = bytes.length > CHECKED_BYTES ? bytes.subarray(-CHECKED_BYTES) : bytes
  const before = tail.length < 2 ? -1 : tail.lastIndexOf(NEWLINE, tail.length - 2)
  return crcOf(tail, before + 1, tail.length)
}

/** Parts the bytes of a file into lines, in memory that is bounded however long a line is. */
export class LineSplitter {
  readonly #keepBytes: number
  #offset: number
  #lineStart: number
  /** What is kept of a line that has not ended yet, its last bytes, and the characters that are not kept. */
  #kept: Buffer[] = []
  #keptBytes = 0
  #tail: Buffer = Buffer.alloc(0)
  #cutChars = 0

  /** @param offset where in the file the first byte stands; a line must begin there */
  constructor(keepBytes: number, offset: number) {
    this.#keepBytes = keepBytes
    this.#offset = offset
    this.#lineStart = offset
  }

  /** Offset behind all that was pushed. */
  get offset(): number {
    return this.#offset
  }

  /** Offset of the line that has not ended yet. */
  get lineStart(): number {
    return this.#lineStart
  }

  /** Take the next bytes and hand over each line that ends in them. */
  push(chunk: Buffer, onLine: (line: RawLine) => void): void {
    const base = this.#offset
    this.#offset += chunk.length
    let from = 0
    for (;;) {
      const at = chunk.indexOf(NEWLINE, from)
      if (at < 0) break
      const end = base + at + 1
      onLine(this.#isOpen ? this.#closed(chunk.subarray(from, at + 1), end) : this.#whole(chunk, from, at, end))
      from = at + 1
      this.#lineStart = end
    }
    if (from < chunk.length) this.#stash(chunk.subarray(from))
  }

  /** The line that has not ended, as one: nothing will come behind it any more. Null when there is none. */
  takeRest(): RawLine | null {
    if (this.#offset === this.#lineStart) return null
    const line = this.#closed(Buffer.alloc(0), this.#offset)
    this.#lineStart = this.#offset
    return line
  }

  get #isOpen(): boolean {
    return this.#tail.length > 0
  }

  #whole(chunk: Buffer, from: number, at: number, end: number): RawLine {
    const start = this.#lineStart
    const check = crcOf(chunk, Math.max(from, at + 1 - CHECKED_BYTES), at + 1)
    // A file that was truncated under a writer who goes on where he was begins with a hole.
    let first = from
    while (chunk[first] === 0 && first < at) first += 1
    const last = at - first > this.#keepBytes ? boundary(chunk, first + this.#keepBytes) : at
    return { text: chunk.toString('utf8', first, last), start, end, cutChars: charsIn(chunk, last, at), check }
  }

  #closed(piece: Buffer, end: number): RawLine {
    if (piece.length > 0) this.#stash(piece)
    const bytes = Buffer.concat(this.#kept)
    const isEnded = bytes.length === 0 ? false : bytes.at(-1) === NEWLINE
    const line = {
      text: bytes.toString('utf8', 0, isEnded ? bytes.length - 1 : bytes.length),
      start: this.#lineStart,
      end,
      cutChars: Math.max(0, this.#cutChars - (this.#cutChars > 0 && piece.length > 0 ? 1 : 0)),
      check: checkOf(this.#tail),
    }
    this.#kept = []
    this.#keptBytes = 0
    this.#tail = Buffer.alloc(0)
    this.#cutChars = 0
    return line
  }

  #stash(piece: Buffer): void {
    this.#tail = Buffer.concat([this.#tail, piece.subarray(-CHECKED_BYTES)]).subarray(-CHECKED_BYTES)
    let from = 0
    if (this.#keptBytes === 0) while (piece[from] === 0) from += 1
    const room = this.#keepBytes - this.#keptBytes
    const isOver = piece.length - from > room || this.#cutChars > 0
    const upTo = this.#cutChars > 0 ? from : isOver ? boundary(piece, from + room) : piece.length
    if (upTo > from) {
      // A copy: the chunk is read into again.
      this.#kept.push(Buffer.from(piece.subarray(from, upTo)))
      this.#keptBytes += upTo - from
    }
    if (isOver) this.#cutChars += charsIn(piece, upTo, piece.length)
  }
}

/** The last place at or before an offset where no character is cut in two. */
function boundary(bytes: Buffer, at: number): number {
  let place = at
  while (place > 0 && ((bytes[place] ?? 0) & 0xc0) === 0x80) place -= 1
  return place
}

/** Characters that begin in a range of bytes. */
function charsIn(bytes: Buffer, from: number, to: number): number {
  let chars = 0
  for (let at = from; at < to; at += 1) if (((bytes[at] ?? 0) & 0xc0) !== 0x80) chars += 1
  return chars
}
