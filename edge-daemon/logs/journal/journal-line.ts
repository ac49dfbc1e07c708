import type { LogLevel } from '../../../protocol/records.ts'
import { FieldBag, type FieldValue } from '../lines/fields.ts'
import { levelNumbered } from '../lines/level.ts'
import { type JournalCursor, parseCursor } from './cursor.ts'

/** An entry of the journal, as `journalctl -o json` writes it. */
export interface JournalEntry {
  readonly cursor: JournalCursor
  readonly origin: string
  readonly level: LogLevel
  readonly source: string
  readonly text: string
  /** Unix ms. */
  readonly timestamp: number
  readonly fields: Record<string, FieldValue> | null
}

/** Fields of entries that are worth keeping, and what they are called. */
const KEPT_FIELDS: Readonly<Record<string, string>> = {
  _PID: 'pid',
  _HOSTNAME: 'host',
  CODE_FILE: 'code_file',
  CODE_LINE: 'code_line',
  ERRNO: 'errno',
  UNIT: 'unit',
  MESSAGE_ID: 'message_id',
}
const MAX_SOURCE_CHARS = 200

/** Parse a line of `journalctl -o json`; null when it is no entry of a journal. Bytes that are no text come as numbers. */
export function parseJournalLine(line: string): JournalEntry | null {
  const entry = objectIn(line)
  if (entry === null) return null
  const origin = textOf(entry.__CURSOR)
  const cursor = origin === null ? null : parseCursor(origin)
  if (origin === null || cursor === null) return null
  const fields = new FieldBag()
  for (const [name, called] of Object.entries(KEPT_FIELDS)) {
    const value = textOf(entry[name])
    if (value !== null) fields.add(called, /^\d{1,15}$/.test(value) ? Number(value) : value)
  }
  const priority = textOf(entry.PRIORITY)
  return {
    cursor,
    origin,
    level: (priority === null ? null : levelNumbered(Number(priority))) ?? 'info',
    source: sourceOf(entry),
    text: textOf(entry.MESSAGE) ?? '',
    timestamp: Math.floor(cursor.timeUs / 1000),
    fields: fields.take(),
  }
}

function sourceOf(entry: Readonly<Record<string, unknown>>): string {
  const name = textOf(entry._SYSTEMD_UNIT) ?? textOf(entry.SYSLOG_IDENTIFIER) ?? textOf(entry._COMM) ?? 'journal'
  return name.slice(0, MAX_SOURCE_CHARS) || 'journal'
}

/** The text of a field: a string, the bytes of one, or the first of several values. */
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (!Array.isArray(value) || value.length === 0) return null
  if (value.every((item) => typeof item === 'number')) return Buffer.from(value as number[]).toString('utf8')
  return textOf(value[0])
}

function objectIn(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
