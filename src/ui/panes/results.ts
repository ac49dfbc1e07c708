import type { ResultView } from '../../fleet/view.ts'
import { formatBytes, formatClock, formatMs, UNKNOWN } from '../format.ts'
import type { Line } from '../terminal/line.ts'
import type { Token } from '../theme.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'

/** The heading over results. */
export function resultHeading(look: Look, columns: number): Line {
  const out = line(look.theme).add('   ', 'header').cell('TIME', 12, 'header')
  for (const [title, width] of HEADINGS) out.add(' ', 'header').cell(title, width, 'header', 'right')
  return out.add('  ', 'header').rest('WHY', columns, 'header').padTo(columns, 'header').done()
}

const HEADINGS = [
  ['PRED', 4],
  ['SURE', 6],
  ['CODE', 4],
  ['TOOK', 8],
  ['SIZE', 8],
] as const

/** One inference as a row: what was seen, how sure, how long it took, and why it is abnormal. */
export function resultLine(row: ResultView, look: Look, columns: number, selected = false): Line {
  const abnormal = row.reason !== null
  const token: Token = abnormal ? (row.code >= 500 ? 'danger' : 'warning') : 'text'
  const out = line(look.theme, ...(selected ? (['selection'] as const) : []))
  out.add(selected ? (look.ascii ? '>' : '▶') : ' ', 'accent')
  out.add(abnormal ? (look.ascii ? '! ' : '▲ ') : '  ', token)
  out.cell(`${formatClock(row.atMs, 'local')}.${String(Math.floor(row.atMs) % 1000).padStart(3, '0')}`, 12, 'muted')
  const cells: readonly (readonly [string, number, Token])[] = [
    [row.pred === null ? UNKNOWN : String(row.pred), 4, token],
    [row.confidence === null ? UNKNOWN : `${Math.floor(row.confidence * 100)} %`, 6, token],
    [String(row.code), 4, row.code === 200 ? 'text' : token],
    [formatMs(row.totalMs), 8, row.totalMs > LATE_MS ? 'warning' : 'text'],
    [formatBytes(row.bytes), 8, 'muted'],
  ]
  for (const [text, width, look_] of cells) out.add(' ').cell(text, width, look_, 'right')
  const why = [row.reason?.replaceAll('_', ' '), row.msg, row.seq === 0 ? 'not kept' : null].filter(Boolean).join(': ')
  out.add('  ').rest(why, columns, token)
  return (selected ? out.padTo(columns) : out).done()
}

/** The limit of requirement L1. */
const LATE_MS = 50
