import type { GapFrame } from '../../protocol/frames.ts'
import { LOG_LEVELS, type LogRecord } from '../../protocol/records.ts'
import { type Shares, shed } from './fair-share.ts'
import { logMatch } from './log-match.ts'
import { logGap, logLine } from './log-row.ts'
import type { LogQuery, LogRow } from './view.ts'

/** Whose row it is and how its clock stands to ours. */
export interface RowOrigin {
  readonly key: string
  /** The node's clock minus ours, ms. */
  readonly offsetMs: number
  /** Our clock at receipt, ms; a row cannot be from later. */
  readonly receivedMs: number
}

/** Text that all rows may hold together, by row that may be kept: an honest line is a tenth of it. */
const CHARS_PER_ROW = 1024

/**
 * The newest log rows of the fleet in time order on our clock, bounded in number and in text, and shared between nodes: who
 * says much loses its own old rows. A row that comes again after a reconnect is kept once.
 */
export class LogBook {
  readonly #maxRows: number
  readonly #rows: LogRow[] = []
  /** Marks of kept lines, so that a backlog after a reconnect repeats nothing. */
  readonly #marks = new Map<number, string>()
  readonly #known = new Set<string>()
  /** The newest line of each node, its time on the node's clock and on ours. */
  readonly #newest = new Map<string, { readonly timestamp: number; readonly atMs: number }>()
  #nextId: number
  #chars = 0
  /** Whether a row came that is older than one before it. */
  #isLate = false

  /** Rows are numbered from `firstId`, so that those of two books can stand in one list. */
  constructor(maxRows: number, firstId = 1) {
    this.#maxRows = maxRows
    this.#nextId = firstId
  }

  /** Take lines of one node. */
  addLines(origin: RowOrigin, records: readonly LogRecord[]): void {
    for (const record of records) {
      const mark = `${origin.key}\n${record.seq}\n${record.timestamp}`
      if (record.seq > 0) {
        if (this.#known.has(mark)) continue
        this.#known.add(mark)
        this.#marks.set(this.#nextId, mark)
      }
      const atMs = this.#timeOf(origin, record.timestamp)
      const { key, offsetMs } = origin
      this.#insert(logLine(record, { id: this.#nextId, key, atMs, late: false, offsetMs }))
    }
    this.#settle()
  }

  /** Take the news that lines did not come. */
  addGap(origin: RowOrigin, gap: Pick<GapFrame, 'missed' | 'reason' | 'toMs'>): void {
    const atMs = Math.min(origin.receivedMs, Math.round(gap.toMs - origin.offsetMs))
    this.#insert(logGap(gap, { id: this.#nextId, key: origin.key, atMs }))
    this.#settle()
  }

  /** Rows that match, oldest first. Gaps match whatever the level and the text: what is missing may have matched. */
  query(query: LogQuery): LogRow[] {
    const limit = query.limit ?? this.#maxRows
    const untilMs = query.asOf === undefined || query.asOf === 'now' ? Number.POSITIVE_INFINITY : query.asOf
    const found: LogRow[] = []
    const wanted = matcher(query)
    for (let i = this.#rows.length - 1; i >= 0 && found.length < limit; i -= 1) {
      const row = this.#rows[i]
      if (row !== undefined && row.atMs <= untilMs && wanted(row)) found.push(row)
    }
    return found.reverse()
  }

  /** A line's time on our clock. A better measured offset must not put a node's lines out of their own order. */
  #timeOf(origin: RowOrigin, timestamp: number): number {
    const before = this.#newest.get(origin.key)
    const atMs = Math.round(Math.min(origin.receivedMs, timestamp - origin.offsetMs))
    if (before === undefined) {
      this.#newest.set(origin.key, { timestamp, atMs })
      return atMs
    }
    if (timestamp < before.timestamp) return Math.min(atMs, before.atMs)
    const kept = Math.max(atMs, before.atMs)
    this.#newest.set(origin.key, { timestamp, atMs: kept })
    return kept
  }

  #insert(row: LogRow): void {
    this.#nextId += 1
    this.#chars += charsOf(row)
    this.#rows.push(row)
    if ((this.#rows.at(-2)?.atMs ?? 0) > row.atMs) this.#isLate = true
  }

  /** Put what was taken in its place and shed what is too much: once for all rows of a frame, and in steps. */
  #settle(): void {
    // Sorting is stable and quick where two rising runs are joined; each late row in its place would cost all rows.
    if (this.#isLate) this.#rows.sort((a, b) => a.atMs - b.atMs)
    this.#isLate = false
    const keyOf = (row: LogRow): string => row.key
    const maxChars = this.#maxRows * CHARS_PER_ROW
    if (this.#rows.length > this.#maxRows * 1.1) this.#forget({ keyOf, weightOf: () => 1, limit: this.#maxRows })
    if (this.#chars > maxChars * 1.1) this.#forget({ keyOf, weightOf: charsOf, limit: maxChars })
  }

  #forget(shares: Shares<LogRow>): void {
    for (const old of shed(this.#rows, shares)) {
      this.#chars -= charsOf(old)
      const mark = this.#marks.get(old.id)
      this.#marks.delete(old.id)
      if (mark !== undefined) this.#known.delete(mark)
    }
  }
}

/** Room that a row takes, in characters of its texts and about as many for the rest. */
function charsOf(row: LogRow): number {
  if (row.kind === 'gap') return 100
  let chars = 100 + row.msg.length + row.source.length
  for (const name in row.fields) {
    const value = row.fields[name]
    chars += name.length + (typeof value === 'string' ? value.length : 8)
  }
  return chars
}

function matcher(query: LogQuery): (row: LogRow) => boolean {
  const minRank = query.minLevel === undefined ? 0 : LOG_LEVELS.indexOf(query.minLevel)
  const needle = query.contains?.toLowerCase() ?? ''
  const afterId = query.afterId ?? 0
  const matches = query.filter === undefined ? null : logMatch(query.filter)
  return (row) => {
    if (row.id <= afterId) return false
    if (query.keys !== undefined && !query.keys.has(row.key)) return false
    if (row.kind === 'gap') return true
    if (LOG_LEVELS.indexOf(row.level) < minRank) return false
    if (matches !== null && !matches(row)) return false
    return needle === '' || textOf(row).includes(needle)
  }
}

function textOf(row: LogRow & { kind: 'line' }): string {
  const fields = Object.entries(row.fields).map(([name, value]) => `${name}=${value}`)
  return [row.name, row.source, row.msg, ...fields].join(' ').toLowerCase()
}
