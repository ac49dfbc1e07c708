import type { RecordClass } from '../../protocol/subjects.ts'
import { checkFrame, decodeFrame, EpochReader, type FrameHeader, readHeader } from '../store/frame.ts'
import { nextGoodFrame } from '../store/frame-reader.ts'
import type { FrameRef, FrameTable } from '../store/frame-table.ts'
import type { KeyRing } from '../store/seal.ts'
import type { FoundRow, SearchGap } from './contract.ts'
import type { FoundLine, LineRange, LineSearch } from './line-search.ts'
import type { SegmentBytes } from './segment-bytes.ts'

/** What is looked for in a segment, and where. */
export interface SegmentTask {
  readonly bytes: SegmentBytes
  /** Extents that may hold something of the range, by class. */
  readonly tables: ReadonlyMap<RecordClass, FrameTable>
  readonly keys: KeyRing
  readonly lines: LineSearch
  readonly range: LineRange
  readonly newestFirst: boolean
  /** Gets each line instead of its being given as a row; null to give rows. */
  readonly count: ((line: FoundLine) => void) | null
  /** Extents, by class and first sequence, whose gaps were told before; those that are told are added. */
  readonly told: Set<string>
}

/**
 * Looks through one segment, an extent a step, and gives the rows of all its classes in order of sequence. It only ever
 * looks at the extent that is needed next, so who stops early has not looked far.
 */
export class SegmentSearch {
  readonly #task: SegmentTask
  readonly #lanes: readonly Lane[]
  readonly #epochs = new EpochReader()
  readonly #gaps: SearchGap[] = []
  #lookedAtBytes = 0
  #atMs: number | null = null

  constructor(task: SegmentTask) {
    this.#task = task
    this.#lanes = Array.from(task.tables, ([recordClass, table]) => new Lane(recordClass, table, task))
  }

  /** The next row in order; null when another step is needed first, or none is left. */
  get head(): FoundRow | null {
    return this.#first()?.rows.at(-1) ?? null
  }

  /** Go on behind {@link head}. */
  drop(): void {
    this.#first()?.rows.pop()
  }

  /** Whether no step is left and every row was dropped. */
  get isDone(): boolean {
    return this.#lanes.every((lane) => lane.isDone)
  }

  /** Bytes of lines that were looked at. */
  get lookedAtBytes(): number {
    return this.#lookedAtBytes
  }

  /** The farthest time (Unix ms) that was come to; null before the first step. */
  get atMs(): number | null {
    return this.#atMs
  }

  /** Up to which sequence everything was given, or from which one on where it goes newest first. Not for one that is done. */
  get position(): number {
    const positions = this.#lanes.filter((lane) => !lane.isDone).map((lane) => lane.position)
    return this.#task.newestFirst ? Math.max(...positions) : Math.min(...positions)
  }

  /** What could not be looked at, once. */
  takeGaps(): SearchGap[] {
    return this.#gaps.splice(0)
  }

  /** Look at the next extent. Call it while {@link head} is null and it is not done. */
  step(): void {
    const behind = this.#lanes
      .filter((lane) => lane.ref !== null && lane.rows.length === 0)
      .reduce<Lane | null>((a, b) => (a === null || this.#isBefore(b.position, a.position) ? b : a), null)
    const ref = behind?.ref
    if (behind == null || ref == null) return
    const rows: FoundRow[] = []
    this.#look(ref, behind.class, rows)
    behind.pass(this.#task.newestFirst ? rows : rows.reverse())
    this.#atMs = this.#task.newestFirst
      ? Math.min(ref.minTime, this.#atMs ?? Number.POSITIVE_INFINITY)
      : Math.max(ref.maxTime, this.#atMs ?? 0)
  }

  /** The lane whose row is surely the next; null while a lane without rows may still have one before it. */
  #first(): Lane | null {
    let first: Lane | null = null
    let seq = 0
    for (const lane of this.#lanes) {
      const head = lane.rows.at(-1)
      if (head === undefined || (first !== null && !this.#isBefore(head.seq, seq))) continue
      first = lane
      seq = head.seq
    }
    const isSure = this.#lanes.every(
      (lane) => lane.isDone || lane.rows.length > 0 || !this.#isBefore(lane.position, seq),
    )
    return isSure ? first : null
  }

  #isBefore(a: number, b: number): boolean {
    return this.#task.newestFirst ? a > b : a < b
  }

  /** Look for the lines of a class in an extent; they come oldest first. */
  #look(ref: FrameRef, recordClass: RecordClass, rows: FoundRow[]): void {
    const bytes = this.#task.bytes.of(ref)
    let [good, sealed] = [0, 0]
    for (let offset = 0; offset < bytes.length; ) {
      const frame = checkFrame(bytes, offset)
      if (!frame.ok) {
        offset = nextGoodFrame(bytes, offset + 1)
        continue
      }
      const end = offset + frame.frameBytes
      if (frame.class === recordClass) {
        const header = readHeader(bytes, offset, frame, this.#epochs)
        const isSealed = !this.#task.keys.has(header.keyId)
        if (isSealed) sealed += header.records
        else if (this.#lookAtFrame(header, bytes.subarray(offset, end), rows)) good += header.records
      }
      offset = end
    }
    this.#lookedAtBytes += ref.lineBytes
    const damaged = ref.records - good - sealed
    const name = `${recordClass} ${ref.firstSeq}`
    if ((damaged <= 0 && sealed === 0) || this.#task.told.has(name)) return
    this.#task.told.add(name)
    const times = { fromMs: ref.minTime, toMs: ref.maxTime }
    if (damaged > 0) this.#gaps.push({ reason: 'damaged', missed: damaged, ...times })
    if (sealed > 0) this.#gaps.push({ reason: 'sealed', missed: sealed, ...times })
  }

  /** False when the frame cannot be decoded. */
  #lookAtFrame(header: FrameHeader, frame: Buffer, rows: FoundRow[]): boolean {
    const { range, keys, lines, count } = this.#task
    if (header.lastSeq <= range.afterSeq || header.firstSeq >= range.beforeSeq) return true
    if (header.maxTime < range.fromMs || header.minTime > range.toMs) return true
    const ndjson = decodeFrame(header, frame, keys)
    if (ndjson === null) return false
    const take = (line: FoundLine): void => {
      const { seq, timestamp, from, to } = line
      if (count === null) rows.push({ seq, timestamp, line: ndjson.toString('utf8', from, to) })
      else count(line)
    }
    lines.find(ndjson, range, take)
    return true
  }
}

/** The extents of one class on their way through the search. */
class Lane {
  readonly class: RecordClass
  /** Found and not given yet, the next one last. */
  rows: FoundRow[] = []
  readonly #table: FrameTable
  readonly #newestFirst: boolean
  #at: number
  #horizon: number

  constructor(recordClass: RecordClass, table: FrameTable, { newestFirst, range }: SegmentTask) {
    this.class = recordClass
    this.#table = table
    this.#newestFirst = newestFirst
    this.#at = newestFirst ? table.length - 1 : 0
    this.#horizon = newestFirst ? range.beforeSeq : range.afterSeq
  }

  /** The extent that is looked at next; null when there is none. */
  get ref(): FrameRef | null {
    return this.#at >= 0 && this.#at < this.#table.length ? this.#table.at(this.#at) : null
  }

  get isDone(): boolean {
    return this.rows.length === 0 && this.ref === null
  }

  get position(): number {
    const head = this.rows.at(-1)
    if (head === undefined) return this.#horizon
    return this.#newestFirst ? head.seq + 1 : head.seq - 1
  }

  /** The next extent was looked at, and these were found. */
  pass(rows: FoundRow[]): void {
    const { ref } = this
    if (ref !== null) this.#horizon = this.#newestFirst ? ref.firstSeq : ref.lastSeq
    this.#at += this.#newestFirst ? -1 : 1
    this.rows = rows
  }
}
