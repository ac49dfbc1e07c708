import { LOG_LEVELS } from '../../protocol/records.ts'
import { safe } from './clean.ts'
import { type Shares, shed } from './fair-share.ts'
import { LogIntake } from './log-intake.ts'
import { logMatch } from './log-match.ts'
import type { LogGap, LogLine, LogQuery, LogRow } from './view.ts'

/** How much a log book holds and how long lines wait for those of other nodes. */
export interface LogBookOptions {
  readonly maxRows: number
  /** Rows are numbered from here on, so that those of two books can stand in one list; 1 when absent. */
  readonly firstId?: number
  /** How long lines wait for those of other nodes, ms; absent or 0 to show them as they come. */
  readonly windowMs?: number
  /** Takes rows as they are to be shown, instead of keeping them here. */
  readonly onRows?: (rows: readonly LogRow[]) => void
}

/** Text that all rows may hold together, by row that may be kept: an honest line is a tenth of it. */
const CHARS_PER_ROW = 1024
/** Rows are let go in steps: looking through all of them costs more than holding some more. */
const SLACK = 1.25

/**
 * The newest log rows of the fleet in time order on our clock, bounded in number and in text, and shared between nodes: who
 * says much loses its own old rows, and a row says how many. A row that comes again after a reconnect is kept once.
 */
export class LogBook {
  /** What lines go through before they are rows here. */
  readonly intake: LogIntake
  readonly #maxRows: number
  readonly #rows: LogRow[] = []
  /** By node, what stands for rows that were let go. */
  readonly #letGo = new Map<string, LogGap & { readonly missed: number }>()
  #chars = 0

  constructor({ maxRows, firstId = 1, windowMs = 0, onRows = (rows) => this.#keep(rows) }: LogBookOptions) {
    this.#maxRows = maxRows
    const bounds = { maxHeldChars: maxRows * CHARS_PER_ROW, maxKeptRows: Math.ceil(maxRows * SLACK) }
    this.intake = new LogIntake({ windowMs, firstId, onRows, ...bounds })
  }

  /** Rows that match, oldest first. Gaps match whatever the level and the text: what is missing may have matched. */
  query(query: LogQuery): LogRow[] {
    const limit = query.limit ?? Number.POSITIVE_INFINITY
    const untilMs = query.asOf === undefined || query.asOf === 'now' ? Number.POSITIVE_INFINITY : query.asOf
    const found: LogRow[] = []
    const wanted = matcher(query)
    const gone = [...this.#letGo.values()].sort((a, b) => a.atMs - b.atMs)
    const take = (row: LogRow): void => {
      if (found.length < limit && row.atMs <= untilMs && wanted(row)) found.push(row)
    }
    for (let i = this.#rows.length - 1; i >= 0 && found.length < limit; i -= 1) {
      const row = this.#rows[i]
      if (row === undefined) continue
      for (let last = gone.at(-1); last !== undefined && last.atMs > row.atMs; last = gone.at(-1))
        take(gone.pop() ?? last)
      take(row)
    }
    while (gone.length > 0) take(gone.pop() as LogGap)
    return found.reverse()
  }

  /** Put rows in their places and shed what is too much: once for all rows of a frame, and in steps. */
  #keep(rows: readonly LogRow[]): void {
    let isOrdered = true
    for (const row of rows) {
      this.#chars += charsOf(row)
      isOrdered &&= (this.#rows.at(-1)?.atMs ?? 0) <= row.atMs
      this.#rows.push(row)
    }
    // Sorting is stable and quick where two rising runs are joined; each late row in its place would cost all rows.
    if (!isOrdered) this.#rows.sort((a, b) => a.atMs - b.atMs)
    const keyOf = (row: LogRow): string => row.key
    const maxChars = this.#maxRows * CHARS_PER_ROW
    if (this.#rows.length > this.#maxRows * SLACK) this.#forget({ keyOf, weightOf: () => 1, limit: this.#maxRows })
    if (this.#chars > maxChars * SLACK) this.#forget({ keyOf, weightOf: charsOf, limit: maxChars })
  }

  #forget(shares: Shares<LogRow>): void {
    for (const old of shed(this.#rows, shares)) {
      this.#chars -= charsOf(old)
      if (old.kind === 'line' && old.seq > 0) this.intake.forget(old.key, old.seq)
      const missed = (this.#letGo.get(old.key)?.missed ?? 0) + (old.kind === 'line' ? 1 : (old.missed ?? 0))
      const { id, key, atMs } = old
      this.#letGo.set(key, { kind: 'gap', id, key, name: safe(key), atMs, missed, reason: 'let_go' })
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
  for (const line of row.before) chars += 100 + line.msg.length
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

function textOf(row: LogLine): string {
  const fields = Object.entries(row.fields).map(([name, value]) => `${name}=${value}`)
  return [row.name, row.source, row.msg, ...fields].join(' ').toLowerCase()
}
