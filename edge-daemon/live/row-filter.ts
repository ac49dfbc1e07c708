import type { ClientFrame, FrameOf } from '../../protocol/frames.ts'
import { LOG_LEVELS } from '../../protocol/records.ts'
import type { LiveRow } from './contract.ts'

/** What a subscription wants of its topic. */
export type RowWish = Pick<FrameOf<ClientFrame, 'subscribe'>, 'level' | 'contains' | 'abnormalOnly'>

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
  if (wish.contains === undefined || wish.contains === '') return true
  const msg = shared.record.msg
  return typeof msg === 'string' && msg.toLowerCase().includes(wish.contains.toLowerCase())
}

/** Whether every row passes, so that nothing has to be parsed. */
export function wantsAll(wish: RowWish): boolean {
  return wish.abnormalOnly !== true && wish.level === undefined && (wish.contains ?? '') === ''
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
