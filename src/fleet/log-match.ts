import type { FilteredLine, LogFilter } from '../../protocol/log-filter.ts'
import { compileLogFilter } from '../../regex/log-matcher.ts'

/** A filter as nodes are asked with it, for lines that are held here. A pattern that is none lets every line pass. */
export function logMatch(filter: LogFilter): (line: FilteredLine) => boolean {
  const compiled = compileLogFilter(filter)
  return compiled.ok ? (line) => compiled.matcher.matches(line) : () => true
}
