import type { LogLevel } from '../../../protocol/records.ts'

const LEVEL_OF: Readonly<Record<string, LogLevel>> = {
  trace: 'debug',
  debug: 'debug',
  dbg: 'debug',
  verbose: 'debug',
  fine: 'debug',
  info: 'info',
  inf: 'info',
  information: 'info',
  informational: 'info',
  notice: 'info',
  log: 'info',
  warn: 'warn',
  wrn: 'warn',
  warning: 'warn',
  error: 'error',
  err: 'error',
  eror: 'error',
  severe: 'error',
  fatal: 'fatal',
  ftl: 'fatal',
  critical: 'fatal',
  crit: 'fatal',
  alert: 'fatal',
  emerg: 'fatal',
  emergency: 'fatal',
  panic: 'fatal',
}
const LONGEST_NAME = 13

/** The level that a word names in any case, as programs and syslog write it; null when it names none. */
export function levelNamed(word: string): LogLevel | null {
  if (word.length > LONGEST_NAME) return null
  const name = word.toLowerCase()
  return Object.hasOwn(LEVEL_OF, name) ? (LEVEL_OF[name] ?? null) : null
}

/** The level of a number: pino's and bunyan's from 10 on (30 is info), syslog's below (RFC 5424: 3 is error). */
export function levelNumbered(value: number): LogLevel | null {
  if (!Number.isFinite(value) || value < 0) return null
  if (value >= 60) return 'fatal'
  if (value >= 50) return 'error'
  if (value >= 40) return 'warn'
  if (value >= 30) return 'info'
  if (value >= 10) return 'debug'
  if (value <= 2) return 'fatal'
  if (value <= 3) return 'error'
  if (value <= 4) return 'warn'
  return value <= 6 ? 'info' : 'debug'
}

/** How far into a line a level is looked for, characters: behind that it is what the line is about. */
const LOOKED_AT = 160
const LEVEL_WORDS =
  'TRACE|DEBUG|VERBOSE|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|FATAL|CRITICAL|CRIT|ALERT|EMERG|PANIC'
/** `ERROR` alone, in capitals; `[error]`, `<warn>` and the like in any case; `level=error`; `error:` at the beginning. */
const CAPITALS = new RegExp(`(?<![\\w-])(${LEVEL_WORDS})(?![\\w-])`)
const IN_BRACKETS = new RegExp(`[[<(|](?:\\w{1,32}:)?(${LEVEL_WORDS})[\\]>)|]`, 'i')
const AS_FIELD = /(?<![\w-])"?(?:level|severity|lvl)"?\s?[:=]\s?"?([A-Za-z]{2,13})(?![A-Za-z])/i
const AT_BEGIN = /^\s{0,8}(error|warning|warn|fatal|panic|critical|debug|info|notice)(?: \[[^\]]{0,64}\])?\s?[:!]/i

/** The level that a line of text tells of itself; null when it tells none. */
export function levelInText(text: string): LogLevel | null {
  const head = text.length > LOOKED_AT ? text.slice(0, LOOKED_AT) : text
  const word = (AS_FIELD.exec(head) ?? IN_BRACKETS.exec(head) ?? CAPITALS.exec(head) ?? AT_BEGIN.exec(head))?.[1]
  return word === undefined ? null : levelNamed(word)
}
