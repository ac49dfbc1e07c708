import type { LogLevel } from '../../../protocol/records.ts'
import { gapText, missingText, spaced } from '../../fleet/gap-text.ts'
import type { LogPattern } from '../../fleet/log-pattern.ts'
import type { LogGap, LogLine, LogRow } from '../../fleet/view.ts'
import { formatAge, formatClock } from '../format.ts'
import type { LogTime } from '../logs/choices.ts'
import type { Line } from '../terminal/line.ts'
import { fitText, truncate, widthOf } from '../terminal/text.ts'
import type { Token } from '../theme.ts'
import { type LineBuilder, line } from '../widgets/line-builder.ts'
import { inlineFields, unfoldedFields } from './log-fields.ts'
import type { Look } from './look.ts'
import { layPieces, type Piece } from './styled-text.ts'

/** How log rows are drawn. */
export interface LogStyle {
  readonly columns: number
  readonly time: LogTime
  /** Thousandths of a second too. */
  readonly precise?: boolean
  /** Now, or the time that is looked at (Unix ms): what is of another day says which. */
  readonly nowMs: number
  /** Columns of the node's name; 0 leaves it out. */
  readonly nodeColumns: number
  readonly wrap: boolean
  /** Shown as a match wherever it stands; null for nothing. */
  readonly search: LogPattern | null
  readonly selectedId: number | null
  /** The row that the operator marked. */
  readonly markedId?: number | null
  /** It stands around another line, and is told apart from those that were asked for. */
  readonly isContext?: boolean
  /** Whether the fields of a row have lines of their own. */
  readonly isUnfolded?: (row: LogLine) => boolean
}

const LEVELS: Readonly<Record<LogLevel, readonly [string, Token]>> = {
  debug: ['DEBUG', 'muted'],
  info: ['INFO ', 'info'],
  warn: ['WARN ', 'warning'],
  error: ['ERROR', 'danger'],
  fatal: ['FATAL', 'danger'],
}
/** Most lines that one wrapped text may take, so that a 90 000-character line harms nobody. */
const MAX_WRAPPED_LINES = 20
/** Matches that are marked in one row. */
const MAX_MARKED = 100
/** The daemon's own log says so by having no source before its lines. */
const OWN_SOURCE = 'edge-daemon'
const MAX_SOURCE_COLUMNS = 28

/** One row as one line, or several when it is wrapped or unfolded. */
export function logLines(row: LogRow, style: LogStyle, look: Look): Line[] {
  const lead = leadOf(row, style, look)
  if (row.kind === 'gap')
    return [
      lead
        .rest(`${look.ascii ? '---' : '┄┄┄'} ${gapLine(row)}`, style.columns, 'warning')
        .padTo(padOf(row, style))
        .done(),
    ]
  const [word, token] = LEVELS[row.level]
  lead.add(`${word} `, token)
  const indent = lead.columns
  const unfolded = style.isUnfolded?.(row) === true
  const pieces = unfolded ? [...introOf(row), { text: row.msg, token: 'text' } as const] : foldedPieces(row, style)
  const first = laid(pieces, style, look, indent, style.wrap || unfolded)
  const more = unfolded ? unfoldedLines(row, style, look, indent) : []
  return [...first, ...more].map((part, index) => {
    const out = index === 0 ? lead : line(look.theme, ...under(row, style)).padTo(indent)
    for (const piece of part) out.add(piece.text, piece.isMatch ? 'match' : piece.token)
    return out.padTo(padOf(row, style)).done()
  })
}

/** What stands where there is no line of a level to show. */
export function nothingYet(look: Look, minLevel: LogLevel, when: 'now' | 'past' | 'reading', filter = ''): Line {
  const wanted = filter === '' ? '' : ` with "${filter}"`
  const lines = `of level ${minLevel} or above${wanted}`
  if (when === 'reading') {
    return line(look.theme)
      .add(` reading lines ${lines} from the nodes ${look.ascii ? '...' : '…'}`, 'info')
      .done()
  }
  return line(look.theme)
    .add(` no line ${lines} ${when === 'now' ? 'yet' : 'is known of this time'}`, 'muted')
    .done()
}

/** A row as a line of plain text, for the clipboard and for files: nothing is cut or folded. */
export function plainText(row: LogRow, zone: 'local' | 'utc'): string {
  const when = zone === 'utc' ? new Date(row.atMs).toISOString() : localStamp(row.atMs)
  if (row.kind === 'gap') return `${when} ${row.name} --- ${gapText(row, row.name)}`
  const fields = Object.entries(row.fields).map(([name, value]) => ` ${name}=${value}`)
  const cut = row.cutChars > 0 ? ` (${row.cutChars} characters were cut by the node)` : ''
  return `${when} ${row.name} ${LEVELS[row.level][0]} ${row.source}: ${row.msg}${fields.join('')}${cut}`
}

/** How a time is shown before a line. */
export function timeText(atMs: number, style: Pick<LogStyle, 'time' | 'precise' | 'nowMs'>): string {
  const { time, nowMs, precise = false } = style
  if (time === 'off') return ''
  if (time === 'relative') return fitText(`${formatAge(nowMs - atMs)} ago`, 11, 'right')
  const thousandths = precise ? `.${String(Math.floor(atMs) % 1000).padStart(3, '0')}` : ''
  const day = dayOf(atMs, time)
  const date = day === dayOf(nowMs, time) ? '' : `${day.slice(5)} `
  return `${date}${formatClock(atMs, time)}${thousandths}${time === 'utc' ? 'Z' : ''}`
}

/** What is known of lines that are not there, and what the operator can do about those that this console let go. */
function gapLine(row: LogGap): string {
  return row.reason === 'let_go' ? `${missingText(row, row.name)}; enter reads them again` : gapText(row, row.name)
}

function leadOf(row: LogRow, style: LogStyle, look: Look): LineBuilder {
  const selected = row.id === style.selectedId
  const lead = line(look.theme, ...under(row, style))
  const marked = row.id === style.markedId
  // Without a cursor there is no column for one: a tail looks the same, one column further left.
  if (style.selectedId !== null || (style.markedId ?? null) !== null) {
    const [bar, mark, around] = look.ascii ? ['>', '*', '|'] : ['▌', '◆', '│']
    lead.add(selected ? bar : marked ? mark : style.isContext === true ? around : ' ', selected ? 'accent' : 'marked')
  }
  const time = timeText(row.atMs, style)
  if (time !== '') lead.add(`${time} `, 'muted')
  if (style.nodeColumns > 0) lead.cell(row.name, style.nodeColumns, 'accent').add(' ')
  return lead
}

function under(row: LogRow, style: LogStyle): Token[] {
  if (style.isContext === true) return ['stale']
  return row.id === style.selectedId ? ['selection'] : []
}

/** The selected row is inverse to the edge, so that it is seen without colours too. */
function padOf(row: LogRow, style: LogStyle): number {
  return row.id === style.selectedId ? style.columns : 0
}

/** What stands before a message: that it came late, and whose it is. */
function introOf(row: LogLine): Piece[] {
  const pieces: Piece[] = row.late ? [{ text: 'late ', token: 'warning' }] : []
  if (row.source !== '' && row.source !== OWN_SOURCE) {
    pieces.push({ text: `${truncate(row.source, MAX_SOURCE_COLUMNS)}: `, token: 'muted' })
  }
  return pieces
}

function foldedPieces(row: LogLine, style: LogStyle): Piece[] {
  const pieces: Piece[] = [...introOf(row), { text: row.msg, token: 'text' }]
  pieces.push(...inlineFields(row, (text) => style.search?.test(text) === true))
  if (row.cutChars > 0) pieces.push({ text: ` (${spaced(row.cutChars)} characters cut)`, token: 'warning' })
  if (row.before.length > 0)
    pieces.push({
      text: ` (${row.before.length} ${row.before.length === 1 ? 'line' : 'lines'} before)`,
      token: 'muted',
    })
  return pieces
}

function unfoldedLines(row: LogLine, style: LogStyle, look: Look, indent: number): Piece[][] {
  const lines: Piece[][] = []
  const add = (pieces: readonly Piece[]): void => {
    lines.push(...laid(pieces, style, look, indent, true))
  }
  if (row.cutChars > 0)
    add([{ text: `${spaced(row.cutChars)} more characters were cut by the node`, token: 'warning' }])
  if (row.source !== '' && widthOf(row.source) > MAX_SOURCE_COLUMNS) add([{ text: row.source, token: 'muted' }])
  for (const field of unfoldedFields(row)) add(field)
  if (row.before.length > 0) add([{ text: 'before it:', token: 'muted' }])
  for (const earlier of row.before) {
    const [word, token] = LEVELS[earlier.level]
    const time = timeText(earlier.atMs, style)
    add([
      { text: `${time}${time === '' ? '' : ' '}`, token: 'muted' },
      { text: `${word} `, token },
      { text: earlier.msg, token: 'text' },
    ])
  }
  return lines
}

function laid(pieces: readonly Piece[], style: LogStyle, look: Look, indent: number, wrap: boolean): Piece[][] {
  const { search } = style
  return layPieces(pieces, {
    columns: Math.max(10, style.columns - indent),
    lines: wrap ? MAX_WRAPPED_LINES : 1,
    ellipsis: look.ascii ? '>' : '…',
    ...(search === null ? {} : { ranges: (text: string) => search.ranges(text, MAX_MARKED) }),
  })
}

/** Day of a time, `YYYY-MM-DD`. */
function dayOf(atMs: number, zone: 'local' | 'utc'): string {
  const date = new Date(atMs)
  if (zone === 'utc') return date.toISOString().slice(0, 10)
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, '0'))
    .join('-')
}

function localStamp(atMs: number): string {
  return `${dayOf(atMs, 'local')} ${formatClock(atMs, 'local')}.${String(Math.floor(atMs) % 1000).padStart(3, '0')}`
}
