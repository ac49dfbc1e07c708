import { RE2JS, RE2JSException, RE2JSSyntaxException } from 're2js'

/** Longest pattern, characters. */
export const MAX_PATTERN_CHARS = 256
/** Largest compiled pattern, instructions: `[a-z]{200}` has some 200. Time is this times the length of the text, at worst. */
export const MAX_PATTERN_SIZE = 512
/** Longest text that is looked at, characters. */
export const MAX_SUBJECT_CHARS = 16_384

/** A regular expression that costs time in proportion to the text, whatever the text (RE2, Cox 2007). */
export interface LinearRegex {
  /** Instructions of the compiled pattern: a test costs this times the length of the text, at worst. */
  readonly size: number
  /** Whether it is found anywhere in the text; null when the text is longer than it was compiled for. */
  test(text: string): boolean | null
  /** Where it is found, first to last without overlaps, at most so many; empty when the text is longer than it was compiled for. */
  ranges(text: string, most: number): TextRange[]
}

/** A stretch of a text in code units, `to` not included; never empty. */
export interface TextRange {
  readonly from: number
  readonly to: number
}

/** How a pattern is to be used. */
export interface RegexUse {
  /** Longest text that is looked at, characters; {@link MAX_SUBJECT_CHARS} when it is left out. */
  readonly maxSubjectChars?: number
  readonly ignoreCase?: boolean
}

/** Outcome of compiling; `part` is the piece of the pattern that is wrong, where it is one. */
export type CompiledRegex =
  | { readonly ok: true; readonly regex: LinearRegex }
  | { readonly ok: false; readonly message: string; readonly part: string | null }

/**
 * Compile a regular expression in RE2's syntax: no look-around and no back references, which cannot be matched in linear time.
 * The host's own expressions backtrack, and one message can hold them for minutes: nothing that runs on what others wrote
 * may use them with a pattern that somebody else wrote. Never throws.
 */
export function compileRegex(
  pattern: string,
  { maxSubjectChars = MAX_SUBJECT_CHARS, ignoreCase = false }: RegexUse = {},
): CompiledRegex {
  if (pattern.length > MAX_PATTERN_CHARS) {
    return { ok: false, message: `a pattern of ${pattern.length} characters is over ${MAX_PATTERN_CHARS}`, part: null }
  }
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    if (!(error instanceof RE2JSSyntaxException)) return { ok: false, message: error.message, part: null }
    return { ok: false, message: error.getDescription(), part: error.getPattern() }
  }
  const size = compiled.programSize()
  if (size > MAX_PATTERN_SIZE) {
    return { ok: false, message: 'the pattern becomes too large when its repetitions are written out', part: null }
  }
  return {
    ok: true,
    regex: {
      size,
      test: (text) => (text.length > maxSubjectChars ? null : compiled.test(text)),
      ranges: (text, most) => (text.length > maxSubjectChars ? [] : rangesOf(compiled, text, most)),
    },
  }
}

function rangesOf(compiled: RE2JS, text: string, most: number): TextRange[] {
  const found: TextRange[] = []
  const matcher = compiled.matcher(text)
  while (found.length < most && matcher.find()) {
    const [from, to] = [matcher.start(), matcher.end()]
    if (to > from) found.push({ from, to })
  }
  return found
}
