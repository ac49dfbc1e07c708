import { Box } from 'ink'
import { useCallback } from 'react'
import type { SeriesPoint } from '../../fleet/series.ts'
import { telemetryOf } from '../../fleet/totals.ts'
import type { Console } from '../console.ts'
import { formatClock } from '../format.ts'
import { bandwidthCharts, CHART_SETTLE_MS, CHART_SPAN_MS, CHART_STEP_MS, latencyChart } from '../panes/charts.ts'
import type { Size } from '../terminal/line.ts'
import { Pane } from './pane.tsx'

/** Latency and bandwidth over time side by side: of one node, or of the fleet when `nodeKey` is null. */
export function ChartPanes({
  console,
  columns,
  rows,
  nodeKey,
}: {
  readonly console: Console
  readonly columns: number
  readonly rows: number
  readonly nodeKey: string | null
}) {
  const { fleet, store, look } = console.parts
  const points = useCallback((): { points: SeriesPoint[]; end: string } => {
    const { asOf } = store.get()
    const toMs = asOf === 'now' ? console.nowMs() : asOf
    // Whole steps, so that the picture moves once a step and not a little with every frame.
    const endMs = Math.floor((toMs - CHART_SETTLE_MS) / CHART_STEP_MS) * CHART_STEP_MS
    const range = { fromMs: endMs - CHART_SPAN_MS, toMs: endMs, stepMs: CHART_STEP_MS }
    return { points: fleet.series(nodeKey, range), end: asOf === 'now' ? 'now' : formatClock(asOf, 'local') }
  }, [console, fleet, store, nodeKey])
  const latency = useCallback(
    (size: Size) => {
      const { points: series, end } = points()
      return latencyChart(series, look, size, end)
    },
    [points, look],
  )
  const bandwidth = useCallback(
    (size: Size) => {
      const { points: series, end } = points()
      const view = console.view()
      const savedPct =
        nodeKey === null ? view.totals.savedPct : (view.nodes.find((node) => node.key === nodeKey)?.savedPct ?? null)
      const { asOf } = store.get()
      const rates = nodeKey === null ? null : fleet.nodeDetail(nodeKey, asOf, console.nowMs())?.upBytesPerSecByClass
      const telemetry = nodeKey === null ? view.totals.telemetry : telemetryOf(rates ? [rates] : [])
      return bandwidthCharts(series, { savedPct, telemetry }, look, size, end)
    },
    [points, look, console, fleet, store, nodeKey],
  )
  const left = Math.floor((columns - 1) / 2)
  const of = `${nodeKey === null ? 'fleet, ' : ''}in steps of ${CHART_STEP_MS / 1000} s`
  const note = useCallback(() => of, [of])
  return (
    <Box height={rows}>
      <Pane console={console} columns={left} rows={rows} title="latency" note={note} draw={latency} everyMs={1000} />
      <Box width={1} />
      <Pane
        console={console}
        columns={columns - left - 1}
        rows={rows}
        title="bandwidth"
        note={note}
        draw={bandwidth}
        everyMs={1000}
      />
    </Box>
  )
}
