import type { ClientFrame, FrameOf } from '../../protocol/frames.ts'
import type { FilteredLine, LogFilter } from '../../protocol/log-filter.ts'
import { LOG_LEVELS } from '../../protocol/records.ts'
import type { LogMatcher } from '../../regex/log-matcher.ts'
import type { LiveRow } from './contract.ts'

/** What a subscription wants of its topic. */
export interface RowWish extends Pick<FrameOf<ClientFrame, 'subscribe'>, 'level' | 'contains' | 'abnormalOnly'> {
  /** Of log lines. */
  readonly matcher?: LogMatcher
}

/** A row whose record is parsed at most once, and only when some filter asks. */
export class SharedRow {
  readonly row: LiveRow
  #record: Readonly<Record<string, unknown>> | undefined

  constructor(row: LiveRow) {
    this.row = row
  }

  /** The parsed record; empty when the line is none, so that no filter lets it pass. */
  get record(): Readonly<Record<string, unknown>> {
    this.#record ??= parse(this.row.line)
    return this.#record
  }
}

/** Whether a row passes: `level` is the least severe log level, `contains` is looked for in `msg` in any case. */
export function wants(wish: RowWish, shared: SharedRow): boolean {
  if (wish.abnormalOnly === true && shared.record.reason === undefined) return false
  if (wish.level !== undefined && rank(shared.record.level) < rank(wish.level)) return false
  if (wish.matcher !== undefined && !matches(wish.matcher, shared.record)) return false
  if (wish.contains === undefined || wish.contains === '') return true
  const msg = shared.record.msg
  return typeof msg === 'string' && msg.toLowerCase().includes(wish.contains.toLowerCase())
}

/** Whether every row passes, so that nothing has to be parsed. */
export function wantsAll(wish: RowWish): boolean {
  const { abnormalOnly, level, contains, matcher } = wish
  return abnormalOnly !== true && level === undefined && (contains ?? '') === '' && matcher === undefined
}

/** A filter for a search that finds every log line that is wished, and perhaps more: {@link wants} says which. */
export function searchedFor({ matcher, level, contains = '' }: RowWish): LogFilter {
  if (matcher !== undefined) return matcher.filter
  const isQuotable = contains !== '' && contains.length <= MAX_QUOTED_CHARS && !contains.includes('\\E')
  return {
    ...(level === undefined ? {} : { level }),
    ...(isQuotable ? { pattern: `\\Q${contains}\\E`, ignoreCase: true } : {}),
  }
}

/** Room for the quotes of a pattern. */
const MAX_QUOTED_CHARS = 250

function matches(matcher: LogMatcher, record: Readonly<Record<string, unknown>>): boolean {
  const { msg } = record
  // What the daemon keeps as a line is one.
  return typeof msg === 'string' && matcher.matches(record as unknown as FilteredLine)
}

function rank(level: unknown): number {
  return (LOG_LEVELS as readonly unknown[]).indexOf(level)
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
