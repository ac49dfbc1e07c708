import type { Line, Size, Span } from '../terminal/line.ts'
import { fitText, widthOf } from '../terminal/text.ts'
import type { Theme, Token } from '../theme.ts'
import { ASCII_MARKS, BrailleCanvas, DotCanvas, type PlotCanvas } from './plot-canvas.ts'

/** One curve. */
export interface ChartSeries {
  readonly name: string
  readonly token: Token
  /** Oldest first, one a time step, all series alike; null where there is no data: the curve has a gap there. */
  readonly values: readonly (number | null)[]
}

/** What a line chart shows. */
export interface LineChart {
  readonly series: readonly ChartSeries[]
  /** Text of a value with its unit, for the axis and the legend, such as `12 ms`. */
  readonly format: (value: number) => string
  /** Time that the values span, for the axis, such as `-5 min`; the right edge is now. */
  readonly span: string
  /** Text at the right end of the time axis. Default `now`. */
  readonly end?: string
  /** Smallest top of the value axis, so that noise on an idle line does not fill the chart. */
  readonly atLeast?: number
  /** A limit to draw across, such as 50 ms. */
  readonly threshold?: { readonly value: number; readonly token: Token }
  readonly ascii: boolean
  readonly theme: Theme
}

const MIN_PLOT_COLUMNS = 8

/**
 * Draw a chart as exactly `size.rows` lines: legend with the newest values, plot with the value axis, time axis. Axes
 * and legend give way when there is little room. Pure.
 */
export function lineChart(chart: LineChart, size: Size): Line[] {
  const { columns, rows } = size
  if (rows <= 0 || columns <= 0) return []
  const withLegend = rows >= 3
  const withTimes = rows >= 5
  const plotRows = rows - (withLegend ? 1 : 0) - (withTimes ? 1 : 0)
  const top = axisTop(chart)
  const labels = axisLabels(chart, top, plotRows)
  const widest = Math.max(...labels.map((label) => widthOf(label ?? '')))
  const axisColumns = columns - widest - 1 >= MIN_PLOT_COLUMNS ? widest + 1 : 0
  const plot = drawPlot(chart, { columns: columns - axisColumns, rows: plotRows }, top)
  const lines: Line[] = []
  if (withLegend) lines.push(legend(chart, columns))
  const tick = chart.ascii ? '|' : '┤'
  const bar = chart.ascii ? '|' : '│'
  for (const [row, spans] of plot.entries()) {
    const label = labels[row] ?? null
    const axis = fitText(label ?? '', axisColumns - 1, 'right') + (label === null ? bar : tick)
    lines.push(axisColumns === 0 ? spans : [{ text: axis, style: chart.theme.style('muted') }, ...spans])
  }
  if (withTimes) lines.push(timeAxis(chart, axisColumns, columns))
  return lines
}

/** Newest value of a series that is known; null when there is none at the right edge. */
function newest(series: ChartSeries): number | null {
  return series.values.at(-1) ?? null
}

function legend(chart: LineChart, columns: number): Line {
  const spans: Span[] = []
  let used = 0
  const put = (text: string, token: Token): boolean => {
    if (used + widthOf(text) > columns) return false
    spans.push({ text, style: chart.theme.style(token) })
    used += widthOf(text)
    return true
  }
  for (const series of chart.series) {
    const value = newest(series)
    const text = `${series.name} ${value === null ? 'no data' : chart.format(value)}`
    if (used + widthOf(text) + 3 > columns) break
    put(`${chart.ascii ? (ASCII_MARKS[series.token] ?? '*').repeat(2) : '━━'} `, series.token)
    put(text, 'text')
    put('  ', 'text')
  }
  if (chart.threshold) {
    const text = `${chart.ascii ? '- -' : '╌╌'} limit ${chart.format(chart.threshold.value)}`
    put(text, chart.threshold.token)
  }
  return spans
}

function timeAxis(chart: LineChart, axisColumns: number, columns: number): Line {
  const end = chart.end ?? 'now'
  const room = columns - axisColumns
  const left = widthOf(chart.span) + widthOf(end) + 2 <= room ? chart.span : ''
  const between = ' '.repeat(Math.max(0, room - widthOf(left) - widthOf(end)))
  return [
    {
      text: ' '.repeat(axisColumns) + left + between + fitText(end, Math.min(room, widthOf(end))),
      style: chart.theme.style('muted'),
    },
  ]
}

/** Top of the value axis: 1, 2 or 5 times a power of ten over everything shown. The bottom is 0. */
export function axisTop(chart: Pick<LineChart, 'series' | 'atLeast' | 'threshold'>): number {
  let highest = Math.max(chart.atLeast ?? 0, chart.threshold ? chart.threshold.value * 1.1 : 0)
  for (const { values } of chart.series) {
    for (const value of values) if (value !== null && Number.isFinite(value)) highest = Math.max(highest, value)
  }
  if (highest <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(highest))
  return ([1, 1.2, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= highest * 0.999) ?? 10) * power
}

/** Labels of the value axis by row; null for a row without. */
function axisLabels(chart: LineChart, top: number, rows: number): (string | null)[] {
  const labels = Array.from<unknown, string | null>({ length: rows }, () => null)
  labels[0] = chart.format(top)
  if (rows > 1) labels[rows - 1] = chart.format(0)
  if (rows >= 5 && rows % 2 === 1) {
    const middle = (rows - 1) / 2
    const text = chart.format(top * (1 - middle / (rows - 1)))
    // On a small axis rounding makes it one of its neighbours.
    if (text !== labels[0] && text !== labels[rows - 1]) labels[middle] = text
  }
  return labels
}

function drawPlot(chart: LineChart, size: Size, top: number): Line[] {
  const canvas: PlotCanvas = chart.ascii ? new DotCanvas(size) : new BrailleCanvas(size)
  const heightOf = (value: number): number => {
    const share = Math.min(1, Math.max(0, value / top))
    return Math.round((1 - share) * (canvas.dotsDown - 1))
  }
  if (chart.threshold) {
    const y = heightOf(chart.threshold.value)
    for (let x = 0; x < canvas.dotsAcross; x += 1) if (canvas.isThresholdDot(x)) canvas.dot(x, y, chart.threshold.token)
  }
  for (const series of chart.series) drawCurve(canvas, series, heightOf)
  return canvas.lines(chart.theme)
}

/** The newest value is at the right edge; neighbours are joined, a gap is left open. */
function drawCurve(canvas: PlotCanvas, series: ChartSeries, heightOf: (value: number) => number): void {
  const points = resample(series.values, canvas.dotsAcross)
  let previous: number | null = null
  for (const [x, value] of points.entries()) {
    const y = value === null ? null : heightOf(value)
    if (y !== null) {
      const from = previous === null ? y : previous
      // The vertical part belongs to the new column, from the half next to where the curve came from.
      for (
        let dot = Math.min(y, from < y ? from + 1 : from);
        dot <= Math.max(y, from > y ? from - 1 : from);
        dot += 1
      ) {
        canvas.dot(x, dot, series.token)
      }
    }
    previous = y
  }
}

/**
 * Fit values to a number of points: fewer values are stretched over the whole width, of more the highest in each step
 * is taken, so that no peak is lost. Stretching joins neighbours by straight lines.
 */
export function resample(values: readonly (number | null)[], points: number): (number | null)[] {
  const count = values.length
  if (count === 0) return Array.from({ length: points }, () => null)
  if (count <= points) {
    return Array.from({ length: points }, (_, index) => {
      const position = points === 1 ? count - 1 : (index * (count - 1)) / (points - 1)
      const before = values[Math.floor(position)] ?? null
      const after = values[Math.ceil(position)] ?? null
      if (before === null || after === null) return Math.round(position) === Math.floor(position) ? before : after
      return before + (after - before) * (position - Math.floor(position))
    })
  }
  return Array.from({ length: points }, (_, index) => {
    const from = Math.floor((index * count) / points)
    const to = Math.max(from + 1, Math.floor(((index + 1) * count) / points))
    let highest: number | null = null
    for (const value of values.slice(from, to))
      if (value !== null && (highest === null || value > highest)) highest = value
    return highest
  })
}
