import { compileRegex, type LinearRegex, MAX_SUBJECT_CHARS, type TextRange } from '../../../regex/linear-regex.ts'
import type { FieldValue } from './fields.ts'
import { BACKSLASH, SECRET_HINT } from './line-look.ts'
import {
  hasHintOfSecret,
  KEY_BEGIN,
  KEY_END,
  MAY_HOLD_SECRET,
  REDACTED,
  SECRET_FIELD,
  SECRET_KINDS,
} from './secrets.ts'

/** A key of more lines than this is none: the block was never ended. */
const MAX_KEY_LINES = 200
/** Matches of one pattern in one text; what stands behind so many goes as a whole. */
const MAX_MATCHES = 256
/** A text that is longer than a pattern may look at is looked at in pieces that overlap by so much. */
const OVERLAP_CHARS = 1024

/** Cuts secrets out of lines, by a built-in list and the operator's own, before anything is stored or sent. */
export class Redactor {
  readonly #own: readonly LinearRegex[]
  #count = 0

  /** @param patterns RE2, of secrets besides the built-in ones; checked when the configuration was read */
  constructor(patterns: readonly string[]) {
    this.#own = patterns.flatMap((pattern) => {
      const compiled = compileRegex(pattern)
      return compiled.ok ? [compiled.regex] : []
    })
  }

  /** Secrets that were cut out so far. */
  get count(): number {
    return this.#count
  }

  /**
   * Whether nothing in a line, its names and values included, can be a secret. What is written with escapes may be one that
   * only shows when they are resolved.
   * @param look what {@link lookAt} says of it
   */
  isHarmless(look: number): boolean {
    return this.#own.length === 0 && (look & (BACKSLASH | SECRET_HINT)) === 0
  }

  /** A text without its secrets. Time grows with its length. */
  text(text: string): string {
    let clean = text
    if (clean.includes('PRIVATE KEY')) clean = this.#withoutKeys(clean)
    if (hasHintOfSecret(clean) && MAY_HOLD_SECRET.test(clean)) {
      for (const { pattern, keep } of SECRET_KINDS) {
        clean = clean.replace(pattern, (_, kept: unknown) => {
          this.#count += 1
          return keep === '' || typeof kept !== 'string' ? REDACTED : `${kept}${REDACTED}`
        })
      }
    }
    for (const regex of this.#own) {
      const ranges = rangesIn(clean, regex)
      this.#count += ranges.length
      clean = without(clean, ranges)
    }
    return clean
  }

  /** The value of a field without secrets: all of it where the name says that it is one. */
  field(name: string, value: FieldValue): FieldValue {
    if (value === null || typeof value === 'boolean') return value
    if (SECRET_FIELD.test(name)) {
      this.#count += 1
      return REDACTED
    }
    return typeof value === 'string' ? this.text(value) : value
  }

  /** Count a secret that was cut out elsewhere. */
  counted(): void {
    this.#count += 1
  }

  /** Private keys in one text, from the first line of each to its last or the end. */
  #withoutKeys(text: string): string {
    let out = ''
    let rest = text
    for (;;) {
      const begin = KEY_BEGIN.exec(rest)
      if (begin === null) return out + rest
      out += `${rest.slice(0, begin.index)}${REDACTED}`
      this.#count += 1
      const behind = rest.slice(begin.index + begin[0].length)
      const end = KEY_END.exec(behind)
      if (end === null) return out
      rest = behind.slice(end.index + end[0].length)
    }
  }
}

/** Follows the lines of one source through private keys that stand on several of them. */
export class KeyBlocks {
  #linesInside = 0

  /** What becomes of the next line: `whole` as it is, `inside` a key and to be left out but for a note. */
  take(text: string, look = SECRET_HINT): 'whole' | 'inside' {
    // The words of a key give a hint as well.
    if (this.#linesInside === 0 && (look & SECRET_HINT) === 0) return 'whole'
    if (this.#linesInside > 0) {
      const isOver = this.#linesInside >= MAX_KEY_LINES || (text.includes('PRIVATE KEY') && KEY_END.test(text))
      this.#linesInside = isOver ? 0 : this.#linesInside + 1
      return 'inside'
    }
    if (text.includes('PRIVATE KEY') && KEY_BEGIN.test(text)) {
      // What stands behind the last beginning decides: one line may hold a whole key as well.
      const behind = text.slice(text.lastIndexOf('-----BEGIN '))
      if (!KEY_END.test(behind)) this.#linesInside = 1
    }
    return 'whole'
  }
}

/** Where a pattern is found, first to last, without overlaps. */
function rangesIn(text: string, regex: LinearRegex): readonly TextRange[] {
  const found: TextRange[] = []
  for (let from = 0; from === 0 || from + OVERLAP_CHARS < text.length; from += MAX_SUBJECT_CHARS - OVERLAP_CHARS) {
    for (const range of regex.ranges(text.slice(from, from + MAX_SUBJECT_CHARS), MAX_MATCHES + 1 - found.length)) {
      const [start, end] = [from + range.from, from + range.to]
      const last = found.at(-1)
      if (last === undefined || start >= last.to) found.push({ from: start, to: end })
      else if (end > last.to) found[found.length - 1] = { from: last.from, to: end }
    }
    if (found.length > MAX_MATCHES)
      return [...found.slice(0, MAX_MATCHES), { from: found[MAX_MATCHES]?.from ?? 0, to: text.length }]
  }
  return found
}

function without(text: string, ranges: readonly TextRange[]): string {
  if (ranges.length === 0) return text
  let out = ''
  let at = 0
  for (const { from, to } of ranges) {
    out += text.slice(at, from) + REDACTED
    at = to
  }
  return out + text.slice(at)
}
