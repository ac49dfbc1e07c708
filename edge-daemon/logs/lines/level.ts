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
/** As nearly all write them. */
const AS_WRITTEN = new Map(
  Object.entries(LEVEL_OF).flatMap(([name, level]): [string, LogLevel][] => [
    [name, level],
    [name.toUpperCase(), level],
  ]),
)

/** The level that a word names in any case, as programs and syslog write it; null when it names none. */
export function levelNamed(word: string): LogLevel | null {
  if (word.length > LONGEST_NAME) return null
  const known = AS_WRITTEN.get(word)
  if (known !== undefined) return known
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

/** What a character is to the scan that tells which patterns can match. */
const UPPER = 1
const WORD = 2
/** The last letter of a word in {@link LEVEL_WORDS}, in any case. */
const ENDS_LEVEL = 4
/** The last letter of `level`, `lvl` and `severity`, in any case. */
const ENDS_NAME = 8
const OPENS = 16
const CLOSES = 32
const ASSIGNS = 64
/** What may stand between a name and what assigns to it. */
const BETWEEN = 128
const KINDS = new Uint8Array(128)
for (let code = 0; code < 128; code += 1) {
  const char = String.fromCharCode(code)
  KINDS[code] =
    (/[A-Z]/.test(char) ? UPPER : 0) |
    (/[\w-]/.test(char) ? WORD : 0) |
    (/[egonrltc]/i.test(char) ? ENDS_LEVEL : 0) |
    (/[ly]/i.test(char) ? ENDS_NAME : 0) |
    (/[[<(|]/.test(char) ? OPENS : 0) |
    (/[\]>)|]/.test(char) ? CLOSES : 0) |
    (/[:=]/.test(char) ? ASSIGNS : 0) |
    (/["\s]/.test(char) ? BETWEEN : 0)
}
const FIELD = 1
const BRACKETS = 2
const CAPITAL = 4

/** Which patterns can match a text at all; a bit for each of three. Most lines can match none, or one. */
function candidates(head: string): number {
  let found = 0
  let isOpened = false
  let before = 0
  /** The last character that may end a name, and those behind it that may stand between. */
  let name = 0
  for (let at = 0; at < head.length; at += 1) {
    const code = head.charCodeAt(at)
    // Other blanks than those of ASCII may stand between as well.
    const kind = code < 128 ? (KINDS[code] as number) : BETWEEN
    if ((kind & CLOSES) !== 0 && isOpened && (before & ENDS_LEVEL) !== 0) found |= BRACKETS
    if ((kind & OPENS) !== 0) isOpened = true
    if ((kind & UPPER) !== 0 && (before & WORD) === 0 && (KINDS[head.charCodeAt(at + 1)] ?? 0) & UPPER) found |= CAPITAL
    if ((kind & ASSIGNS) !== 0 && (name & ENDS_NAME) !== 0) found |= FIELD
    if ((kind & BETWEEN) === 0) name = kind
    before = kind
  }
  return found
}

/** The level that a line of text tells of itself; null when it tells none. */
export function levelInText(text: string): LogLevel | null {
  const head = text.length > LOOKED_AT ? text.slice(0, LOOKED_AT) : text
  const can = candidates(head)
  const word = (((can & FIELD) !== 0 ? AS_FIELD.exec(head) : null) ??
    ((can & BRACKETS) !== 0 ? IN_BRACKETS.exec(head) : null) ??
    ((can & CAPITAL) !== 0 ? CAPITALS.exec(head) : null) ??
    AT_BEGIN.exec(head))?.[1]
  return word === undefined ? null : levelNamed(word)
}
