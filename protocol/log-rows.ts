import { MAX_TIME_MS } from './bounds.ts'
import { LOG_LEVELS, type LogRecord } from './records.ts'

/** The one kind of frame that is looked at here; @see rows in frames.ts */
interface LogRowsFrame {
  t: 'rows'
  id: string
  topic: 'logs'
  rows: LogRecord[]
}

const LEVELS: ReadonlySet<unknown> = new Set(LOG_LEVELS)
const FRAME_KEYS: ReadonlySet<string> = new Set(['t', 'id', 'topic', 'rows'])
const MAX_SENTENCE_CHARS = 65_536

/**
 * Whether a value is a frame of log rows that the schema of the protocol would take as it is. It is what a console decodes
 * most: the schema costs several times the parser on it. Says no to whatever is rare or in doubt, which is for the schema
 * then; a test holds that it never says yes where the schema says no or would change something.
 */
export function isLogRowsFrame(value: unknown): value is LogRowsFrame {
  if (!isObject(value) || value.t !== 'rows' || value.topic !== 'logs' || !isText(value.id, 1, 64)) return false
  for (const key in value) if (!FRAME_KEYS.has(key)) return false
  const { rows } = value
  if (!Array.isArray(rows) || rows.length > 1000) return false
  for (const row of rows) if (!isLogRow(row)) return false
  return true
}

function isLogRow(row: unknown): boolean {
  if (!isObject(row)) return false
  // A key that is there must be one that was looked at, and each of these is looked at once.
  let looked = 6
  let keys = 0
  for (const _ in row) keys += 1
  if (!isCount(row.seq, Number.MAX_SAFE_INTEGER) || !isText(row.node_id, 1, 253)) return false
  if (!isCount(row.timestamp, MAX_TIME_MS) || !LEVELS.has(row.level)) return false
  if (!isText(row.source, 0, 256) || !isText(row.msg, 0, MAX_SENTENCE_CHARS)) return false
  if (row.origin !== undefined) {
    if (!isText(row.origin, 0, 256)) return false
    looked += 1
  }
  if (row.fields !== undefined) {
    if (!areFields(row.fields)) return false
    looked += 1
  }
  return keys === looked
}

function areFields(fields: unknown): boolean {
  if (!isObject(fields)) return false
  let count = 0
  for (const name in fields) {
    count += 1
    if (count > 64 || name.length > 256 || name === '__proto__') return false
    const value = fields[name]
    const isFit =
      value === null ||
      typeof value === 'boolean' ||
      (typeof value === 'string' ? value.length <= MAX_SENTENCE_CHARS : Number.isFinite(value))
    if (!isFit) return false
  }
  return true
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown, least: number, most: number): boolean {
  return typeof value === 'string' && value.length >= least && value.length <= most
}

function isCount(value: unknown, most: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most
}
