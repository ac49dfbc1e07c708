import { closeSync, openSync, readSync } from 'node:fs'
import type { FileState } from './checkpoint.ts'
import { type FileFacts, factsOfOpen, isPlaceIn, type Place } from './file-place.ts'
import { type Joined, type JoinerOptions, LineJoiner } from './joiner.ts'
import type { LineClass } from './line-class.ts'
import { type Lane, markKey } from './origin.ts'
import { LineSplitter, type RawLine } from './splitter.ts'

/** What came of reading on in a file. */
export type ReadOutcome =
  /** Bytes were read, and there may be more. */
  | { readonly state: 'read'; readonly bytes: number }
  /** There is no more for now. */
  | { readonly state: 'end' }
  /** It is not the file that it was: truncated, or written anew. */
  | { readonly state: 'changed' }
  /** Another file stands at its path. */
  | { readonly state: 'moved' }
  /** Its first bytes were not taken: something comes before it. */
  | { readonly state: 'preceded' }

/** How the lines of a file are read. */
export interface ReadingOptions extends Omit<JoinerOptions, 'from'> {
  /** Bytes kept of a line. */
  readonly keepBytes: number
}

/** Before the place where reading goes on again so much is read once more, for what lines need to know of those before. */
const CONTEXT_BYTES = 16_384
/** Bytes before the position that are compared at each read. */
const TAIL_BYTES = 64
const NEWLINE = 0x0a

/** One file, whatever it is called: reads its lines from where they are not kept yet, and knows how far they are. */
export class FollowedFile {
  readonly id: string
  readonly series: string
  key: string
  path: string
  /** Size and last change when it was last seen. */
  size: number
  mtimeMs: number
  /** Its last change when it was last seen to be what it was, Unix ms: what was made of it later is newer. */
  sameSinceMs: number
  /** When it grew last, or was found; monotonic ms. */
  grewAtMs = 0
  /** Whether there may be something to read. */
  isDue = true
  readonly #reading: ReadingOptions
  #from: Place
  #marks: Map<string, Place>
  #descriptor: number | null = null
  #splitter: LineSplitter | null = null
  #joiner: LineJoiner
  #tail: Buffer = Buffer.alloc(0)
  /** Its size when it was surely still what it was. */
  #sureSize: number
  /** Ends of records that are known to be kept: no record goes on over them. */
  #boundaries: Set<number>

  constructor(state: FileState, reading: ReadingOptions) {
    this.id = state.id
    this.series = state.series
    this.key = state.key
    this.path = state.path
    this.size = state.size
    this.#sureSize = state.size
    this.mtimeMs = state.mtimeMs
    this.sameSinceMs = state.mtimeMs
    this.#reading = reading
    this.#from = state.from
    this.#marks = new Map(Object.entries(state.marks))
    this.#joiner = new LineJoiner({ ...reading, from: state.from })
    this.#boundaries = new Set()
  }

  /** Everything before is kept. */
  get from(): Place {
    return this.#from
  }

  /** Offset behind the last record that is kept. */
  get keptUpTo(): number {
    return Math.max(this.#from.end, ...[...this.#marks].map(([key, { end }]) => (key.startsWith('L') ? 0 : end)))
  }

  /** Offset behind all that was read. */
  get position(): number {
    return this.#splitter?.offset ?? this.#from.end
  }

  /** Bytes that are there and not read, as far as was seen. */
  get lagBytes(): number {
    return Math.max(0, this.size - this.position)
  }

  /** Bytes that surely were there and were not read, for a file that is not what it was: what was seen since may be the new one's. */
  get lostBytes(): number {
    return Math.max(0, this.#sureSize - this.position)
  }

  /** From where on it must be read again for all that was not handed over. */
  get resume(): Place {
    return this.#splitter === null ? this.#from : this.#joiner.resume
  }

  get isOpen(): boolean {
    return this.#descriptor !== null
  }

  /** Whether its last line has not ended. */
  get hasOpenLine(): boolean {
    return this.#splitter !== null && this.#splitter.offset > this.#splitter.lineStart
  }

  get hasGroup(): boolean {
    return this.#joiner.hasGroup
  }

  /** How far it is kept, for a checkpoint. */
  state(): FileState {
    const { id, key, series, path, size, sameSinceMs: mtimeMs } = this
    return { id, key, series, path, from: this.#from, marks: Object.fromEntries(this.#marks), size, mtimeMs }
  }

  /** The places that the same file, or a copy of it, must still hold: none while nothing was read. */
  knownPlaces(): readonly Place[] {
    if (this.#splitter !== null) return this.#joiner.last.end === 0 ? [] : [this.#joiner.last]
    const marks = [...this.#marks.entries()].filter(([key]) => !key.startsWith('L')).map(([, place]) => place)
    return [this.#from, ...marks.sort((a, b) => b.end - a.end).slice(0, 1)].filter(({ end }) => end > 0)
  }

  /** Whether a record that ends there is kept. */
  isKept(lane: Lane, lineClass: LineClass, end: number): boolean {
    if (end <= this.#from.end) return true
    return this.#marks.size > 0 && end <= (this.#marks.get(markKey(lane, lineClass))?.end ?? 0)
  }

  /** What was handed over is kept: up to these marks, and everything before `from`. */
  advance(from: Place | null, marks: ReadonlyMap<string, Place>): void {
    for (const [key, place] of marks) this.#marks.set(key, place)
    if (from !== null && from.end > this.#from.end) this.#from = from
    for (const [key, { end }] of this.#marks) if (end <= this.#from.end) this.#marks.delete(key)
  }

  /** Open it, so that it stays there whatever becomes of its name. @throws the file system's error. */
  open(): FileFacts {
    this.#descriptor ??= openSync(this.path, 'r')
    return factsOfOpen(this.#descriptor, this.path)
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor)
    this.#descriptor = null
  }

  /** Look at its size now; null while it is not open. */
  look(): FileFacts | null {
    if (this.#descriptor === null) return null
    const facts = factsOfOpen(this.#descriptor, this.path)
    this.size = facts.size
    this.mtimeMs = facts.mtimeMs
    return facts
  }

  /** Read on into a buffer, and hand over the lines that are whole; its first bytes only if `isFirst` agrees. @throws the file system's error. */
  read(buffer: Buffer, emit: (line: Joined) => void, isFirst: (bytes: Buffer) => boolean): ReadOutcome {
    const { key, mtimeMs, size: sizeBefore } = this.open()
    const descriptor = this.#descriptor as number
    if (key !== this.key) {
      this.close()
      return { state: 'moved' }
    }
    if (this.#splitter === null) {
      if (!this.knownPlaces().every((place) => isPlaceIn(descriptor, place))) return { state: 'changed' }
      this.#begin(descriptor)
    }
    const splitter = this.#splitter as unknown as LineSplitter
    const count = readSync(descriptor, buffer, 0, buffer.length, splitter.offset)
    if (!this.#isUnchanged(descriptor, splitter.offset)) return { state: 'changed' }
    this.#sureSize = sizeBefore
    if (count === 0) {
      const { size } = factsOfOpen(descriptor, this.path)
      this.size = size
      this.isDue = false
      return size < splitter.offset ? { state: 'changed' } : { state: 'end' }
    }
    const chunk = buffer.subarray(0, count)
    if (splitter.offset === 0 && !isFirst(chunk)) return { state: 'preceded' }
    this.sameSinceMs = mtimeMs
    splitter.push(chunk, (line) => this.#take(line, emit))
    this.#remember(chunk)
    this.size = Math.max(this.size, splitter.offset)
    return { state: 'read', bytes: count }
  }

  /** Hand over records of several lines that wait for their next. */
  endGroups(emit: (line: Joined) => void): void {
    this.#joiner.endGroups(emit)
  }

  /** Nothing will follow what was read: the open line is one, and so is what waits for its next part. */
  endAll(emit: (line: Joined) => void): void {
    const rest = this.#splitter?.takeRest() ?? null
    if (rest !== null) this.#take(rest, emit)
    this.#joiner.endAll(emit)
  }

  #take(line: RawLine, emit: (line: Joined) => void): void {
    // Where reading goes on from a look back, a line that began before what was read is none.
    this.#joiner.take(line, emit)
    if (this.#boundaries.has(line.end)) this.#joiner.endGroups(emit)
  }

  /** Begin somewhat before the place where reading goes on, at the begin of a line. */
  #begin(descriptor: number): void {
    const { end } = this.#from
    const back = Math.min(end, CONTEXT_BYTES)
    const bytes = Buffer.alloc(back)
    readSync(descriptor, bytes, 0, back, end - back)
    const cut = back === end ? 0 : bytes.indexOf(NEWLINE) + 1
    const start = back < end && cut === 0 ? end : end - back + cut
    this.#splitter = new LineSplitter(this.#reading.keepBytes, start)
    const place = start === end ? this.#from : { end: start, check: 0 }
    this.#joiner = new LineJoiner({ ...this.#reading, from: place })
    this.#boundaries = new Set([end, ...[...this.#marks.values()].map((mark) => mark.end)])
    this.#tail = Buffer.alloc(0)
  }

  #remember(chunk: Buffer): void {
    const tail = chunk.length >= TAIL_BYTES ? chunk.subarray(-TAIL_BYTES) : Buffer.concat([this.#tail, chunk])
    this.#tail = Buffer.from(tail.subarray(-TAIL_BYTES))
  }

  /** Compared after a read, so that what was read cannot be of a file that changed meanwhile. */
  #isUnchanged(descriptor: number, offset: number): boolean {
    const { length } = this.#tail
    if (length === 0) return true
    const now = Buffer.allocUnsafe(length)
    return readSync(descriptor, now, 0, length, offset - length) === length && now.equals(this.#tail)
  }
}

/** The state of a file that is new: nothing of it is kept but what stands before a place. */
export function newFile(
  { key, path, size, mtimeMs }: FileFacts,
  { id, series, from = { end: 0, check: 0 } }: { id: string; series: string; from?: Place },
): FileState {
  return { id, key, series, path, from, marks: {}, size, mtimeMs }
}
