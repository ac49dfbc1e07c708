import { compileRegex, type LinearRegex } from '../../../regex/linear-regex.ts'
import type { FieldValue } from './fields.ts'
import { KEY_BEGIN, KEY_END, MAY_HOLD_SECRET, REDACTED, SECRET_FIELD, SECRET_KINDS } from './secrets.ts'

/** A key of more lines than this is none: the block was never ended. */
const MAX_KEY_LINES = 200

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

  /** A text without its secrets. Time grows with its length. */
  text(text: string): string {
    let clean = text
    if (clean.includes('PRIVATE KEY')) clean = this.#withoutKeys(clean)
    if (MAY_HOLD_SECRET.test(clean)) {
      for (const { pattern, keep } of SECRET_KINDS) {
        clean = clean.replace(pattern, (_, kept: unknown) => {
          this.#count += 1
          return keep === '' || typeof kept !== 'string' ? REDACTED : `${kept}${REDACTED}`
        })
      }
    }
    for (const regex of this.#own) {
      const { text: replaced, count } = regex.replaceAll(clean, REDACTED)
      this.#count += count
      clean = replaced
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
  take(text: string): 'whole' | 'inside' {
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
