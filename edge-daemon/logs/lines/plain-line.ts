import type { LogLevel } from '../../../protocol/records.ts'
import { FieldBag } from './fields.ts'
import { levelInText, levelNamed } from './level.ts'
import type { ParsedLine } from './parsed.ts'
import { isSaneTime, leadingTime } from './time.ts'

/** nginx and Apache, common and combined: `1.2.3.4 - user [time] "GET / HTTP/1.1" 200 12 …`. */
const ACCESS =
  /^(\S{1,64}) \S{1,64} \S{1,128} (\[[^\]]{20,40}\]) "((?:[^"\\]|\\.)*)" (\d{3}) (\d{1,15}|-)(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?/
/** What syslog writes behind the time: host and program. */
const PROGRAM = /^\s?(\S{1,253}) ([\w./@-]{1,64})(?:\[(\d{1,10})\])?: /

/**
 * Parse a line of text: a time that it begins with, a level that it names, nginx and Apache access lines (5xx is an error, 4xx
 * a warning), host and program of syslog. The message is the line as it was written but for the time.
 */
export function parsePlainLine(text: string, nowMs: number): ParsedLine {
  const access = accessLine(text, nowMs)
  if (access !== null) return access
  const time = leadingTime(text, nowMs)
  if (time === null || !isSaneTime(time.timestamp, nowMs)) {
    return { timestamp: null, level: levelInText(text), msg: text, fields: null }
  }
  const rest = text.slice(time.length)
  const program = PROGRAM.exec(rest)
  if (program === null || levelNamed(program[1] ?? '') !== null) {
    return { timestamp: time.timestamp, level: levelInText(rest), msg: rest.trimStart() || text, fields: null }
  }
  const [all, host, name, pid] = program
  const fields = new FieldBag()
  fields.add('host', host)
  fields.add('program', name)
  if (pid !== undefined) fields.add('pid', Number(pid))
  const msg = rest.slice(all.length)
  return { timestamp: time.timestamp, level: levelInText(msg), msg, fields: fields.take() }
}

function accessLine(text: string, nowMs: number): ParsedLine | null {
  // Only a line with a quoted request can be one, and most are none.
  if (!text.includes('] "')) return null
  const match = ACCESS.exec(text)
  if (match === null) return null
  const [, client, time = '', request, status, bytes] = match
  const at = leadingTime(time, nowMs)
  const fields = new FieldBag()
  fields.add('client', client)
  fields.add('request', request)
  fields.add('status', Number(status))
  if (bytes !== '-') fields.add('bytes', Number(bytes))
  const timestamp = at !== null && isSaneTime(at.timestamp, nowMs) ? at.timestamp : null
  return { timestamp, level: levelOfStatus(Number(status)), msg: text, fields: fields.take() }
}

function levelOfStatus(status: number): LogLevel {
  if (status >= 500) return 'error'
  return status >= 400 ? 'warn' : 'info'
}
