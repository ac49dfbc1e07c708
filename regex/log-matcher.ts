import { type FilteredLine, isAtLeast, isOfSources, type LogFilter, logText } from '../protocol/log-filter.ts'
import { type CompiledRegex, compileRegex, type LinearRegex } from './linear-regex.ts'
import { requiredLiterals } from './required-literals.ts'

/**
 * Characters of a line that patterns are looked for in. A longer line fits no frame, so nobody who asked could be shown
 * it; one as long as a followed line may be (64 KiB) is looked at whole, with its fields.
 */
export const MAX_LOG_TEXT_CHARS = 256 * 1024

/** A {@link LogFilter} that is ready to be held against lines. */
export interface LogMatcher {
  readonly filter: LogFilter
  /** Instructions of its patterns together: a line costs this times its length, at worst; 0 without patterns. */
  readonly size: number
  /** Whether a line passes. */
  matches(line: FilteredLine): boolean
  /** Whether it is sure without any pattern being tried that a line does not pass. */
  rulesOut(line: FilteredLine): boolean
}

/** Outcome of compiling a filter; `part` is the piece of the pattern that is wrong, where it is one. */
export type CompiledLogFilter =
  | { readonly ok: true; readonly matcher: LogMatcher }
  | { readonly ok: false; readonly pattern: string; readonly message: string; readonly part: string | null }

/**
 * Compile what somebody wants of log lines, for the node that looks for them and for the console that looks through what
 * it holds: both say the same of a line. Time is linear in the line. Never throws.
 */
export function compileLogFilter(filter: LogFilter): CompiledLogFilter {
  const { level, sources, pattern, ignoreCase = false, fields = [] } = filter
  const regexes: LinearRegex[] = []
  const fault = (text: string, use: { readonly ignoreCase?: boolean } = {}): Fault | null => {
    const compiled: CompiledRegex = compileRegex(text, { ...use, maxSubjectChars: MAX_LOG_TEXT_CHARS })
    if (compiled.ok) regexes.push(compiled.regex)
    return compiled.ok ? null : { ok: false, pattern: text, message: compiled.message, part: compiled.part }
  }
  if (pattern !== undefined) {
    const wrong = fault(pattern, { ignoreCase })
    if (wrong !== null) return wrong
  }
  const text = regexes[0]
  const tests: FieldTest[] = []
  for (const { name, test, value } of fields) {
    if (test === '=') tests.push((line) => fieldText(line, name) === value)
    else if (test === '!=') tests.push((line) => fieldText(line, name) !== value)
    else {
      const wrong = fault(value)
      if (wrong !== null) return wrong
      const regex = regexes.at(-1)
      tests.push((line) => finds(regex, fieldText(line, name)))
    }
  }
  const literals = pattern === undefined || ignoreCase ? [] : requiredLiterals(pattern)
  const isOfKind = (line: FilteredLine): boolean =>
    (level === undefined || isAtLeast(line.level, level)) &&
    (sources === undefined || isOfSources(line.source, sources))
  const hasLiterals = (line: FilteredLine): boolean => {
    const whole = literals.length === 0 ? '' : logText(line)
    return literals.every((list) => list.some((literal) => whole.includes(literal)))
  }
  return {
    ok: true,
    matcher: {
      filter,
      size: regexes.reduce((sum, regex) => sum + regex.size, 0),
      matches: (line) =>
        isOfKind(line) && tests.every((passes) => passes(line)) && (text === undefined || finds(text, logText(line))),
      rulesOut: (line) => !isOfKind(line) || !hasLiterals(line),
    },
  }
}

type Fault = Extract<CompiledLogFilter, { ok: false }>
type FieldTest = (line: FilteredLine) => boolean

/** A field as it is compared, which is also how it stands in {@link logText}; undefined for one that the line has not. */
function fieldText({ fields }: FilteredLine, name: string): string | undefined {
  return fields === undefined || !Object.hasOwn(fields, name) ? undefined : String(fields[name])
}

function finds(regex: LinearRegex | undefined, text: string | undefined): boolean {
  return regex !== undefined && text !== undefined && regex.test(text.slice(0, MAX_LOG_TEXT_CHARS)) === true
}
