import type { LogLevel } from '../../protocol/records.ts'

/** How programs call their levels; numbers are those of pino and bunyan. */
const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: 'debug',
  debug: 'debug',
  '10': 'debug',
  '20': 'debug',
  info: 'info',
  notice: 'info',
  '30': 'info',
  warn: 'warn',
  warning: 'warn',
  '40': 'warn',
  err: 'error',
  error: 'error',
  '50': 'error',
  fatal: 'fatal',
  crit: 'fatal',
  critical: 'fatal',
  panic: 'fatal',
  emerg: 'fatal',
  alert: 'fatal',
  '60': 'fatal',
}

const KLOG: Readonly<Record<string, LogLevel>> = { I: 'info', W: 'warn', E: 'error', F: 'fatal' }
/** A level stands near the beginning; what is far behind is a part of what is said. */
const HEAD_CHARS = 300

const IN_JSON = /"(?:level|severity|lvl|loglevel)"\s*:\s*"?(\w{1,10})/i
const IN_LOGFMT = /(?:^|\s)(?:level|severity|lvl)="?(\w{1,10})/i
const IN_KLOG = /^([IWEF])\d{4} \d\d:\d\d:\d\d\./
const IN_WORDS =
  /(?:^|[\s[(|])(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERR|ERROR|FATAL|CRIT|CRITICAL|PANIC)(?=[\s\])|:]|$)/

/** The level of a line that a container wrote, in JSON, logfmt, klog or plain words; `info` where it names none. */
export function levelOfLine(text: string): LogLevel {
  const head = text.slice(0, HEAD_CHARS)
  const klog = IN_KLOG.exec(head)?.[1]
  if (klog !== undefined) return KLOG[klog] ?? 'info'
  const named = (head.startsWith('{') ? IN_JSON : IN_LOGFMT).exec(head)?.[1] ?? IN_WORDS.exec(head)?.[1]
  const key = named?.toLowerCase()
  return key !== undefined && Object.hasOwn(LEVELS, key) ? (LEVELS[key] ?? 'info') : 'info'
}
