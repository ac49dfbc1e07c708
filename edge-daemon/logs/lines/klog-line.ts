import type { LogLevel } from '../../../protocol/records.ts'
import { FieldBag } from './fields.ts'
import { pairsIn, unquoted } from './logfmt-line.ts'
import type { ParsedLine } from './parsed.ts'
import { lastYear } from './time.ts'

const KLOG =
  /^([IWEF])(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6}) {1,8}(\d{1,10}) ([^\s:\]]{1,128}:\d{1,7})\] ?([\s\S]*)$/
const LEVEL_OF: Readonly<Record<string, LogLevel>> = { I: 'info', W: 'warn', E: 'error', F: 'fatal' }
const QUOTED_MSG = /^"(?:[^"\\]|\\.)*"(?= |$)/

/** Parse a line of klog, as Kubernetes' own programs write it: `E0102 15:04:05.000000 1 file.go:12] msg`; null when it is none. */
export function parseKlogLine(text: string, nowMs: number): ParsedLine | null {
  const match = KLOG.exec(text)
  if (match === null) return null
  const [, letter = '', month, day, hour, minute, second, micros, , place, rest = ''] = match
  const fields = new FieldBag()
  fields.add('caller', place)
  const quoted = QUOTED_MSG.exec(rest)?.[0]
  const pairs = quoted === undefined ? null : pairsIn(rest, quoted.length)
  for (const [name, value] of Object.entries(pairs ?? {})) fields.add(name, value)
  return {
    timestamp: lastYear([Number(month), Number(day), Number(hour), Number(minute), Number(second)], micros, nowMs),
    level: LEVEL_OF[letter] ?? null,
    msg: quoted === undefined || pairs === null ? rest : unquoted(quoted),
    fields: fields.take(),
  }
}
