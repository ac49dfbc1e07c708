import { compileRegex, type LinearRegex, MAX_SUBJECT_CHARS, type TextRange } from '../../regex/linear-regex.ts'

export type { TextRange }

/** Something that is looked for in log lines. */
export interface LogPattern {
  /** As it was typed. */
  readonly text: string
  readonly ignoreCase: boolean
  /** Whether it is anywhere in a text; of a text that is too long to be looked at, its begin counts. */
  test(text: string): boolean
  /** Where it is, at most so many times. */
  ranges(text: string, most: number): readonly TextRange[]
}

/** A pattern, or what is wrong with it. */
export type ReadPattern =
  | { readonly ok: true; readonly pattern: LogPattern }
  | { readonly ok: false; readonly message: string }

/**
 * Read a pattern as people type it: RE2 anywhere in the line. Without a capital letter it is looked for in any case
 * ("smart case", as vim and ripgrep have it). Nothing typed is no pattern.
 */
export function readPattern(text: string): ReadPattern {
  const ignoreCase = !/\p{Lu}/u.test(text.replace(/\\[pP]\{[^}]*\}|\\./g, ''))
  const compiled = compileRegex(text, { ignoreCase })
  if (!compiled.ok) {
    const named = compiled.part?.replace(/^\(\?i\)/, '') ?? ''
    const part = named === '' ? '' : `: ${named}`
    return { ok: false, message: `${compiled.message}${part}; write \\ before a character that means itself` }
  }
  const plain = /[\\^$.|?*+()[\]{}]/.test(text) ? null : ignoreCase ? text.toLowerCase() : text
  return { ok: true, pattern: new TypedPattern(text, ignoreCase, plain, compiled.regex) }
}

class TypedPattern implements LogPattern {
  readonly text: string
  readonly ignoreCase: boolean
  /** What to look for where the pattern is but a text. */
  readonly #plain: string | null
  readonly #regex: LinearRegex

  constructor(text: string, ignoreCase: boolean, plain: string | null, regex: LinearRegex) {
    this.text = text
    this.ignoreCase = ignoreCase
    this.#plain = plain
    this.#regex = regex
  }

  test(text: string): boolean {
    if (this.#plain !== null) return (this.ignoreCase ? text.toLowerCase() : text).includes(this.#plain)
    return this.#regex.test(text.slice(0, MAX_SUBJECT_CHARS)) === true
  }

  ranges(text: string, most: number): readonly TextRange[] {
    return this.#regex.ranges(text.slice(0, MAX_SUBJECT_CHARS), most)
  }
}
