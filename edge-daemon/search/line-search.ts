import { type FilteredLine, isAtLeast, isOfSources, type LogFilter } from '../../protocol/log-filter.ts'
import type { LogLevel } from '../../protocol/records.ts'
import type { LogMatcher } from '../../regex/log-matcher.ts'
import { seqAt, timestampAt } from '../store/line.ts'
import { LineProbe } from './line-probe.ts'
import { type NeedleList, needlesOf } from './needles.ts'

/** Which records are looked at: bounds on sequence are outside, those on time (Unix ms) inside. */
export interface LineRange {
  readonly afterSeq: number
  readonly beforeSeq: number
  readonly fromMs: number
  readonly toMs: number
}

/** A line that passes: where it stands in the bytes, without its newline. */
export interface FoundLine {
  readonly seq: number
  readonly timestamp: number
  readonly level: LogLevel
  readonly from: number
  readonly to: number
}

const NEWLINE = 10
/** Letters beyond ASCII that are the same as `k` and `s` in any case: where one stands, needles say nothing. */
const ODD_FORMS = [Buffer.from('\u212a'), Buffer.from('\u017f')]
const HEAD = /^,"level":"([a-z]+)","source":"([^"\\]*)"/
const HEAD_BYTES = 400
const DIGIT_9 = 0x39
const DIGIT_0 = 0x30

/**
 * Looks for the lines of a block of kept records (NDJSON) that pass a filter. Most blocks and lines are told apart by
 * their bytes alone; what is left is parsed and held against the filter itself.
 */
export class LineSearch {
  readonly #matcher: LogMatcher | null
  readonly #lists: readonly NeedleList[]
  readonly #probe: LineProbe | null
  /** Whether level and source of a line decide. */
  readonly #isHeadEnough: boolean

  /** @param matcher null for every line */
  constructor(matcher: LogMatcher | null) {
    this.#matcher = matcher
    const filter: LogFilter = matcher?.filter ?? {}
    this.#lists = needlesOf(filter)
    this.#probe = filter.pattern === undefined ? null : LineProbe.of(filter.pattern, filter.ignoreCase === true)
    this.#isHeadEnough = filter.pattern === undefined && filter.fields === undefined
  }

  /** Report every line that is in the range and passes, in the order in which they stand. */
  find(ndjson: Buffer, range: LineRange, found: (line: FoundLine) => void): void {
    const [first, ...others] = this.#lists
    const hay = new Hay(ndjson)
    if (first === undefined || hay.isOdd(first)) {
      for (let from = 0; from < ndjson.length; ) {
        const to = lineEnd(ndjson, from)
        this.#look(ndjson, from, to, range, found)
        from = to + 1
      }
      return
    }
    if (!others.every((list) => hay.has(list, 0, ndjson.length))) return
    const finder = hay.finder(first)
    for (let from = 0; ; ) {
      const hit = finder(from)
      if (hit < 0) return
      const begin = ndjson.lastIndexOf(NEWLINE, hit) + 1
      const to = lineEnd(ndjson, hit)
      if (others.every((list) => hay.has(list, begin, to))) this.#look(ndjson, begin, to, range, found)
      from = to + 1
    }
  }

  #look(ndjson: Buffer, from: number, to: number, range: LineRange, found: (line: FoundLine) => void): void {
    if (this.#probe?.mayHold(ndjson, from, to) === false) return
    const seq = seqAt(ndjson, from)
    if (seq <= range.afterSeq || seq >= range.beforeSeq) return
    const timestamp = timestampAt(ndjson, from)
    if (timestamp < range.fromMs || timestamp > range.toMs) return
    const head = headOf(ndjson, from, to)
    if (head !== null && !this.#mayPass(head)) return
    if (head !== null && this.#isHeadEnough) {
      found({ seq, timestamp, level: head.level, from, to })
      return
    }
    const record = parsed(ndjson, from, to)
    if (record === null || (this.#matcher !== null && !this.#matcher.matches(record))) return
    found({ seq, timestamp, level: record.level, from, to })
  }

  #mayPass({ level, source }: Head): boolean {
    const { level: least, sources } = this.#matcher?.filter ?? {}
    return (least === undefined || isAtLeast(level, least)) && (sources === undefined || isOfSources(source, sources))
  }
}

type Head = Pick<FilteredLine, 'level' | 'source'>

/** Level and source as the daemon writes them, directly behind the envelope; null where they stand otherwise. */
function headOf(ndjson: Buffer, from: number, to: number): Head | null {
  let at = ndjson.indexOf(TIMESTAMP_KEY, from) + TIMESTAMP_KEY.length
  while ((ndjson[at] ?? 0) <= DIGIT_9 && (ndjson[at] ?? 0) >= DIGIT_0) at += 1
  const match = HEAD.exec(ndjson.toString('latin1', at, Math.min(to, at + HEAD_BYTES)))
  // Bytes beyond ASCII are no characters yet: then the whole line is parsed.
  return match === null || !IS_ASCII.test(match[2] ?? '')
    ? null
    : { level: match[1] as LogLevel, source: match[2] ?? '' }
}

const TIMESTAMP_KEY = Buffer.from(',"timestamp":')
const IS_ASCII = /^[\x20-\x7e]*$/

function parsed(ndjson: Buffer, from: number, to: number): FilteredLine | null {
  try {
    const record: FilteredLine = JSON.parse(ndjson.toString('utf8', from, to))
    return typeof record.msg === 'string' ? record : null
  } catch {
    return null
  }
}

function lineEnd(ndjson: Buffer, from: number): number {
  const end = ndjson.indexOf(NEWLINE, from)
  return end < 0 ? ndjson.length : end
}

/** Bytes in which needles are looked for; written in lower case once, when one in any case is wanted. */
class Hay {
  readonly #bytes: Buffer
  #lower: string | null = null
  #odd: boolean | null = null

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Whether these needles say nothing of these bytes. */
  isOdd({ ignoreCase }: NeedleList): boolean {
    if (!ignoreCase) return false
    this.#odd ??= ODD_FORMS.some((form) => this.#bytes.includes(form))
    return this.#odd
  }

  /** Whether one of some needles begins at or behind `from` and ends before `to`, or nothing can be said of it. */
  has(list: NeedleList, from: number, to: number): boolean {
    if (this.isOdd(list)) return true
    if (list.ignoreCase) {
      const part = this.#inLower().slice(from, to)
      return list.needles.some((needle) => part.includes(needle.toString('latin1')))
    }
    const part = this.#bytes.subarray(from, to)
    return list.needles.some((needle) => part.includes(needle))
  }

  /** Finds where the first of some needles begins at or behind a place that only rises; −1 for nowhere. */
  finder({ needles, ignoreCase }: NeedleList): (from: number) => number {
    const texts = needles.map((needle) => needle.toString('latin1'))
    const next = needles.map(() => -1)
    return (from) => {
      let first = Number.POSITIVE_INFINITY
      for (const [position, needle] of needles.entries()) {
        let at = next[position] ?? -1
        if (at < from) {
          at = ignoreCase ? this.#inLower().indexOf(texts[position] ?? '', from) : this.#bytes.indexOf(needle, from)
          // Where one is not found it is not looked for again.
          if (at < 0) at = Number.POSITIVE_INFINITY
          next[position] = at
        }
        first = Math.min(first, at)
      }
      return first === Number.POSITIVE_INFINITY ? -1 : first
    }
  }

  /** A character a byte, so that places are the same. */
  #inLower(): string {
    const lower = this.#lower ?? this.#bytes.toString('latin1').toLowerCase()
    this.#lower = lower
    return lower
  }
}
