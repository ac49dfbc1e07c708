import { type HistogramData, quantileMs } from '../../protocol/histogram.ts'
import { countAlerts } from './alert-book.ts'
import { savedPct } from './node-model.ts'
import type { AlertView, FleetTotals, NodeView } from './view.ts'
import type { VitalField } from './vitals.ts'

/** Sum up the nodes that are up; what a silent node said last is no figure of now. */
export function totalsOf(
  nodes: readonly NodeView[],
  latency: HistogramData,
  alerts: readonly AlertView[],
  telemetry: FleetTotals['telemetry'] = null,
): FleetTotals {
  const byState = { connecting: 0, up: 0, stale: 0, offline: 0, unknown: 0 }
  for (const node of nodes) byState[node.state] += 1
  const up = nodes.filter((node) => node.state === 'up')
  return {
    nodes: nodes.length,
    byState,
    inferencesPerSec: sum(up, 'inferencesPerSec'),
    p50Ms: quantileMs(latency, 0.5),
    p99Ms: quantileMs(latency, 0.99),
    rawBytesPerSec: sum(up, 'rawBytesPerSec'),
    upBytesPerSec: sum(up, 'upBytesPerSec'),
    savedPct: savedPct(sum(up, 'windowRawBytes'), sum(up, 'windowUpBytes')),
    backlogRecords: sum(up, 'backlogRecords'),
    telemetry,
    alerts: countAlerts(alerts),
  }
}

/** What telemetry costs by the way it takes, of the rates of several nodes; null when none knows. */
export function telemetryOf(rates: readonly Readonly<Record<string, number>>[]): FleetTotals['telemetry'] {
  const known = rates.filter((rate) => rate.telemetry !== undefined)
  if (known.length === 0) return null
  const of = (name: string): number => known.reduce((total, rate) => total + (rate[name] ?? 0), 0)
  return { directBytesPerSec: of('telemetry'), natsBytesPerSec: of('telemetryNats') }
}

function sum(nodes: readonly NodeView[], field: VitalField): number | null {
  let total: number | null = null
  for (const node of nodes) {
    const value = node[field]
    if (value !== null) total = (total ?? 0) + value
  }
  return total
}
