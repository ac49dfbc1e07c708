import type { RecordClass } from '../../protocol/subjects.ts'
import { ClassTotals } from './class-totals.ts'
import type { FrameHeader } from './frame.ts'
import { type FrameRef, FrameTable } from './frame-table.ts'

/** A frame that was entered, and the first sequence of the extent that it is now part of. */
export interface Entered {
  readonly ref: FrameRef
  readonly extentFirstSeq: number
}

/** What of a segment is sealed under one key, or plain under key 0. */
export interface KeyUse {
  blocks: number
  firstSeq: number
  lastSeq: number
  readonly records: Partial<Record<RecordClass, number>>
  /** The first of its frames. */
  readonly sample: { readonly offset: number; readonly bytes: number }
}
/** What the name of a segment file says. */
export type SegmentName = Pick<Segment, 'startSeq' | 'generation' | 'throughSeq'>

/** One segment file and the extents in it. */
export class Segment {
  path: string
  /** Sequence the segment begins with, by its name. */
  readonly startSeq: number
  /** Rises when a segment of the same name had to be given up. */
  readonly generation: number
  /** Bytes up to the end of the last good frame. */
  bytes = 0
  /** Last sequence that it stands for, by its name, when it was rewritten; null for one that was written as records came. */
  readonly throughSeq: number | null
  /** Classes of which a ledger record already says that they go from here. */
  readonly noted = new Set<RecordClass>()
  /** When it was begun and last written to, in ms of a clock that never goes back; below zero for what earlier runs wrote. */
  begunAtMs = 0
  writtenAtMs = 0
  /** The highest sequence in it and the epoch of that; null while it holds none. */
  end: { readonly lastSeq: number; readonly epoch: string } | null = null
  /** Bytes among its frames, or behind them, were no good when it was read. */
  isDamaged = false
  /** Behind its frames lies what is left of answered records: it is not written over, and may be readable another time. */
  keepsTail = false
  readonly tables = new Map<RecordClass, FrameTable>()
  /** What is sealed under which key, by its number. */
  readonly keys = new Map<number, KeyUse>()
  #joinFrom = 0

  constructor(path: string, { startSeq, generation, throughSeq }: SegmentName) {
    this.path = path
    this.startSeq = startSeq
    this.generation = generation
    this.throughSeq = throughSeq
  }

  /** Enter a frame that lies at `offset`. */
  add(header: FrameHeader, offset: number, frameBytes: number): Entered {
    const { firstSeq, lastSeq, minTime, maxTime, records, lineBytes } = header
    const ref = { offset, bytes: frameBytes, firstSeq, lastSeq, minTime, maxTime, records, lineBytes }
    let table = this.tables.get(header.class)
    if (table === undefined) {
      table = new FrameTable()
      this.tables.set(header.class, table)
    }
    this.#countKey(header, offset, frameBytes)
    if (this.end === null || lastSeq > this.end.lastSeq) this.end = { lastSeq, epoch: header.epoch }
    return { ref, extentFirstSeq: table.add(ref, this.#joinFrom) }
  }

  /** Let no extent reach over the bytes before `offset`: they are damaged, and known. */
  breakExtents(offset: number): void {
    this.#joinFrom = offset
  }

  #countKey(header: FrameHeader, offset: number, bytes: number): void {
    const { keyId, firstSeq, lastSeq } = header
    let use = this.keys.get(keyId)
    if (use === undefined) {
      use = { blocks: 0, firstSeq, lastSeq, records: {}, sample: { offset, bytes } }
      this.keys.set(keyId, use)
    }
    use.blocks += 1
    use.firstSeq = Math.min(use.firstSeq, firstSeq)
    use.lastSeq = Math.max(use.lastSeq, lastSeq)
    use.records[header.class] = (use.records[header.class] ?? 0) + header.records
  }

  /** Records by class and the range of their sequences; nulls when it holds none. */
  summary(): { records: Partial<Record<RecordClass, number>>; firstSeq: number | null; lastSeq: number | null } {
    const records: Partial<Record<RecordClass, number>> = {}
    let firstSeq: number | null = null
    let lastSeq: number | null = null
    for (const [recordClass, table] of this.tables) {
      if (table.length === 0) continue
      records[recordClass] = table.records
      const first = table.at(0).firstSeq
      const last = table.at(table.length - 1).lastSeq
      firstSeq = Math.min(firstSeq ?? first, first)
      lastSeq = Math.max(lastSeq ?? last, last)
    }
    return { records, firstSeq, lastSeq }
  }
}

/** A frame or an extent, and the segment that holds it. */
export interface Located {
  readonly segment: Segment
  readonly ref: FrameRef
}

/** The index of the log in memory: segments, oldest first, and their extents; rebuilt from the headers at start. */
export class LogIndex {
  readonly segments: Segment[]
  bytes = 0
  records = 0
  /** What is kept of each class. */
  readonly totals: ClassTotals

  constructor(segments: readonly Segment[]) {
    this.segments = [...segments]
    this.totals = new ClassTotals(this.segments)
    for (const segment of segments) {
      this.bytes += segment.bytes
      this.records += recordsIn(segment)
    }
  }

  /** Account for a frame that was just appended to a segment. */
  append(segment: Segment, header: FrameHeader, frameBytes: number): Entered {
    const entered = segment.add(header, segment.bytes, frameBytes)
    segment.bytes += frameBytes
    this.bytes += frameBytes
    this.records += header.records
    this.totals.entered(header, frameBytes)
    return entered
  }

  /** Forget a segment with all it holds. */
  remove(segment: Segment): void {
    const position = this.segments.indexOf(segment)
    if (position < 0) return
    this.segments.splice(position, 1)
    this.bytes -= segment.bytes
    this.records -= recordsIn(segment)
    this.totals.left(segment)
  }

  /** Put a rewritten segment in the place of neighbours that it was made of. */
  replace(sources: readonly Segment[], rewritten: Segment): void {
    const position = this.segments.indexOf(sources[0] ?? rewritten)
    for (const source of sources) this.remove(source)
    this.segments.splice(position, 0, rewritten)
    this.bytes += rewritten.bytes
    this.records += recordsIn(rewritten)
    this.totals.came(rewritten)
  }

  /** Lowest sequence that is still kept; null when nothing is. */
  firstSeq(): number | null {
    for (const segment of this.segments) {
      const { firstSeq } = segment.summary()
      if (firstSeq !== null) return firstSeq
    }
    return null
  }

  /** The first extent of a class with a record after `seq` that may hold a time in the range. */
  next(recordClass: RecordClass, seq: number, fromMs: number, toMs: number): Located | null {
    // Segments that begin at or before the wanted record: the last of them may hold it, those before it cannot.
    let position = this.#lastStartingAtOrBefore(seq + 1)
    for (; position < this.segments.length; position += 1) {
      const segment = this.segments[position]
      const ref = segment?.tables.get(recordClass)?.next(seq, fromMs, toMs)
      if (segment !== undefined && ref != null) return { segment, ref }
    }
    return null
  }

  /** The last extent of a class with a record before `seq` that may hold a time in the range. */
  previous(recordClass: RecordClass, seq: number, fromMs: number, toMs: number): Located | null {
    for (let position = this.#lastStartingAtOrBefore(seq - 1); position >= 0; position -= 1) {
      const segment = this.segments[position]
      const ref = segment?.tables.get(recordClass)?.previous(seq, fromMs, toMs)
      if (segment !== undefined && ref != null) return { segment, ref }
    }
    return null
  }

  #lastStartingAtOrBefore(seq: number): number {
    let low = 0
    let high = this.segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.segments[middle]?.startSeq ?? Number.POSITIVE_INFINITY) > seq) high = middle
      else low = middle + 1
    }
    return Math.max(0, low - 1)
  }
}

function recordsIn(segment: Segment): number {
  let records = 0
  for (const table of segment.tables.values()) records += table.records
  return records
}
