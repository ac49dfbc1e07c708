import { UPSTREAM_CLASSES, type UpstreamClass } from '../../protocol/subjects.ts'
import type { Backlog, StoredRecord } from './contract.ts'
import type { FrameRef } from './frame-table.ts'
import type { Entered, Located, LogIndex } from './log-index.ts'

interface Waiting {
  cursor: number
  records: number
  bytes: number
  /** Timestamp of the oldest that waits; undefined when it has to be looked up. */
  oldestAt: number | null | undefined
  /** What waits of the extent that the cursor stands inside of, as it was counted; null before it came into one. */
  inside: Part | null
}

interface Part {
  readonly records: number
  readonly bytes: number
  readonly oldestAt: number | null
}

const NOTHING: Part = { records: 0, bytes: 0, oldestAt: null }

/** Reads the records of a class behind a sequence in an extent. */
export type ReadExtent = (place: Located, recordClass: UpstreamClass, afterSeq: number) => readonly StoredRecord[]

/**
 * What waits for one target, kept up to date by commits, acknowledgements and evictions, so that asking costs nothing.
 * Only an extent that a cursor comes to stand inside of is read, and only once.
 */
export class BacklogMeter {
  readonly #index: LogIndex
  readonly #recordsOf: ReadExtent
  readonly #waiting = new Map<UpstreamClass, Waiting>()

  constructor(index: LogIndex, recordsOf: ReadExtent, cursors: ReadonlyMap<UpstreamClass, number>) {
    this.#index = index
    this.#recordsOf = recordsOf
    for (const recordClass of UPSTREAM_CLASSES) {
      const waiting = { cursor: cursors.get(recordClass) ?? 0, records: 0, bytes: 0, oldestAt: undefined, inside: null }
      this.#waiting.set(recordClass, waiting)
      this.#countAll(recordClass, waiting)
    }
  }

  /** A frame was committed; no cursor is ahead of the log, so all of it waits. */
  added(recordClass: UpstreamClass, { ref, extentFirstSeq }: Entered): void {
    const waiting = this.#of(recordClass)
    const part = whole(ref)
    if (waiting.records === 0) waiting.oldestAt = part.oldestAt
    else if (ref.minTime < (waiting.oldestAt ?? Number.NEGATIVE_INFINITY)) waiting.oldestAt = undefined
    waiting.records += part.records
    waiting.bytes += part.bytes
    if (extentFirstSeq <= waiting.cursor) waiting.inside = sum(waiting.inside ?? NOTHING, part)
  }

  /** Records went, or lie elsewhere now: count anew. */
  recount(): void {
    for (const [recordClass, waiting] of this.#waiting) {
      waiting.oldestAt = undefined
      this.#countAll(recordClass, waiting)
    }
  }

  /** A cursor moved, forwards as a rule. */
  moved(recordClass: UpstreamClass, cursor: number): void {
    const waiting = this.#of(recordClass)
    waiting.oldestAt = undefined
    if (cursor < waiting.cursor) {
      waiting.cursor = cursor
      this.#countAll(recordClass, waiting)
      return
    }
    let inside: Part | null = null
    let place = this.#nextExtent(recordClass, waiting.cursor)
    while (place !== null && place.ref.firstSeq <= cursor) {
      const was = counted(waiting, place.ref)
      const is = this.#above(recordClass, place, cursor)
      waiting.records += is.records - was.records
      waiting.bytes += is.bytes - was.bytes
      if (isInside(place.ref, cursor)) inside = is
      place = this.#nextExtent(recordClass, place.ref.lastSeq)
    }
    waiting.cursor = cursor
    waiting.inside = inside
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
      waiting.oldestAt ??= this.#oldestAt(recordClass, waiting)
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
    waiting.inside = null
    for (const segment of this.#index.segments) {
      const table = segment.tables.get(recordClass)
      for (let position = 0; position < (table?.length ?? 0); position += 1) {
        const ref = table?.at(position)
        if (ref === undefined) continue
        const part = this.#above(recordClass, { segment, ref }, waiting.cursor)
        waiting.records += part.records
        waiting.bytes += part.bytes
        if (isInside(ref, waiting.cursor)) waiting.inside = part
      }
    }
  }

  #above(recordClass: UpstreamClass, place: Located, cursor: number): Part {
    if (!isInside(place.ref, cursor)) return cursor < place.ref.firstSeq ? whole(place.ref) : NOTHING
    let part = NOTHING
    for (const { line, timestamp } of this.#recordsOf(place, recordClass, cursor)) {
      part = sum(part, { records: 1, bytes: Buffer.byteLength(line) + 1, oldestAt: timestamp })
    }
    return part
  }

  #oldestAt(recordClass: UpstreamClass, waiting: Waiting): number | null {
    let place = this.#nextExtent(recordClass, waiting.cursor)
    while (place !== null) {
      const { oldestAt } = counted(waiting, place.ref)
      if (oldestAt !== null) return oldestAt
      place = this.#nextExtent(recordClass, place.ref.lastSeq)
    }
    return null
  }

  #nextExtent(recordClass: UpstreamClass, afterSeq: number): Located | null {
    return this.#index.next(recordClass, afterSeq, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)
  }
}

function isInside(extent: FrameRef, cursor: number): boolean {
  return cursor >= extent.firstSeq && cursor < extent.lastSeq
}

function whole(ref: FrameRef): Part {
  return { records: ref.records, bytes: ref.lineBytes, oldestAt: ref.minTime }
}

/** What an extent was counted with: never read again, so that damage that came later cannot leave a remainder. */
function counted(waiting: Waiting, extent: FrameRef): Part {
  if (isInside(extent, waiting.cursor)) return waiting.inside ?? NOTHING
  return waiting.cursor < extent.firstSeq ? whole(extent) : NOTHING
}

function sum(a: Part, b: Part): Part {
  const oldestAt =
    a.oldestAt === null || b.oldestAt === null ? (a.oldestAt ?? b.oldestAt) : Math.min(a.oldestAt, b.oldestAt)
  return { records: a.records + b.records, bytes: a.bytes + b.bytes, oldestAt }
}
