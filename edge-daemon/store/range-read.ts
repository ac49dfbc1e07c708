import type { RecordClass } from '../../protocol/subjects.ts'
import type { ReadRequest, StoredRecord } from './contract.ts'
import { type FrameReader, SealedAway } from './frame-reader.ts'
import type { Located, LogIndex } from './log-index.ts'

/** Where a range read reads from. */
export interface RangeSource {
  readonly index: LogIndex
  readonly reader: FrameReader
  /** Last sequence when the read begins; what is committed later is not part of it. */
  readonly lastSeq: number
}

/**
 * Read a range, merged over its classes, one record a step; `null` steps are places to pause, one after each extent
 * that was read. Commits and evictions between steps are fine: every extent is looked up anew.
 */
export function* readRange(source: RangeSource, request: ReadRequest): Generator<StoredRecord | null> {
  const { limit, maxBytes = Number.POSITIVE_INFINITY, newestFirst = false } = request
  const streams = [...new Set(request.classes)].map((recordClass) => new ClassStream(source, recordClass, request))
  let bytes = 0
  for (let count = 0; count < limit; count += 1) {
    let first: ClassStream | null = null
    for (const stream of streams) {
      while (stream.needsExtent) {
        try {
          stream.loadExtent()
        } catch (error) {
          // What comes before a record that is sealed away can be had.
          if (count > 0 && error instanceof SealedAway) return
          throw error
        }
        yield null
      }
      const seq = stream.head?.seq
      if (seq === undefined) continue
      const best = first?.head?.seq
      if (best === undefined || (newestFirst ? seq > best : seq < best)) first = stream
    }
    const record = first?.take()
    if (record === undefined) return
    bytes += Buffer.byteLength(record.line) + 1
    if (count > 0 && bytes > maxBytes) return
    yield record
  }
}

/** The records of one class in the range, in the wanted order. */
class ClassStream {
  readonly #source: RangeSource
  readonly #class: RecordClass
  readonly #fromMs: number
  readonly #toMs: number
  readonly #newestFirst: boolean
  readonly #wholeOnly: boolean
  #afterSeq: number
  #beforeSeq: number
  #loaded: StoredRecord[] = []
  #sealedAway: SealedAway | null = null
  #ended = false

  constructor(source: RangeSource, recordClass: RecordClass, request: ReadRequest) {
    this.#source = source
    this.#class = recordClass
    this.#fromMs = request.fromMs ?? Number.NEGATIVE_INFINITY
    this.#toMs = request.toMs ?? Number.POSITIVE_INFINITY
    this.#newestFirst = request.newestFirst ?? false
    this.#wholeOnly = request.wholeOnly ?? false
    this.#afterSeq = request.afterSeq ?? 0
    this.#beforeSeq = Math.min(request.throughSeq ?? source.lastSeq, source.lastSeq) + 1
  }

  get needsExtent(): boolean {
    return this.#loaded.length === 0 && !this.#ended
  }

  get head(): StoredRecord | undefined {
    return this.#loaded.at(-1)
  }

  take(): StoredRecord | undefined {
    return this.#loaded.pop()
  }

  #recordsOf(reader: FrameReader, place: Located): readonly StoredRecord[] {
    const range = { afterSeq: this.#afterSeq, beforeSeq: this.#beforeSeq, wholeOnly: this.#wholeOnly }
    try {
      return reader.records(place, this.#class, range)
    } catch (error) {
      if (!(error instanceof SealedAway) || this.#newestFirst || error.before.length === 0) throw error
      this.#sealedAway = error
      return error.before
    }
  }

  /** Load the next extent that may hold records of the range; `#loaded` is kept with the next record last. */
  loadExtent(): void {
    if (this.#sealedAway !== null) throw this.#sealedAway
    const { index, reader } = this.#source
    const place = this.#newestFirst
      ? index.previous(this.#class, this.#beforeSeq, this.#fromMs, this.#toMs)
      : index.next(this.#class, this.#afterSeq, this.#fromMs, this.#toMs)
    const outside = place === null || place.ref.firstSeq >= this.#beforeSeq || place.ref.lastSeq <= this.#afterSeq
    if (outside) {
      this.#ended = true
      return
    }
    this.#loaded = this.#recordsOf(reader, place).filter(
      ({ timestamp }) => timestamp >= this.#fromMs && timestamp <= this.#toMs,
    )
    if (this.#newestFirst) {
      this.#beforeSeq = place.ref.firstSeq
    } else {
      this.#loaded.reverse()
      this.#afterSeq = place.ref.lastSeq
    }
  }
}
