import type { LogLevel } from '../../protocol/records.ts'
import { gapText } from '../fleet/gap-text.ts'
import type { LogLine, LogRow } from '../fleet/view.ts'
import type { LogStyle } from './logs-style.ts'

/** A row as a command prints it; `context` when it was not found itself but stands beside what was. */
export type PrintedLog = LogRow & { readonly context?: true }

/** How a row is written: with colours only on a terminal. */
export type TextStyle = Pick<LogStyle, 'fields'> & {
  readonly colour: boolean
  readonly timeText: (atMs: number) => string
}

const COLOURS: Readonly<Record<LogLevel, string>> = { debug: '2', info: '36', warn: '33', error: '31', fatal: '1;31' }
const DIM = '2'
const PLAIN: TextStyle = { fields: 'inline', timeText: (atMs) => timeText(atMs, 'utc'), colour: false }

/** One line of the plain form: time, node, level, source, message and its fields; nothing is cut. */
export function logRowAsText(row: PrintedLog, style: TextStyle = PLAIN): string {
  const paint = (text: string, code: string): string => (style.colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const time = paint(style.timeText(row.atMs), DIM)
  if (row.kind === 'gap') return `${time} ${row.name} ----- ${paint(gapText(row), '33')}`
  const level = paint(row.level.toUpperCase().padEnd(5), COLOURS[row.level])
  const msg = row.context ? paint(row.msg, DIM) : row.msg
  const cut = row.cutChars === 0 ? '' : ` [${row.cutChars} more characters were cut off on the node]`
  const late = row.late ? ' [late]' : ''
  return `${time} ${row.name} ${level} ${row.source}: ${msg}${fieldsText(row, style)}${cut}${late}`
}

/** A row as JSON has it: times are Unix ms on this machine's clock, but `nodeMs`. Texts are safe to show. */
export function logRowAsJson(row: PrintedLog): Record<string, unknown> {
  const { id: _id, key: _key, kind, atMs, name, ...rest } = row
  return { kind, node: name, atMs, ...rest }
}

/** ISO 8601 with milliseconds; local times with their distance from UTC. */
export function timeText(atMs: number, zone: LogStyle['time']): string {
  const date = new Date(atMs)
  if (zone === 'utc') return date.toISOString()
  const aheadMin = -date.getTimezoneOffset()
  const two = (count: number): string => String(count).padStart(2, '0')
  const shifted = new Date(atMs + aheadMin * 60_000).toISOString().slice(0, -1)
  const ahead = Math.abs(aheadMin)
  return `${shifted}${aheadMin < 0 ? '-' : '+'}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`
}

/** {@link timeText} for many lines: those of one second share all but the milliseconds. */
export function timeTexts(zone: LogStyle['time']): (atMs: number) => string {
  let second = Number.NaN
  let [head, tail] = ['', '']
  return (atMs) => {
    const at = Math.floor(atMs / 1000)
    if (at !== second) {
      const text = timeText(at * 1000, zone)
      const dot = text.indexOf('.')
      second = at
      head = text.slice(0, dot + 1)
      tail = text.slice(dot + 4)
    }
    return `${head}${String(Math.floor(atMs) - at * 1000).padStart(3, '0')}${tail}`
  }
}

function fieldsText({ fields }: LogLine, { fields: how }: TextStyle): string {
  if (how === 'none') return ''
  const lead = how === 'inline' ? ' ' : '\n    '
  return Object.entries(fields)
    .map(([name, value]) => `${lead}${name}=${value}`)
    .join('')
}
