import type { LogLevel } from '../../../protocol/records.ts'
import type { LogRow } from '../../fleet/view.ts'
import { formatClock } from '../format.ts'
import type { Line } from '../terminal/line.ts'
import { clustersOf, widthOf } from '../terminal/text.ts'
import type { Token } from '../theme.ts'
import { type LineBuilder, line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'

/** How log rows are drawn. */
export interface LogStyle {
  readonly columns: number
  readonly time: 'local' | 'utc' | 'off'
  /** Columns of the node's name; 0 leaves it out. */
  readonly nodeColumns: number
  readonly wrap: boolean
  /** Shown as a match wherever it stands; empty for none. */
  readonly match: string
  readonly selectedId: number | null
}

const LEVELS: Readonly<Record<LogLevel, readonly [string, Token]>> = {
  debug: ['DEBUG', 'muted'],
  info: ['INFO ', 'info'],
  warn: ['WARN ', 'warning'],
  error: ['ERROR', 'danger'],
  fatal: ['FATAL', 'danger'],
}
/** Most lines that one wrapped row may take, so that a 90 000-character line harms nobody. */
const MAX_WRAPPED_LINES = 20

/** One row as one line, or several when it is wrapped. */
export function logLines(row: LogRow, style: LogStyle, look: Look): Line[] {
  const selected = row.id === style.selectedId
  const under: Token[] = selected ? ['selection'] : []
  const lead = line(look.theme, ...under)
  // Without a cursor there is no column for one: a tail looks the same, one column further left.
  if (style.selectedId !== null) lead.add(selected ? (look.ascii ? '>' : '▌') : ' ', 'accent')
  if (style.time !== 'off') lead.add(`${formatClock(row.atMs, style.time)} `, 'muted')
  if (style.nodeColumns > 0) lead.cell(row.name, style.nodeColumns, 'accent').add(' ')
  if (row.kind === 'gap') {
    const missed = row.missed === null ? 'lines' : `${row.missed} line${row.missed === 1 ? '' : 's'}`
    const text = `${look.ascii ? '---' : '┄┄┄'} ${missed} did not come: ${gapReason(row.reason)}`
    return [lead.rest(text, style.columns, 'warning').done()]
  }
  const [word, token] = LEVELS[row.level]
  lead.add(`${word} `, token)
  const text = textOf(row)
  if (!style.wrap) {
    addMatched(lead, cutTo(text, style.columns - lead.columns, look), style.match)
    if (selected) lead.padTo(style.columns)
    return [lead.done()]
  }
  const indent = lead.columns
  const parts = wrapTo(text, Math.max(10, style.columns - indent))
  return parts.map((part, index) => {
    const out = index === 0 ? lead : line(look.theme, ...under).padTo(indent)
    addMatched(out, part, style.match)
    if (selected) out.padTo(style.columns)
    return out.done()
  })
}

/** What stands where there is no line of a level to show. */
export function nothingYet(look: Look, minLevel: LogLevel, when: 'now' | 'past', contains = ''): Line {
  const wanted = contains === '' ? '' : ` with "${contains}"`
  return line(look.theme)
    .add(` no line of level ${minLevel} or above${wanted} ${when === 'now' ? 'yet' : 'is known of this time'}`, 'muted')
    .done()
}

/** Message and fields as one text, the way it is searched. */
export function textOf(row: Extract<LogRow, { kind: 'line' }>): string {
  const fields = Object.entries(row.fields)
    .filter(([name]) => name !== 'event')
    .map(([name, value]) => `${name}=${value}`)
  return fields.length === 0 ? row.msg : `${row.msg}  ${fields.join(' ')}`
}

function gapReason(reason: string): string {
  const reasons: Record<string, string> = {
    no_credit: 'this console was too slow',
    slow_reader: 'the link to this console was too slow',
    away: 'they came while there was no link',
    evicted: 'the node no longer keeps them',
    too_large: 'they are too large to send',
  }
  return reasons[reason] ?? reason
}

function cutTo(text: string, columns: number, look: Look): string {
  // What cannot be seen is not measured: no more than one code unit a column, with room for joined characters.
  const head = text.slice(0, columns * 4 + 64)
  if (head.length === text.length && widthOf(text) <= columns) return text
  const end = look.ascii ? '>' : '…'
  let out = ''
  let used = 0
  for (const cluster of clustersOf(head)) {
    if (used + cluster.columns > columns - 1) return out + end
    out += cluster.text
    used += cluster.columns
  }
  return head.length < text.length ? out + end : out
}

function wrapTo(text: string, columns: number): string[] {
  const parts: string[] = []
  let part = ''
  let used = 0
  for (const cluster of clustersOf(text.slice(0, columns * 4 * MAX_WRAPPED_LINES))) {
    if (used + cluster.columns > columns) {
      parts.push(part)
      if (parts.length === MAX_WRAPPED_LINES) return parts
      part = ''
      used = 0
    }
    part += cluster.text
    used += cluster.columns
  }
  parts.push(part)
  return parts
}

function addMatched(out: LineBuilder, text: string, match: string): void {
  if (match === '') {
    out.add(text)
    return
  }
  const lower = text.toLowerCase()
  const wanted = match.toLowerCase()
  let from = 0
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    out.add(text.slice(from, at)).add(text.slice(at, at + match.length), 'match')
    from = at + match.length
  }
  out.add(text.slice(from))
}
