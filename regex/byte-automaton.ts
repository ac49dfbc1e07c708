import { RE2JS } from 're2js'

/** What RE2JS makes of a pattern while it is used: states by what was read so far, each made when it is needed first. */
interface LazyAutomaton {
  /** The pattern holds what needs more than states. */
  readonly failed: boolean
  /** Characters that no part of the pattern tells apart are of one class; behind the last class is the end of the text. */
  readonly numClasses: number
  readonly latin1Class: Int32Array
  start(input: { context(): number }, at: number): LazyState | null
  /** Null when there is no more memory for states. */
  step(state: LazyState, charClass: number, char: number, anchor: number): LazyState | null
}

interface LazyState {
  readonly isMatch: boolean
}

/** States of a pattern that are kept; one that needs more is left to the regular expression itself. */
const MOST_STATES = 1024
const FIRST_STATES = 16
const BEGIN_OF_TEXT = 4
const UNANCHORED = 0
const END_RUNE = -1
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** A symbol like a character: nothing follows. */
export const END_OF_TEXT = 0
/** No state: {@link ByteAutomaton.step} must be asked, or could not say. */
export const UNKNOWN = 0
/** The state in which the pattern was found, whatever follows. */
export const FOUND = 1

/**
 * Looks for a pattern in text of ASCII that comes as bytes and in pieces, a byte a look-up: a deterministic automaton whose
 * states are made as they are needed (Thompson 1968; Cox, "Regular Expression Matching in the Wild", 2010). It agrees with
 * `compileRegex`.
 */
export class ByteAutomaton {
  /** The state before the first character. */
  readonly start = FOUND + 1
  readonly #lazy: LazyAutomaton
  readonly #states: LazyState[]
  readonly #numbers = new Map<LazyState, number>()
  #table = new Uint16Array(FIRST_STATES * 256)

  private constructor(lazy: LazyAutomaton, first: LazyState) {
    this.#lazy = lazy
    this.#states = [first, first, first]
    this.#numbers.set(first, this.start)
  }

  /**
   * The automaton of a pattern; null when it has none.
   * @param pattern one that `compileRegex` takes
   */
  static of(pattern: string, ignoreCase: boolean): ByteAutomaton | null {
    const { re2Input } = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0)
    const { dfa: lazy } = re2Input as unknown as { readonly dfa: LazyAutomaton }
    const first = lazy.failed ? null : lazy.start({ context: () => BEGIN_OF_TEXT }, 0)
    return first === null || first.isMatch ? null : new ByteAutomaton(lazy, first)
  }

  /**
   * What is known so far: the state that follows at `state * 256 + byte`, {@link UNKNOWN} for none. Quotes and backslashes
   * are always unknown, so that whoever reads JSON comes to see them. It is another one after a {@link step}.
   */
  get table(): Uint16Array {
    return this.#table
  }

  /** The state behind an ASCII character or {@link END_OF_TEXT}; {@link UNKNOWN} when it cannot be said. */
  step(state: number, symbol: number): number {
    const at = state * 256 + slotOf(symbol)
    const known = this.#table[at] ?? UNKNOWN
    const from = this.#states[state]
    if (known !== UNKNOWN || from === undefined) return known
    const { latin1Class, numClasses } = this.#lazy
    const isEnd = symbol === END_OF_TEXT
    const charClass = isEnd ? numClasses : (latin1Class[symbol] ?? numClasses)
    const next = this.#lazy.step(from, charClass, isEnd ? END_RUNE : symbol, UNANCHORED)
    const number = next === null ? UNKNOWN : next.isMatch ? FOUND : this.#numberOf(next)
    this.#table[at] = number
    return number
  }

  #numberOf(state: LazyState): number {
    const known = this.#numbers.get(state)
    if (known !== undefined) return known
    const number = this.#states.length
    if (number >= MOST_STATES) return UNKNOWN
    this.#states.push(state)
    this.#numbers.set(state, number)
    if ((number + 1) * 256 > this.#table.length) {
      const larger = new Uint16Array(this.#table.length * 2)
      larger.set(this.#table)
      this.#table = larger
    }
    return number
  }
}

/** Where a character is in the table: quotes and backslashes at control characters that no text of JSON holds. */
function slotOf(symbol: number): number {
  return symbol === QUOTE ? 1 : symbol === BACKSLASH ? 2 : symbol
}
