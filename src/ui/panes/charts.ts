import type { SeriesPoint } from '../../fleet/series.ts'
import type { TelemetryRates } from '../../fleet/view.ts'
import { formatByteRate, formatMs, formatSaved } from '../format.ts'
import type { Line, Size } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import { lineChart } from '../widgets/line-chart.ts'
import type { Look } from './look.ts'

/** The limit of requirement L1. */
const LATENCY_LIMIT_MS = 50

/** Time that the charts show. */
export const CHART_SPAN_MS = 300_000
/** By then every node that reports once a second has told of a step. */
export const CHART_SETTLE_MS = 1500
/** Time between two points of a chart. */
export const CHART_STEP_MS = 2000

/** p50 and p99 over the last minutes, with the 50 ms line. */
export function latencyChart(points: readonly SeriesPoint[], look: Look, size: Size, end = 'now'): Line[] {
  const chart = {
    series: [
      { name: 'p99', token: 'series2', values: points.map((point) => point.p99Ms) },
      { name: 'p50', token: 'series1', values: points.map((point) => point.p50Ms) },
    ],
    format: formatMs,
    span: `-${CHART_SPAN_MS / 60_000} min`,
    end,
    threshold: { value: LATENCY_LIMIT_MS, token: 'threshold' },
    ascii: look.ascii,
    theme: look.theme,
  } as const
  return lineChart(chart, size)
}

/** Bytes in from devices over bytes sent up, each on its own scale, for they differ a hundredfold; and what was saved. */
export function bandwidthCharts(
  points: readonly SeriesPoint[],
  { savedPct, telemetry }: { readonly savedPct: number | null; readonly telemetry: TelemetryRates | null },
  look: Look,
  size: Size,
  end = 'now',
): Line[] {
  const span = `-${CHART_SPAN_MS / 60_000} min`
  const shared = { format: formatByteRate, span, end, ascii: look.ascii, theme: look.theme }
  const raw = [{ name: 'raw in', token: 'series3', values: points.map((point) => point.rawBytesPerSec) }] as const
  const up = [{ name: 'sent up', token: 'series4', values: points.map((point) => point.upBytesPerSec) }] as const
  const saved = line(look.theme)
    .add(' saved ', 'muted')
    .add(formatSaved(savedPct), 'ok')
    .add(' of the last minute', 'muted')
  if (telemetry !== null) saved.rest(telemetryText(telemetry), size.columns, 'muted')
  if (size.rows < 8) {
    const half = Math.floor((size.columns - 1) / 2)
    const left = lineChart({ ...shared, series: raw }, { columns: half, rows: size.rows })
    const right = lineChart({ ...shared, series: up }, { columns: size.columns - half - 1, rows: size.rows })
    return beside(left, right, half, look)
  }
  const upper = Math.ceil((size.rows - 1) / 2)
  return [
    ...lineChart({ ...shared, series: raw }, { columns: size.columns, rows: upper }),
    ...lineChart({ ...shared, series: up }, { columns: size.columns, rows: size.rows - 1 - upper }),
    saved.done(),
  ]
}

/** What looking costs, and which way it goes. */
function telemetryText({ directBytesPerSec, natsBytesPerSec }: TelemetryRates): string {
  const direct = formatByteRate(directBytesPerSec).trim()
  const bus = natsBytesPerSec === 0 ? '' : `, bus ${formatByteRate(natsBytesPerSec).trim()}`
  return `   to consoles ${natsBytesPerSec === 0 ? '' : 'direct '}${direct}${bus}`
}

function beside(left: readonly Line[], right: readonly Line[], columns: number, look: Look): Line[] {
  return left.map((spans, row) => {
    const out = line(look.theme)
    for (const span of spans) out.add(span.text)
    const gap = Math.max(0, columns + 1 - out.columns)
    return [...spans, { text: ' '.repeat(gap), style: look.theme.style('text') }, ...(right[row] ?? [])]
  })
}
