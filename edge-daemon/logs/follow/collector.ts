import { type PackedRecords, packed } from '../../store/packed-records.ts'
import { bodyJson } from './body-json.ts'
import type { Place } from './file-place.ts'
import type { Draft } from './record-maker.ts'

/** Records that go to the store in one call. */
export interface Batch {
  readonly number: number
  readonly records: PackedRecords
}

/** Something whose progress is kept with records: a file, or the journal. */
export interface Progress {
  /** What was handed over is kept: up to these marks, and everything before `from`. */
  advance(from: Place | null, marks: ReadonlyMap<string, Place>): void
}

interface Waiting {
  readonly records: number
  readonly advances: Map<Progress, { from: Place | null; readonly marks: Map<string, Place> }>
}

/** Characters and records from which on a batch is sent; calls that wait at the same time. */
const BATCH_CHARS = 1024 * 1024
const BATCH_RECORDS = 5000
const MAX_WAITING = 2

/**
 * Gathers records into calls of the store, and lets what they come from go on only by what is kept: the progress that was
 * noted with a call is made when the call, and all before it, is answered.
 */
export class Collector {
  readonly #send: (batch: Batch) => void
  #classes: Draft['class'][] = []
  #timestamps: number[] = []
  #bodies: string[] = []
  #chars = 0
  #advances: Waiting['advances'] = new Map()
  readonly #waiting = new Map<number, Waiting>()
  #next = 1
  #seq: number

  /** @param seq sequence up to which all is told of where this begins */
  constructor(send: (batch: Batch) => void, seq: number) {
    this.#send = send
    this.#seq = seq
  }

  /** Records of the store up to this sequence are in the progress that was made. */
  get seq(): number {
    return this.#seq
  }

  /** Whether more may be gathered now: not while calls wait. */
  get hasRoom(): boolean {
    return this.#waiting.size < MAX_WAITING
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#bodies.length === 0
  }

  /** Names what was added so far, for {@link isPast}. */
  mark(): number {
    return this.#next
  }

  /** Whether all that was added before a mark is kept. */
  isPast(mark: number): boolean {
    if (this.#bodies.length > 0 && mark >= this.#next) return false
    return [...this.#waiting.keys()].every((number) => number > mark)
  }

  /** Add a record, and what is kept once it is. Sends when there is enough for a call. */
  add(draft: Draft, progress: Progress, key: string, place: Place): void {
    const body = bodyJson(draft.body, draft.isBare)
    this.#classes.push(draft.class)
    this.#timestamps.push(draft.timestamp)
    this.#bodies.push(body)
    this.#chars += body.length
    this.#of(progress).marks.set(key, place)
    if (this.#chars >= BATCH_CHARS || this.#bodies.length >= BATCH_RECORDS) this.flush()
  }

  /** Everything that stands before a place is in what was added so far. */
  resumeAt(progress: Progress, from: Place): void {
    this.#of(progress).from = from
  }

  /** Send what was gathered. */
  flush(): void {
    const advances = this.#advances
    if (this.#bodies.length === 0) {
      // Lines that need no record: with the newest call that waits, or now.
      if (this.#waiting.size === 0) {
        make(advances)
        this.#advances = new Map()
      }
      return
    }
    const number = this.#next
    this.#next += 1
    this.#waiting.set(number, { records: this.#bodies.length, advances })
    const batch = { number, records: packed(this.#classes, this.#timestamps, this.#bodies) }
    this.#classes = []
    this.#timestamps = []
    this.#bodies = []
    this.#chars = 0
    this.#advances = new Map()
    this.#send(batch)
  }

  /** The store keeps a call, up to a sequence. Returns how many records that were. */
  kept(number: number, seq: number): number {
    const waiting = this.#waiting.get(number)
    if (waiting === undefined) return 0
    this.#waiting.delete(number)
    make(waiting.advances)
    this.#seq = Math.max(this.#seq, seq)
    return waiting.records
  }

  #of(progress: Progress): { from: Place | null; readonly marks: Map<string, Place> } {
    let advance = this.#advances.get(progress)
    if (advance === undefined) {
      advance = { from: null, marks: new Map() }
      this.#advances.set(progress, advance)
    }
    return advance
  }
}

function make(advances: Waiting['advances']): void {
  for (const [progress, { from, marks }] of advances) progress.advance(from, marks)
}
