import { isAtLeast, isOfSources, type LogFilter, logText } from '../../protocol/log-filter.ts'
import { compileRegex } from '../../regex/linear-regex.ts'
import type { LogLine } from './view.ts'

/** A filter as nodes are asked with it, for lines that are held here. A pattern that is none lets every line pass. */
export function logMatch(filter: LogFilter): (line: LogLine) => boolean {
  const { level, sources, pattern, ignoreCase = false, fields = [] } = filter
  const wanted = pattern === undefined ? null : finder(ignoreCase ? `(?i)${pattern}` : pattern)
  const tests = fields.map(({ name, test, value }) => {
    const find = test === '~' ? finder(value) : null
    return (line: LogLine): boolean => {
      const held = line.fields[name]
      if (test === '!=') return held === undefined || String(held) !== value
      if (held === undefined) return false
      return find === null ? String(held) === value : find(String(held))
    }
  })
  return (line) =>
    (level === undefined || isAtLeast(line.level, level)) &&
    (sources === undefined || isOfSources(line.source, sources)) &&
    tests.every((test) => test(line)) &&
    (wanted === null || wanted(logText(line)))
}

function finder(pattern: string): (text: string) => boolean {
  const compiled = compileRegex(pattern)
  return (text) => !compiled.ok || (compiled.regex.test(text) ?? true)
}
