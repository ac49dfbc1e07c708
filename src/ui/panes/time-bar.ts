import type { Reach, Stretch } from '../../replay/reach.ts'
import { formatClock } from '../format.ts'
import type { Line, Size } from '../terminal/line.ts'
import { widthOf } from '../terminal/text.ts'
import type { Token } from '../theme.ts'
import { type LineBuilder, line } from '../widgets/line-builder.ts'
import { type Look, severityMark } from './look.ts'

/** What the time bar shows. Times are Unix ms on our clock. */
export interface TimeBar {
  readonly fromMs: number
  readonly toMs: number
  readonly headMs: number
  readonly nowMs: number
  readonly reach: Reach
  /** Whose past it is, e.g. `node-1` or `all nodes`. */
  readonly of: string
  /** How to zoom, play and leave, as keys are bound. */
  readonly hint: string
}

/** Rows of the bar: all sources in one row where there is little room, else a row for each. */
export function timeBarRows(screenRows: number): number {
  return screenRows >= 34 ? 6 : 3
}

interface Mark {
  readonly glyph: string
  readonly token: Token
}

const LABEL_COLUMNS = 9
const NOTHING: Mark = { glyph: ' ', token: 'muted' }

/**
 * The time bar: alerts and holes over the span with the play head among them, then how far each source reaches, then the
 * scale. What is not here yet is dotted, what nobody kept is hatched; nothing is drawn that was not told.
 */
export function timeBarLines(bar: TimeBar, look: Look, size: Size): Line[] {
  const columns = Math.max(10, size.columns - LABEL_COLUMNS - 1)
  const cells = Array.from({ length: columns }, (_, at) => ({
    fromMs: bar.fromMs + ((bar.toMs - bar.fromMs) * at) / columns,
    toMs: bar.fromMs + ((bar.toMs - bar.fromMs) * (at + 1)) / columns,
  }))
  const head = cellOf(bar.headMs, bar, columns)
  // What was read is many stretches: each is put into its cells once.
  const kept = spread(bar.reach.kept, bar, columns)
  const read = (source: 'node' | 'cloud') => (cell: Stretch, at: number) =>
    keptMark(bar, cell, kept[at] ?? [], source, look)
  const row = (label: string, markOf: (cell: Stretch, at: number) => Mark): Line => {
    const out = line(look.theme).cell(` ${label}`, LABEL_COLUMNS, 'muted')
    for (const [at, cell] of cells.entries())
      addMark(out, at === head ? headMark(markOf(cell, at), look) : markOf(cell, at))
    return out.done()
  }
  const known = (cell: Stretch, at: number): Mark =>
    consoleMark(bar, cell, look) ?? read('node')(cell, at) ?? read('cloud')(cell, at) ?? NOTHING
  if (size.rows < 6) {
    return [eventRow(bar, cells, head, look), row('past', known), scaleRow(bar, look, size.columns)].slice(0, size.rows)
  }
  return [
    titleRow(bar, look, size.columns),
    eventRow(bar, cells, head, look),
    row('console', (cell) => consoleMark(bar, cell, look) ?? NOTHING),
    row('node', (cell, at) => read('node')(cell, at) ?? NOTHING),
    row('cloud', (cell, at) => read('cloud')(cell, at) ?? NOTHING),
    scaleRow(bar, look, size.columns),
  ]
}

function titleRow(bar: TimeBar, look: Look, columns: number): Line {
  const rule = look.ascii ? '=' : '═'
  const out = line(look.theme).add(`${rule} `, 'replayRule').add(`time: ${bar.of}`, 'title')
  const legend: readonly (readonly [string, string, Token])[] = [
    [glyphs(look).fine, 'seconds', 'series1'],
    [glyphs(look).coarse, 'minutes', 'series1'],
    [glyphs(look).events, 'events alone', 'series4'],
    [glyphs(look).none, 'nothing kept', 'warning'],
    [glyphs(look).failed, 'not reached', 'danger'],
    [glyphs(look).loading, 'not read', 'muted'],
  ]
  for (const [glyph, word, token] of legend) {
    if (out.columns + widthOf(word) + 6 > columns) break
    out.add('  ').add(glyph, token).add(` ${word}`, 'muted')
  }
  return out
    .add(' ')
    .add(rule.repeat(Math.max(0, columns - out.columns)), 'replayRule')
    .done()
}

function eventRow(bar: TimeBar, cells: readonly Stretch[], head: number | null, look: Look): Line {
  const out = line(look.theme).cell(' alerts', LABEL_COLUMNS, 'muted')
  for (const [at, cell] of cells.entries()) {
    if (at === head) {
      out.add(look.ascii ? 'V' : '▼', 'replayRule')
      continue
    }
    const worst = bar.reach.alerts
      .filter(({ atMs }) => atMs >= cell.fromMs && atMs < cell.toMs)
      .sort((a, b) => SEVERITY_RANK[a.severity] - SEVERITY_RANK[b.severity])[0]
    const isGap = bar.reach.gaps.some((gap) => overlaps(gap, cell))
    if (worst !== undefined) {
      const { token } = severityMark(worst.severity, look)
      out.add(worst.severity === 'info' ? 'i' : look.ascii ? '!' : '▲', token)
    } else if (isGap) out.add(look.ascii ? 'x' : '╳', 'warning')
    else out.add(' ')
  }
  return out.done()
}

const SEVERITY_RANK = { critical: 0, warning: 1, info: 2 } as const

/** Begin, middle and end of the span, and what the keys do where there is room. */
function scaleRow(bar: TimeBar, look: Look, columns: number): Line {
  const { fromMs, toMs, nowMs } = bar
  const short = toMs - fromMs <= 600_000
  const clock = (atMs: number): string => formatClock(atMs, 'local').slice(0, short ? 8 : 5)
  const end = Math.abs(nowMs - toMs) < 2000 ? 'now' : clock(toMs)
  const width = Math.max(10, columns - LABEL_COLUMNS - 1)
  const middle = clock((fromMs + toMs) / 2)
  const out = line(look.theme)
    .cell(` ${spanText(toMs - fromMs)}`, LABEL_COLUMNS, 'muted')
    .add(clock(fromMs), 'muted')
  const middleColumn = LABEL_COLUMNS + Math.floor(width / 2) - Math.floor(middle.length / 2)
  const free = middleColumn - out.columns
  if (widthOf(bar.hint) + 4 < free) out.add('  ').add(bar.hint, 'muted')
  return out
    .padTo(middleColumn)
    .add(middle, 'muted')
    .padTo(LABEL_COLUMNS + width - end.length)
    .add(end, 'muted')
    .done()
}

function spanText(spanMs: number): string {
  if (spanMs >= 86_400_000) return `${Math.round(spanMs / 3_600_000)} h`
  return spanMs >= 3_600_000 ? `${Math.round(spanMs / 3_600_000)} h` : `${Math.round(spanMs / 60_000)} min`
}

function consoleMark({ reach }: TimeBar, cell: Stretch, look: Look): Mark | null {
  return reach.console.some((stretch) => overlaps(stretch, cell))
    ? { glyph: glyphs(look).fine, token: 'series3' }
    : null
}

/** What was read of a source; the finest of a cell counts. */
function keptMark(
  { reach, nowMs }: TimeBar,
  cell: Stretch,
  here: Reach['kept'],
  source: 'node' | 'cloud',
  look: Look,
): Mark | null {
  const own = here.filter((stretch) => stretch.source === source)
  const token: Token = source === 'node' ? 'series1' : 'series4'
  const marks = glyphs(look)
  for (const state of ['fine', 'coarse', 'events'] as const) {
    if (own.some((stretch) => stretch.state === state)) return { glyph: marks[state], token }
  }
  if (source === 'node' && here.some(({ state }) => state === 'loading'))
    return { glyph: marks.loading, token: 'accent' }
  if (cell.fromMs < nowMs && own.some(({ state }) => state === 'none')) return { glyph: marks.none, token: 'warning' }
  if (source === 'node' && here.some(({ state }) => state === 'failed')) return { glyph: marks.failed, token: 'danger' }
  if (source === 'node' && reach.promised.some((stretch) => overlaps(stretch, cell))) {
    return { glyph: marks.loading, token: 'muted' }
  }
  return null
}

/** The head runs through every row. */
function headMark({ glyph }: Mark, look: Look): Mark {
  return { glyph: glyph === ' ' ? (look.ascii ? '|' : '│') : glyph, token: 'replay' }
}

function glyphs(look: Look) {
  return look.ascii
    ? { fine: '#', coarse: '=', events: '+', none: '/', failed: '?', loading: '.' }
    : { fine: '█', coarse: '▄', events: '▁', none: '╱', failed: '?', loading: '·' }
}

function cellOf(atMs: number, { fromMs, toMs }: TimeBar, columns: number): number | null {
  if (atMs < fromMs || atMs > toMs) return null
  return Math.min(columns - 1, Math.floor(((atMs - fromMs) / (toMs - fromMs)) * columns))
}

/** Stretches by the cells that they reach into. */
function spread<S extends Stretch>(stretches: readonly S[], bar: Stretch, columns: number): S[][] {
  const cells: S[][] = Array.from({ length: columns }, () => [])
  const perMs = columns / (bar.toMs - bar.fromMs)
  for (const stretch of stretches) {
    const first = Math.max(0, Math.floor((stretch.fromMs - bar.fromMs) * perMs))
    const last = Math.min(columns - 1, Math.ceil((stretch.toMs - bar.fromMs) * perMs) - 1)
    for (let at = first; at <= last; at += 1) cells[at]?.push(stretch)
  }
  return cells
}

function overlaps(a: Stretch, b: Stretch): boolean {
  return a.fromMs < b.toMs && a.toMs >= b.fromMs
}

function addMark(out: LineBuilder, { glyph, token }: Mark): void {
  out.add(glyph, token)
}
