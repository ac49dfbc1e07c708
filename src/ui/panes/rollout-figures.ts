import { formatCount, formatMs, formatPct } from '../format.ts'
import { FIGURES_STEP_MS, type FiguresPoint, recentFigures, type SideFigures } from '../rollouts/figures.ts'
import type { Line, Size } from '../terminal/line.ts'
import type { Token } from '../theme.ts'
import { line } from '../widgets/line-builder.ts'
import { type LineChart, lineChart } from '../widgets/line-chart.ts'
import type { Look } from './look.ts'

/** Points that the figures in words sum up: a minute. */
const RECENT_POINTS = 60_000 / FIGURES_STEP_MS
/** Points of a chart: five minutes. */
const CHART_POINTS = 150
/** The limit of requirement L1. */
const LATENCY_LIMIT_MS = 50
const LABEL_COLUMNS = 13
const FIGURE_COLUMNS = 24

/** Limits that charts and figures are held against, percent. */
export interface FigureLimits {
  readonly failedPct: number
  readonly slowPct: number
}

/** Both sides over the last minute as numbers: three lines and a heading. */
export function figureLines(
  points: readonly FiguresPoint[],
  limits: FigureLimits,
  look: Look,
  columns: number,
): Line[] {
  const changed = recentFigures(points, 'changed', RECENT_POINTS)
  const unchanged = recentFigures(points, 'unchanged', RECENT_POINTS)
  const head = line(look.theme).cell(' last minute', LABEL_COLUMNS + 1, 'header')
  for (const title of [sideTitle('changed', changed), sideTitle('others', unchanged)]) {
    head.cell(title, FIGURE_COLUMNS, 'header', 'right')
  }
  const row = (
    label: string,
    limit: string,
    of: (side: SideFigures) => string,
    isOver: (side: SideFigures) => boolean,
  ): Line => {
    const out = line(look.theme).cell(` ${label}`, LABEL_COLUMNS + 1, 'muted')
    for (const side of [changed, unchanged]) {
      out.cell(
        side === null ? 'no data' : of(side),
        FIGURE_COLUMNS,
        side !== null && isOver(side) ? 'warning' : 'text',
        'right',
      )
    }
    return out.rest(`   limit ${limit}`, columns, 'muted').done()
  }
  const share = (pct: number | null): string => (pct === null ? 'no data' : formatPct(pct))
  return [
    head.done(),
    row(
      'failed',
      formatPct(limits.failedPct),
      (side) => share(side.failedPct),
      (side) => (side.failedPct ?? 0) > limits.failedPct,
    ),
    row(
      'over 50 ms',
      formatPct(limits.slowPct),
      (side) => share(side.slowPct),
      (side) => (side.slowPct ?? 0) > limits.slowPct,
    ),
    row(
      'p99',
      formatMs(LATENCY_LIMIT_MS),
      (side) => formatMs(side.p99Ms),
      (side) => (side.p99Ms ?? 0) > LATENCY_LIMIT_MS,
    ),
  ]
}

function sideTitle(word: string, side: SideFigures | null): string {
  if (side === null) return word
  return `${word}: ${formatCount(side.requests)} requests`
}

/** What a chart of the comparison shows. */
export type Comparison = 'failed' | 'slow' | 'p99'

/** One figure of changed nodes beside those that are not, over the last five minutes. */
export function comparisonChart(
  which: Comparison,
  points: readonly FiguresPoint[],
  limits: FigureLimits,
  look: Look,
  size: Size,
): Line[] {
  const shown = points.slice(-CHART_POINTS)
  // A curve begins where it begins: what was not seen yet is a gap on the left, and not stretched over the width.
  const missing = Array.from<null>({ length: CHART_POINTS - shown.length }).fill(null)
  const figureOf = { failed: 'failedPct', slow: 'slowPct', p99: 'p99Ms' } as const
  const series = (name: string, token: Token, side: 'changed' | 'unchanged') => ({
    name,
    token,
    values: [...missing, ...shown.map((point) => point[side][figureOf[which]])],
  })
  const limit = { failed: limits.failedPct, slow: limits.slowPct, p99: LATENCY_LIMIT_MS }[which]
  const chart: LineChart = {
    series: [series('changed', 'series2', 'changed'), series('others', 'series1', 'unchanged')],
    format: which === 'p99' ? formatMs : formatPct,
    span: `-${(CHART_POINTS * FIGURES_STEP_MS) / 60_000} min`,
    atLeast: which === 'p99' ? 10 : 1,
    threshold: { value: limit, token: 'threshold' },
    ascii: look.ascii,
    theme: look.theme,
  }
  return lineChart(chart, size)
}
