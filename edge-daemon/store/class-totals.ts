import type { RecordClass } from '../../protocol/subjects.ts'
import type { FrameHeader } from './frame.ts'
import type { FrameTable } from './frame-table.ts'

/** What is kept of one class. */
export interface ClassTotal {
  readonly records: number
  /** Bytes of its frames, headers included. */
  readonly bytes: number
  /** Earliest timestamp among them, Unix ms; null when nothing is kept. */
  readonly oldestAt: number | null
}

/** What a segment holds, by class. */
interface Segment {
  readonly tables: ReadonlyMap<RecordClass, FrameTable>
}

interface Total {
  records: number
  bytes: number
  /** Undefined when it has to be looked up. */
  oldestAt: number | null | undefined
}

const NOTHING: ClassTotal = { records: 0, bytes: 0, oldestAt: null }

/** Sums over the segments by class, kept up to date so that asking costs nothing. */
export class ClassTotals {
  readonly #segments: readonly Segment[]
  readonly #totals = new Map<RecordClass, Total>()

  /** @param segments the list of the index, which goes on changing */
  constructor(segments: readonly Segment[]) {
    this.#segments = segments
    for (const segment of segments) this.came(segment)
  }

  of(recordClass: RecordClass): ClassTotal {
    const total = this.#totals.get(recordClass)
    if (total === undefined || total.records === 0) return NOTHING
    total.oldestAt ??= this.#oldestAt(recordClass)
    return { records: total.records, bytes: total.bytes, oldestAt: total.oldestAt }
  }

  /** A frame was appended. */
  entered({ class: recordClass, records, minTime }: FrameHeader, frameBytes: number): void {
    const total = this.#open(recordClass)
    if (total.records === 0) total.oldestAt = minTime
    else if (total.oldestAt != null && minTime < total.oldestAt) total.oldestAt = minTime
    total.records += records
    total.bytes += frameBytes
  }

  /** A whole segment came. */
  came(segment: Segment): void {
    this.#change(segment, 1)
  }

  /** A whole segment went. */
  left(segment: Segment): void {
    this.#change(segment, -1)
  }

  #change(segment: Segment, sign: 1 | -1): void {
    for (const [recordClass, table] of segment.tables) {
      const total = this.#open(recordClass)
      total.records += sign * table.records
      total.bytes += sign * table.frameBytes
      total.oldestAt = undefined
    }
  }

  #open(recordClass: RecordClass): Total {
    const known = this.#totals.get(recordClass)
    if (known !== undefined) return known
    const total: Total = { records: 0, bytes: 0, oldestAt: undefined }
    this.#totals.set(recordClass, total)
    return total
  }

  #oldestAt(recordClass: RecordClass): number | null {
    let oldest = Number.POSITIVE_INFINITY
    for (const { tables } of this.#segments) oldest = Math.min(oldest, tables.get(recordClass)?.minTime ?? oldest)
    return Number.isFinite(oldest) ? oldest : null
  }
}
