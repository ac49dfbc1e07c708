import type { LogLevel } from '../../../protocol/records.ts'
import { FieldBag } from './fields.ts'
import { levelNamed, levelNumbered } from './level.ts'
import type { ParsedLine } from './parsed.ts'
import { isSaneTime, timeOf } from './time.ts'

/** Names under which programs write level, message and time (pino, bunyan, zap, logrus, winston, ECS, CLEF, Python). */
const LEVEL_NAMES = ['level', 'severity', 'lvl', 'log.level', 'levelname', 'loglevel', '@l']
const MSG_NAMES = ['msg', 'message', '@m', '@mt', 'short_message', 'event', 'log', 'text']
const TIME_NAMES = ['time', 'ts', 'timestamp', '@timestamp', '@t', 'datetime', 'date']

/** Parse a line that is one JSON object; null when it is none. */
export function parseJsonLine(text: string, nowMs: number): ParsedLine | null {
  const value = objectIn(text)
  return value === null ? null : fromPairs(value, text, nowMs)
}

/** Level, message, time and fields out of names and values; a value that is not understood stays a field. */
export function fromPairs(pairs: Readonly<Record<string, unknown>>, text: string, nowMs: number): ParsedLine {
  let level: LogLevel | null = null
  let msg: string | null = null
  let timestamp: number | null = null
  const taken = new Set<string>()
  for (const name of LEVEL_NAMES) {
    if (!Object.hasOwn(pairs, name)) continue
    level = levelOf(pairs[name])
    if (level === null) continue
    taken.add(name)
    break
  }
  for (const name of MSG_NAMES) {
    const said = Object.hasOwn(pairs, name) ? pairs[name] : null
    if (typeof said !== 'string' || said === '') continue
    msg = said
    taken.add(name)
    break
  }
  for (const name of TIME_NAMES) {
    if (!Object.hasOwn(pairs, name)) continue
    const at = timeOf(pairs[name], nowMs)
    if (at === null || !isSaneTime(at, nowMs)) continue
    timestamp = at
    taken.add(name)
    break
  }
  const fields = new FieldBag()
  for (const [name, value] of Object.entries(pairs)) if (!taken.has(name)) fields.add(name, value)
  return { timestamp, level, msg: msg ?? text, fields: fields.take() }
}

function levelOf(value: unknown): LogLevel | null {
  if (typeof value === 'number') return levelNumbered(value)
  if (typeof value !== 'string') return null
  return /^\d{1,2}$/.test(value) ? levelNumbered(Number(value)) : levelNamed(value.trim())
}

function objectIn(text: string): Record<string, unknown> | null {
  if (text.charCodeAt(0) !== 0x7b) return null
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
