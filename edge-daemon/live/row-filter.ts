import type { ClientFrame, FrameOf } from '../../protocol/frames.ts'
import type { FilteredLine, LogFilter } from '../../protocol/log-filter.ts'
import { LOG_LEVELS } from '../../protocol/records.ts'
import type { LogMatcher } from '../../regex/log-matcher.ts'
import type { LiveRow } from './contract.ts'
import type { MatchQuota } from './match-quota.ts'

/** What a subscription wants of its topic. */
export interface RowWish extends Pick<FrameOf<ClientFrame, 'subscribe'>, 'level' | 'contains' | 'abnormalOnly'> {
  /** Of log lines. */
  readonly matcher?: LogMatcher
}

/**
 * Steps that one line may cost on the event loop, at worst: instructions of the patterns times characters. A line of
 * 64 KiB and a usual pattern are within it; a large pattern is not tried on a long line there, but told.
 */
const MOST_STEPS = 512 * 1024

/**
 * A row for all subscriptions: its record is parsed at most once, and only when some filter asks, and each filter is held
 * against it once, whoever has it.
 */
export class SharedRow {
  readonly row: LiveRow
  readonly #passed = new Map<LogMatcher, boolean | null>()
  #record: Readonly<Record<string, unknown>> | undefined

  constructor(row: LiveRow) {
    this.row = row
  }

  /** The parsed record; empty when the line is none, so that no filter lets it pass. */
  get record(): Readonly<Record<string, unknown>> {
    this.#record ??= parse(this.row.line)
    return this.#record
  }

  /** Whether a filter lets the row pass; null when nobody looked. */
  passes(matcher: LogMatcher, quota: MatchQuota): boolean | null {
    let passes = this.#passed.get(matcher)
    if (passes === undefined) {
      passes = quota.spend(matcher, () => this.#match(matcher))
      this.#passed.set(matcher, passes)
    }
    return passes
  }

  #match(matcher: LogMatcher): boolean | null {
    const { record } = this
    const isCostly = matcher.size * this.row.line.length > MOST_STEPS
    if (isCostly && !(isLine(record) && matcher.rulesOut(record))) return null
    return matches(matcher, record)
  }
}

/** Whether a row passes within a quota; null when it was over, and nobody looked. */
export function wantsWithin(wish: RowWish, shared: SharedRow, quota: MatchQuota): boolean | null {
  const { matcher, ...rest } = wish
  if (matcher === undefined) return wants(rest, shared)
  const passes = shared.passes(matcher, quota)
  return passes === true ? wants(rest, shared) : passes
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
  return isLine(record) && matcher.matches(record)
}

/** What the daemon keeps as a line is one, if it has a message. */
function isLine(record: Readonly<Record<string, unknown>>): record is Readonly<Record<string, unknown>> & FilteredLine {
  return typeof record.msg === 'string'
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
