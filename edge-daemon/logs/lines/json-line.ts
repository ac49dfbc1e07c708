import type { LogLevel } from '../../../protocol/records.ts'
import { FieldBag } from './fields.ts'
import { levelNamed, levelNumbered } from './level.ts'
import type { ParsedLine } from './parsed.ts'
import { isSaneTime, timeOf } from './time.ts'

/** Names under which programs write level, message and time (pino, bunyan, zap, logrus, winston, ECS, CLEF, Python), the first one first. */
const LEVEL_NAMES = ['level', 'severity', 'lvl', 'log.level', 'levelname', 'loglevel', '@l']
const MSG_NAMES = ['msg', 'message', '@m', '@mt', 'short_message', 'event', 'log', 'text']
const TIME_NAMES = ['time', 'ts', 'timestamp', '@timestamp', '@t', 'datetime', 'date']
type Meaning = 'level' | 'msg' | 'time'
const MEANINGS = new Map(
  (
    [
      ['level', LEVEL_NAMES],
      ['msg', MSG_NAMES],
      ['time', TIME_NAMES],
    ] as const
  ).flatMap(([meaning, names]) =>
    names.map((name, rank): [string, { meaning: Meaning; rank: number }] => [name, { meaning, rank }]),
  ),
)

/** Parse a line that is one JSON object; null when it is none. */
export function parseJsonLine(text: string, nowMs: number): ParsedLine | null {
  const value = objectIn(text)
  return value === null ? null : fromPairs(value, text, nowMs)
}

/** Level, message, time and fields out of names and values; a value that is not understood stays a field. */
export function fromPairs(pairs: Readonly<Record<string, unknown>>, text: string, nowMs: number): ParsedLine {
  const names = Object.keys(pairs)
  const found: Told = { level: null, msg: null, time: null }
  for (const name of names) {
    const known = MEANINGS.get(name)
    if (known !== undefined) tell(found, name, known, pairs[name], nowMs)
  }
  const { level, msg, time } = found
  const fields = new FieldBag()
  for (const name of names) {
    if (name !== level?.name && name !== msg?.name && name !== time?.name) fields.add(name, pairs[name])
  }
  return {
    timestamp: time?.value ?? null,
    level: level?.value ?? null,
    msg: msg?.value ?? text,
    fields: fields.take(),
  }
}

/** What is told so far, and under which name. */
interface Told {
  level: Ranked<LogLevel> | null
  msg: Ranked<string> | null
  time: Ranked<number> | null
}

interface Ranked<T> {
  readonly name: string
  readonly rank: number
  readonly value: T
}

/** Take a value as what its name says, unless it is not understood or one of an earlier name is there. */
function tell(
  found: Told,
  name: string,
  { meaning, rank }: { meaning: Meaning; rank: number },
  said: unknown,
  nowMs: number,
): void {
  if ((found[meaning]?.rank ?? Number.POSITIVE_INFINITY) < rank) return
  if (meaning === 'level') {
    const value = levelOf(said)
    if (value !== null) found.level = { name, rank, value }
  } else if (meaning === 'msg') {
    if (typeof said === 'string' && said !== '') found.msg = { name, rank, value: said }
  } else {
    const value = timeOf(said, nowMs)
    if (value !== null && isSaneTime(value, nowMs)) found.time = { name, rank, value }
  }
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
