import type { LogRecord } from '../../protocol/records.ts'
import { cleanWhole, safe, safeWhole } from './clean.ts'
import type { LogGap, LogLine } from './view.ts'

/** What a row has besides its record. */
export type LogPlace = Pick<LogLine, 'id' | 'key' | 'atMs'> & {
  readonly late: boolean
  /** The node's clock minus ours, ms. */
  readonly offsetMs: number
}

const NO_FIELDS = {}
const NONE_BEFORE: LogLine['before'] = []

/** A record as a row, safe to show. */
export function logLine(record: LogRecord, { id, key, atMs, late, offsetMs }: LogPlace): LogLine {
  return {
    kind: 'line',
    id,
    key,
    name: safe(key),
    atMs,
    nodeMs: record.timestamp,
    seq: record.seq,
    late,
    level: record.level,
    source: safe(record.source),
    msg: safeWhole(record.msg),
    fields: record.fields === undefined ? NO_FIELDS : cleanWhole(record.fields),
    cutChars: record.cut_chars ?? 0,
    before: record.before === undefined ? NONE_BEFORE : beforeOf(record.before, offsetMs),
  }
}

/** News of lines that are not there, as a row. */
export function logGap(
  gap: Pick<LogGap, 'missed' | 'reason' | 'text'>,
  { id, key, atMs }: Pick<LogGap, 'id' | 'key' | 'atMs'>,
): LogGap {
  const text = gap.text === undefined ? {} : { text: gap.text }
  return { kind: 'gap', id, key, name: safe(key), atMs, missed: gap.missed, reason: gap.reason, ...text }
}

function beforeOf(before: NonNullable<LogRecord['before']>, offsetMs: number): LogLine['before'] {
  return before.map(({ timestamp, level, msg }) => {
    return { atMs: Math.round(timestamp - offsetMs), level, msg: safeWhole(msg) }
  })
}
