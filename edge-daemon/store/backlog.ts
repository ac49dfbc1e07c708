import { UPSTREAM_CLASSES, type UpstreamClass } from '../../protocol/subjects.ts'
import type { Backlog, StoredRecord } from './contract.ts'
import type { FrameRef } from './frame-table.ts'
import type { Located, LogIndex, Segment } from './log-index.ts'

interface Waiting {
  cursor: number
  records: number
  bytes: number
  /** Timestamp of the oldest that waits; undefined when it has to be looked up. */
  oldestAt: number | null | undefined
}

interface Part {
  readonly records: number
  readonly bytes: number
  readonly oldestAt: number | null
}

const NOTHING: Part = { records: 0, bytes: 0, oldestAt: null }

/**
 * What waits for one target, kept up to date by commits, acknowledgements and evictions, so that asking costs nothing.
 * Only a frame that a cursor stands inside of is ever read.
 */
export class BacklogMeter {
  readonly #index: LogIndex
  readonly #recordsOf: (place: Located, recordClass: UpstreamClass) => readonly StoredRecord[]
  readonly #waiting = new Map<UpstreamClass, Waiting>()

  constructor(
    index: LogIndex,
    recordsOf: (place: Located, recordClass: UpstreamClass) => readonly StoredRecord[],
    cursors: ReadonlyMap<UpstreamClass, number>,
  ) {
    this.#index = index
    this.#recordsOf = recordsOf
    for (const recordClass of UPSTREAM_CLASSES) {
      const waiting = { cursor: cursors.get(recordClass) ?? 0, records: 0, bytes: 0, oldestAt: undefined }
      this.#waiting.set(recordClass, waiting)
      this.#countAll(recordClass, waiting)
    }
  }

  /** A frame was committed. */
  added(recordClass: UpstreamClass, place: Located): void {
    const waiting = this.#of(recordClass)
    const part = this.#above(recordClass, place, waiting.cursor)
    if (waiting.records === 0 && part.records > 0) waiting.oldestAt = part.oldestAt
    waiting.records += part.records
    waiting.bytes += part.bytes
  }

  /** Count what waits in a segment that is about to be removed; call the result once it is. */
  waitingIn(segment: Segment): () => void {
    const parts: { waiting: Waiting; part: Part }[] = []
    for (const recordClass of UPSTREAM_CLASSES) {
      const waiting = this.#of(recordClass)
      const table = segment.tables.get(recordClass)
      for (let position = 0; position < (table?.length ?? 0); position += 1) {
        const ref = table?.at(position)
        if (ref !== undefined) parts.push({ waiting, part: this.#above(recordClass, { segment, ref }, waiting.cursor) })
      }
    }
    return () => {
      for (const { waiting, part } of parts) {
        this.#subtract(waiting, part)
        waiting.oldestAt = undefined
      }
    }
  }

  /** A cursor moved, forwards as a rule. */
  moved(recordClass: UpstreamClass, cursor: number): void {
    const waiting = this.#of(recordClass)
    const before = waiting.cursor
    waiting.cursor = cursor
    waiting.oldestAt = undefined
    if (cursor < before) {
      this.#countAll(recordClass, waiting)
      return
    }
    let place = this.#index.next(recordClass, before, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)
    while (place !== null && place.ref.firstSeq <= cursor) {
      const was = this.#above(recordClass, place, before)
      const is = this.#above(recordClass, place, cursor)
      this.#subtract(waiting, { ...was, records: was.records - is.records, bytes: was.bytes - is.bytes })
      place = this.#nextFrame(recordClass, place.ref)
    }
  }

  /** @see Backlog */
  read(): Backlog {
    const byClass = {} as Record<UpstreamClass, number>
    let records = 0
    let bytes = 0
    let oldestAt: number | null = null
    for (const recordClass of UPSTREAM_CLASSES) {
      const waiting = this.#of(recordClass)
      byClass[recordClass] = waiting.records
      records += waiting.records
      bytes += waiting.bytes
      if (waiting.records === 0) continue
      waiting.oldestAt ??= this.#oldestAt(recordClass, waiting.cursor)
      if (waiting.oldestAt !== null) oldestAt = Math.min(oldestAt ?? waiting.oldestAt, waiting.oldestAt)
    }
    return { records, bytes, oldestAt, byClass }
  }

  #of(recordClass: UpstreamClass): Waiting {
    const waiting = this.#waiting.get(recordClass)
    if (waiting === undefined) throw new RangeError(`${recordClass} does not travel upstream`)
    return waiting
  }

  #countAll(recordClass: UpstreamClass, waiting: Waiting): void {
    waiting.records = 0
    waiting.bytes = 0
    for (const segment of this.#index.segments) {
      const table = segment.tables.get(recordClass)
      for (let position = 0; position < (table?.length ?? 0); position += 1) {
        const ref = table?.at(position)
        if (ref === undefined) continue
        const part = this.#above(recordClass, { segment, ref }, waiting.cursor)
        waiting.records += part.records
        waiting.bytes += part.bytes
      }
    }
  }

  #above(recordClass: UpstreamClass, place: Located, cursor: number): Part {
    const { ref } = place
    if (cursor >= ref.lastSeq) return NOTHING
    if (cursor < ref.firstSeq) return { records: ref.records, bytes: ref.lineBytes, oldestAt: ref.minTime }
    let records = 0
    let bytes = 0
    let oldestAt: number | null = null
    for (const { seq, line, timestamp } of this.#recordsOf(place, recordClass)) {
      if (seq <= cursor) continue
      records += 1
      bytes += Buffer.byteLength(line) + 1
      oldestAt = Math.min(oldestAt ?? timestamp, timestamp)
    }
    return { records, bytes, oldestAt }
  }

  #oldestAt(recordClass: UpstreamClass, cursor: number): number | null {
    const place = this.#index.next(recordClass, cursor, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)
    return place === null ? null : this.#above(recordClass, place, cursor).oldestAt
  }

  #nextFrame(recordClass: UpstreamClass, ref: FrameRef): Located | null {
    return this.#index.next(recordClass, ref.lastSeq, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)
  }

  #subtract(waiting: Waiting, part: Part): void {
    waiting.records -= part.records
    waiting.bytes -= part.bytes
  }
}
