import { ByteAutomaton, END_OF_TEXT, FOUND, UNKNOWN } from '../../regex/byte-automaton.ts'
import { MAX_LOG_TEXT_CHARS } from '../../regex/log-matcher.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COMMA = 0x2c
const CLOSE = 0x7d
const SPACE = 0x20
const EQUALS = 0x3d
const FIRST_BEYOND = 0x80

const SEQ = Buffer.from('{"seq":')
const NODE = Buffer.from(',"node_id":"')
const TIMESTAMP = Buffer.from('","timestamp":')
const LEVEL = Buffer.from(',"level":"')
const SOURCE = Buffer.from('","source":"')
const MSG = Buffer.from('","msg":"')
const FIELDS = Buffer.from(',"fields":{')
const ORIGIN = Buffer.from(',"origin":"')
const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word))
/** What stands for a character behind a backslash; 0 for what is written as a number. */
const ESCAPED = new Uint8Array(256)
for (const [char, code] of Object.entries({ '"': 0x22, '\\': 0x5c, '/': 0x2f, b: 8, f: 12, n: 10, r: 13, t: 9 })) {
  ESCAPED[char.charCodeAt(0)] = code
}

/**
 * Tells of lines by their bytes alone, without parsing or making a text of them, that a pattern is not found in their
 * `logText`: most lines are ASCII and written as the daemon writes them. Of all others it says nothing.
 */
export class LineProbe {
  readonly #automaton: ByteAutomaton
  #state: number
  /** How far the line was read. */
  #at = 0
  #isGivenUp = false

  private constructor(automaton: ByteAutomaton) {
    this.#automaton = automaton
    this.#state = automaton.start
  }

  /** The probe of a pattern that `compileLogFilter` takes; null when nothing can be said of it so. */
  static of(pattern: string, ignoreCase: boolean): LineProbe | null {
    const automaton = ByteAutomaton.of(pattern, ignoreCase)
    return automaton === null ? null : new LineProbe(automaton)
  }

  /** Whether the pattern may be found in the line between two places, both at the edge of a line. */
  mayHold(ndjson: Buffer, from: number, to: number): boolean {
    if (this.#isGivenUp || to - from > MAX_LOG_TEXT_CHARS) return true
    this.#state = this.#automaton.start
    return !(this.#head(ndjson, from) && this.#text(ndjson) && this.#behindMsg(ndjson) && this.#char(END_OF_TEXT))
  }

  /** Pass over all that stands before the message. */
  #head(ndjson: Buffer, from: number): boolean {
    this.#at = from
    return (
      this.#passes(ndjson, SEQ) &&
      this.#digits(ndjson) &&
      this.#passes(ndjson, NODE) &&
      this.#toQuote(ndjson) &&
      this.#passes(ndjson, TIMESTAMP) &&
      this.#digits(ndjson) &&
      this.#passes(ndjson, LEVEL) &&
      this.#toQuote(ndjson) &&
      this.#passes(ndjson, SOURCE) &&
      this.#toQuote(ndjson) &&
      this.#passes(ndjson, MSG)
    )
  }

  /** Fields, and that there are none behind what else a line may hold. */
  #behindMsg(ndjson: Buffer): boolean {
    this.#at += 1
    if (ndjson[this.#at] === CLOSE) return true
    if (this.#passes(ndjson, FIELDS)) return this.#fields(ndjson)
    return this.#passes(ndjson, ORIGIN) && this.#toQuote(ndjson) && ndjson[this.#at + 1] === CLOSE
  }

  #fields(ndjson: Buffer): boolean {
    if (ndjson[this.#at] === CLOSE) return true
    for (;;) {
      if (ndjson[this.#at] !== QUOTE || !this.#char(SPACE)) return false
      this.#at += 1
      if (!this.#text(ndjson) || !this.#char(EQUALS)) return false
      this.#at += 2
      if (!this.#value(ndjson)) return false
      const behind = ndjson[this.#at]
      this.#at += 1
      if (behind === CLOSE) return true
      if (behind !== COMMA) return false
    }
  }

  #value(ndjson: Buffer): boolean {
    const first = ndjson[this.#at] ?? 0
    if (first === QUOTE) {
      this.#at += 1
      if (!this.#text(ndjson)) return false
      this.#at += 1
      return true
    }
    if (isOfNumber(first)) {
      // Written by the daemon out of a number, so that it is what the number is as a text.
      for (let code = first; isOfNumber(code); code = ndjson[this.#at] ?? 0) {
        if (!this.#char(code)) return false
        this.#at += 1
      }
      return true
    }
    for (const word of WORDS) {
      if (word[0] === first && this.#passes(ndjson, word)) return word.every((code) => this.#char(code))
    }
    return false
  }

  /** Read a text of JSON to the quote behind it. False when the pattern was found, or nothing can be said. */
  #text(ndjson: Buffer): boolean {
    const automaton = this.#automaton
    let { table } = automaton
    let state = this.#state
    for (let at = this.#at; ; at += 1) {
      const byte = ndjson[at]
      if (byte === undefined) return false
      let next = table[state * 256 + byte] as number
      if (next <= FOUND) {
        let symbol = byte
        if (byte === QUOTE) {
          this.#state = state
          this.#at = at
          return true
        }
        if (byte === BACKSLASH) {
          at += 1
          symbol = ESCAPED[ndjson[at] ?? 0] as number
        }
        if (symbol === 0 || symbol >= FIRST_BEYOND) return false
        next = automaton.step(state, symbol)
        table = automaton.table
        if (next <= FOUND) return this.#ended(next)
      }
      state = next
    }
  }

  /** Read one more character of the text. As {@link #text}. */
  #char(symbol: number): boolean {
    const next = this.#automaton.step(this.#state, symbol)
    // Whether the text ends without the pattern is all that is asked at its end.
    if (next <= FOUND) return this.#ended(next)
    this.#state = next
    return true
  }

  #ended(state: number): false {
    if (state === UNKNOWN) this.#isGivenUp = true
    return false
  }

  #passes(ndjson: Buffer, expected: Buffer): boolean {
    for (let at = 0; at < expected.length; at += 1) if (ndjson[this.#at + at] !== expected[at]) return false
    this.#at += expected.length
    return true
  }

  #digits(ndjson: Buffer): boolean {
    const from = this.#at
    for (let code = ndjson[this.#at] ?? 0; code >= ZERO && code <= NINE; code = ndjson[this.#at] ?? 0) this.#at += 1
    return this.#at > from
  }

  /** Pass over a text that needs no look, up to the quote behind it. */
  #toQuote(ndjson: Buffer): boolean {
    for (; ; this.#at += 1) {
      const byte = ndjson[this.#at]
      if (byte === QUOTE) return true
      if (byte === undefined || byte === BACKSLASH) return false
    }
  }
}

function isOfNumber(code: number): boolean {
  return (code >= ZERO && code <= NINE) || code === MINUS || code === DOT
}
