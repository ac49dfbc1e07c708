import { type LinearRegex, MAX_SUBJECT_CHARS } from '../../../regex/linear-regex.ts'
import { type EnvelopeFormat, openEnvelope } from './envelope.ts'
import type { Place } from './file-place.ts'
import type { Lane } from './origin.ts'
import type { RawLine } from './splitter.ts'

/** A line put together of its parts. */
export interface Joined {
  readonly lane: Lane
  readonly text: string
  readonly cutChars: number
  /** When a container's runtime got its first part, Unix ms. */
  readonly notedAt: number | null
  /** Where its last part ends. */
  readonly place: Place
}

/** How lines of a file are put together. */
export interface JoinerOptions {
  /** The envelope of a container's runtime; null for a file of lines. */
  readonly envelope: EnvelopeFormat | null
  /** What the first line of a record looks like; null where each line is one. */
  readonly multiline: LinearRegex | null
  /** Characters that are kept of what is put together; the rest is counted. */
  readonly keepChars: number
  /** Where reading begins. */
  readonly from: Place
}

/** Something that may go on in a later line. */
interface Open {
  readonly parts: string[]
  chars: number
  cutChars: number
  readonly notedAt: number | null
  /** The place before its first part. */
  readonly before: Place
  place: Place
  lines: number
}

/** Lines in a record of several at most: one whose pattern never comes again must end somewhere. */
const MAX_LINES = 500

/**
 * Puts lines together: the parts that a container's runtime made of a long one, by stream, and records of several lines. It
 * knows from where on a file would have to be read again for what is still open.
 */
export class LineJoiner {
  readonly #options: JoinerOptions
  readonly #partial = new Map<Lane, Open>()
  readonly #group = new Map<Lane, Open>()
  #last: Place

  constructor(options: JoinerOptions) {
    this.#options = options
    this.#last = options.from
  }

  /** The place behind which nothing was handed over yet. */
  get resume(): Place {
    let earliest = this.#last
    for (const open of [...this.#partial.values(), ...this.#group.values()]) {
      if (open.before.end < earliest.end) earliest = open.before
    }
    return earliest
  }

  /** The end of the last line that was taken. */
  get last(): Place {
    return this.#last
  }

  /** Whether a record of several lines waits for its next. */
  get hasGroup(): boolean {
    return this.#group.size > 0
  }

  /** Take the next line; what is whole by it is handed over. */
  take(raw: RawLine, emit: (line: Joined) => void): void {
    const { envelope } = this.#options
    const before = this.#last
    const place: Place = { end: raw.end, check: raw.check }
    this.#last = place
    const opened = envelope === null ? null : openEnvelope(raw.text, envelope)
    if (opened === null && this.#isPlain && raw.text.length <= this.#options.keepChars) {
      emit({ lane: '', text: raw.text, cutChars: raw.cutChars, notedAt: null, place })
      return
    }
    const lane: Lane = opened?.lane ?? ''
    const text = opened === null ? raw.text : opened.text
    const open = this.#partial.get(lane) ?? openAt(before, opened?.timestamp ?? null)
    this.#append(open, text, '', raw.cutChars, place)
    if (opened?.isPartial === true) {
      this.#partial.set(lane, open)
      return
    }
    this.#partial.delete(lane)
    this.#whole(lane, open, emit)
  }

  /** Hand over records of several lines that no line followed for a while, all but their next lines being there. */
  endGroups(emit: (line: Joined) => void): void {
    for (const [lane, open] of this.#group) emit(joined(lane, open))
    this.#group.clear()
  }

  /** Nothing will follow: hand over all that is open. */
  endAll(emit: (line: Joined) => void): void {
    for (const [lane, open] of this.#partial) this.#whole(lane, open, emit)
    this.#partial.clear()
    this.endGroups(emit)
  }

  /** Whether each line is a record and nothing is open. */
  get #isPlain(): boolean {
    return this.#options.multiline === null && this.#partial.size === 0
  }

  #whole(lane: Lane, line: Open, emit: (line: Joined) => void): void {
    const { multiline } = this.#options
    if (multiline === null) {
      emit(joined(lane, line))
      return
    }
    const text = line.parts.join('')
    const group = this.#group.get(lane)
    const isFirst = multiline.test(text.slice(0, MAX_SUBJECT_CHARS)) === true
    if (group !== undefined && !isFirst && group.lines < MAX_LINES) {
      this.#append(group, text, '\n', line.cutChars, line.place)
      return
    }
    if (group !== undefined) emit(joined(lane, group))
    this.#group.set(lane, line)
  }

  #append(open: Open, text: string, between: string, cutChars: number, place: Place): void {
    const room = this.#options.keepChars - open.chars
    const added = between + text
    const kept = added.length > room ? added.slice(0, Math.max(0, room)) : added
    open.parts.push(kept)
    open.chars += kept.length
    open.cutChars += cutChars + added.length - kept.length
    open.place = place
    open.lines += 1
  }
}

function openAt(before: Place, notedAt: number | null): Open {
  return { parts: [], chars: 0, cutChars: 0, notedAt, before, place: before, lines: 0 }
}

function joined(lane: Lane, { parts, cutChars, notedAt, place }: Open): Joined {
  return { lane, text: parts.length === 1 ? (parts[0] ?? '') : parts.join(''), cutChars, notedAt, place }
}
