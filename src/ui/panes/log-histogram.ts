import { formatClock, formatCount } from '../format.ts'
import type { Line, Size } from '../terminal/line.ts'
import type { Token } from '../theme.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'

/** Log lines of one step of time. */
export interface LogBar {
  /** Errors and what is worse. */
  readonly errors: number
  readonly warns: number
}

/**
 * Whether bars tell anything: they are counted, being counted for the first time, left out by the chosen level, or no node
 * counted them.
 */
export type BarsState = 'counted' | 'counting' | 'left out' | 'not counted'

/** How many errors and warnings there were over time. Times are Unix ms on our clock. */
export interface LogBars {
  /** Begin of the first bar. */
  readonly fromMs: number
  readonly stepMs: number
  readonly bars: readonly LogBar[]
  /** From when on everything is known; null when that is not known yet. */
  readonly knownFromMs: number | null
  readonly errorsAre: BarsState
  readonly warnsAre: BarsState
}

/** What a histogram is drawn from. */
export interface HistogramView {
  readonly bars: LogBars
  /** The lines in sight, first and last; null when there are none. */
  readonly shown: { readonly fromMs: number; readonly toMs: number } | null
  /** Line under the cursor; null when there is no cursor. */
  readonly cursorMs: number | null
  readonly nowMs: number
  readonly zone: 'local' | 'utc'
}

const LABEL_COLUMNS = 10
const TAIL_COLUMNS = 13
const BLOCKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const
const ASCII_BLOCKS = [' ', '.', ':', '-', '=', '+', '*', '#', '@'] as const
const STEPS_MS = [
  1, 2, 3, 5, 10, 15, 20, 30, 60, 90, 120, 180, 300, 600, 900, 1200, 1800, 3600, 5400, 7200, 10_800, 14_400, 21_600,
  28_800, 43_200, 86_400,
].map((seconds) => seconds * 1000)
const DAY_MS = 86_400_000

/** Rows of the histogram on a terminal of so many rows: lines come first. */
export function histogramRows(screenRows: number): number {
  if (screenRows < 20) return 0
  if (screenRows < 30) return 1
  if (screenRows < 50) return 3
  return screenRows < 65 ? 4 : 5
}

/** Bars that fit beside the labels. */
export function barsAcross(columns: number): number {
  return Math.max(1, columns - LABEL_COLUMNS - TAIL_COLUMNS)
}

/** Width of a bar in time, ms: the shortest round one with which so long a span fits into so many bars. */
export function stepFor(spanMs: number, bars: number): number {
  return STEPS_MS.find((stepMs) => spanMs / stepMs <= bars) ?? DAY_MS
}

/** Errors and warnings over time, the window of what is in sight marked under them. */
export function histogramLines(view: HistogramView, look: Look, size: Size): Line[] {
  const columns = barsAcross(size.columns)
  const { bars, stepMs } = view.bars
  const shown = bars.slice(0, columns)
  const errors = { label: ' errors', values: shown.map((bar) => bar.errors), state: view.bars.errorsAre }
  if (size.rows <= 1) {
    return barRows(view, { ...errors, token: 'danger', rows: 1, unit: stepMs, marksWindow: true }, look)
  }
  const errorRows = barRows(view, { ...errors, token: 'danger', rows: Math.max(1, size.rows - 2), unit: stepMs }, look)
  const warns = { label: ' warns', values: shown.map((bar) => bar.warns), state: view.bars.warnsAre }
  const warnRows = barRows(view, { ...warns, token: 'warning', rows: 1, unit: stepMs }, look)
  const scale = scaleRow(view, columns, look)
  return size.rows === 2 ? [...errorRows, scale] : [...errorRows, ...warnRows, scale]
}

interface Bars {
  readonly label: string
  readonly values: readonly number[]
  readonly state: BarsState
  readonly token: Token
  readonly rows: number
  readonly unit: number
  readonly marksWindow?: boolean
}

function barRows(
  view: HistogramView,
  { label, values, state, token, rows, unit, marksWindow = false }: Bars,
  look: Look,
): Line[] {
  const most = Math.max(0, ...values)
  const glyphs = look.ascii ? ASCII_BLOCKS : BLOCKS
  const nothing = look.ascii ? '/' : '╱'
  return Array.from({ length: rows }, (_, row) => {
    const isFirst = row === 0
    const isLast = row === rows - 1
    const out = line(look.theme).cell(isLast ? label : '', LABEL_COLUMNS, 'muted')
    for (const [at, value] of values.entries()) {
      const marks: Token[] = marksWindow && isInSight(view, at) ? ['selection'] : []
      if (!isKnown(view.bars, at) || state !== 'counted') {
        out.add(isLast && state !== 'left out' ? nothing : ' ', 'muted', ...marks)
        continue
      }
      // One line of a thousand is still seen: whatever is there fills at least an eighth.
      const eighths = value === 0 || most === 0 ? 0 : Math.max(1, Math.round((value / most) * rows * 8))
      const here = Math.max(0, Math.min(8, eighths - (rows - 1 - row) * 8))
      out.add(glyphs[here] ?? ' ', token, ...marks)
    }
    const told = most === 0 ? 'none' : `max ${formatCount(most)}/${stepText(unit)}`
    const tail = state === 'counted' ? told : state === 'counting' ? `counting${look.ascii ? '...' : '…'}` : state
    return out.add(isFirst ? ` ${tail}` : '', 'muted').done()
  })
}

/** Begin and end of the time, what of it is in sight, and where the cursor is. */
function scaleRow(view: HistogramView, columns: number, look: Look): Line {
  const { bars, fromMs, stepMs } = view.bars
  const toMs = fromMs + bars.length * stepMs
  const [rule, sight, cursor] = look.ascii ? ['-', '=', '^'] : ['─', '━', '▲']
  const cursorAt = view.cursorMs === null ? null : Math.floor((view.cursorMs - fromMs) / stepMs)
  const out = line(look.theme).cell(` ${beginText(view)}`, LABEL_COLUMNS, 'muted')
  for (let at = 0; at < Math.min(columns, bars.length); at += 1) {
    if (at === cursorAt) out.add(cursor, 'accent')
    else if (isInSight(view, at)) out.add(sight, 'accent')
    else out.add(rule, 'border')
  }
  return out.add(` ${endText(toMs, view)}`, 'muted').done()
}

function isInSight({ shown, bars: { fromMs, stepMs } }: HistogramView, at: number): boolean {
  if (shown === null) return false
  const startMs = fromMs + at * stepMs
  return shown.toMs >= startMs && shown.fromMs < startMs + stepMs
}

function isKnown({ knownFromMs, fromMs, stepMs }: LogBars, at: number): boolean {
  return knownFromMs !== null && fromMs + (at + 1) * stepMs > knownFromMs
}

/** Begin of the scale: the time of day, or the day where the scale is longer than one. */
function beginText({ bars: { fromMs, stepMs, bars }, zone }: HistogramView): string {
  return bars.length * stepMs > DAY_MS ? dayText(fromMs, zone) : formatClock(fromMs, zone)
}

/** End of the scale, with its day where that is not today's. */
function endText(toMs: number, { bars: { stepMs, bars }, nowMs, zone }: HistogramView): string {
  if (nowMs >= toMs - stepMs && nowMs <= toMs + stepMs) return 'now'
  const clock = formatClock(toMs, zone)
  const day = dayText(toMs, zone)
  if (bars.length * stepMs > DAY_MS) return day
  return day === dayText(nowMs, zone) ? clock : `${day} ${clock.slice(0, 5)}`
}

function dayText(atMs: number, zone: 'local' | 'utc'): string {
  const date = new Date(atMs)
  const [month, day] = zone === 'utc' ? [date.getUTCMonth(), date.getUTCDate()] : [date.getMonth(), date.getDate()]
  return `${String(month + 1).padStart(2, '0')}-${String(day).padStart(2, '0')}`
}

function stepText(stepMs: number): string {
  if (stepMs < 60_000 || stepMs === 90_000) return `${stepMs / 1000}s`
  if (stepMs < 3_600_000) return `${stepMs / 60_000}m`
  return stepMs < DAY_MS ? `${stepMs / 3_600_000}h` : `${stepMs / DAY_MS}d`
}
