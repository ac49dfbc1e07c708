import { FIELD_TESTS, type LogFilter } from '../../protocol/log-filter.ts'
import { readPattern } from './log-pattern.ts'

/** What a typed filter asks of lines besides their level. */
export type TypedLogFilter = Omit<LogFilter, 'level'>

/** A filter of log lines, or what to type instead. */
export type ReadLogFilter =
  | { readonly ok: true; readonly filter: TypedLogFilter }
  | { readonly ok: false; readonly message: string }

/** Most sources or fields that the protocol takes in one filter. */
const MAX_TERMS = 16

/**
 * Read a filter of log lines as people type it: `source:nginx`, `source:pods/*` (any of several), `field:camera=7`,
 * `field:camera!=7`, `field:path~^/infer` (all of them), and what is left is an RE2 pattern over the line.
 *
 * @example parseLogFilter('source:nginx field:camera=7 timeout|refused')
 */
export function parseLogFilter(text: string): ReadLogFilter {
  const sources: string[] = []
  const fields: NonNullable<LogFilter['fields']> = []
  const rest: string[] = []
  for (const word of text.trim().split(' ')) {
    const term = /^(source|field):(.*)$/.exec(word)
    if (term === null) {
      rest.push(word)
      continue
    }
    const [, kind, value = ''] = term
    if (kind === 'source') {
      if (value === '') return refused('write a source behind "source:", such as source:nginx or source:pods/*')
      sources.push(value)
      continue
    }
    const parts = /^([^=!~]+)(!=|=|~)(.*)$/.exec(value)
    if (parts === null) return refused('write a field as field:camera=7, field:camera!=7 or field:path~^/infer')
    const [, name = '', test = '=', wanted = ''] = parts
    const pattern = test === '~' ? readPattern(wanted) : null
    if (pattern !== null && !pattern.ok) return pattern
    fields.push({ name, test: FIELD_TESTS.find((known) => known === test) ?? '=', value: wanted })
  }
  if (sources.length > MAX_TERMS || fields.length > MAX_TERMS) return refused(`${MAX_TERMS} of a kind are the most`)
  const pattern = rest.join(' ').trim()
  const read = pattern === '' ? null : readPattern(pattern)
  if (read !== null && !read.ok) return read
  return {
    ok: true,
    filter: {
      ...(sources.length === 0 ? {} : { sources }),
      ...(fields.length === 0 ? {} : { fields }),
      ...(read === null ? {} : { pattern, ...(read.pattern.ignoreCase ? { ignoreCase: true } : {}) }),
    },
  }
}

function refused(message: string): ReadLogFilter {
  return { ok: false, message }
}
