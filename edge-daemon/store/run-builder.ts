import type { RecordClass } from '../../protocol/subjects.ts'
import type { RunRequest, StoredRun } from './contract.ts'
import type { FrameHeader } from './frame.ts'
import { seqAt, timestampAt } from './line.ts'

const NEWLINE = 0x0a

/** Puts together a {@link StoredRun} from the NDJSON of frames, whole frames as they are and others cut between lines. */
export class RunBuilder {
  readonly #class: RecordClass
  readonly #beforeSeq: number
  readonly #limit: number
  readonly #maxBytes: number
  readonly #parts: Buffer[] = []
  readonly #timestamps: number[] = []
  #afterSeq: number
  #bytes = 0
  #epoch: string | null = null
  #firstSeq = 0
  #isFull = false

  constructor(request: RunRequest) {
    this.#class = request.class
    this.#afterSeq = request.afterSeq
    this.#beforeSeq = (request.throughSeq ?? Number.MAX_SAFE_INTEGER) + 1
    this.#limit = request.limit
    this.#maxBytes = request.maxBytes
  }

  /** Nothing more fits, or what came next does not belong to it. */
  get isFull(): boolean {
    return this.#isFull
  }

  get isEmpty(): boolean {
    return this.#timestamps.length === 0
  }

  /** Add what is wanted of a frame that follows those before; false when its lines are not as its header says. */
  add(header: FrameHeader, ndjson: Buffer): boolean {
    const starts = lineStarts(ndjson, header.records)
    if (starts === null) return false
    if (this.#epoch !== null && this.#epoch !== header.epoch) {
      this.#isFull = true
      return true
    }
    let begin: number | null = null
    let end = 0
    for (const [line, start] of starts.entries()) {
      const seq = seqAt(ndjson, start)
      if (seq <= this.#afterSeq) continue
      const next = starts[line + 1] ?? ndjson.length
      const isTooMuch = !this.isEmpty && this.#bytes + next - (begin ?? start) > this.#maxBytes
      if (seq >= this.#beforeSeq || this.#timestamps.length >= this.#limit || isTooMuch) {
        this.#isFull = true
        break
      }
      if (this.isEmpty) this.#firstSeq = seq
      begin ??= start
      end = next
      this.#epoch = header.epoch
      this.#afterSeq = seq
      this.#timestamps.push(timestampAt(ndjson, start))
    }
    if (begin !== null) {
      this.#parts.push(ndjson.subarray(begin, end))
      this.#bytes += end - begin
    }
    return true
  }

  /** The run so far; null when nothing was added. */
  build(): StoredRun | null {
    if (this.#epoch === null) return null
    const ndjson = new Uint8Array(this.#bytes)
    let at = 0
    for (const part of this.#parts) {
      ndjson.set(part, at)
      at += part.length
    }
    const { firstSeq, lastSeq } = { firstSeq: this.#firstSeq, lastSeq: this.#afterSeq }
    const timestamps = Float64Array.from(this.#timestamps)
    return { class: this.#class, epoch: this.#epoch, firstSeq, lastSeq, ndjson, timestamps }
  }
}

/** Where each line begins; null when there are not `count` whole ones. */
function lineStarts(ndjson: Buffer, count: number): number[] | null {
  const starts: number[] = []
  let at = 0
  while (at < ndjson.length) {
    starts.push(at)
    const end = ndjson.indexOf(NEWLINE, at)
    if (end < 0) return null
    at = end + 1
  }
  return starts.length === count ? starts : null
}
