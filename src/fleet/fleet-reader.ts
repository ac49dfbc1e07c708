import type { HistogramData } from '../../protocol/histogram.ts'
import type { SeriesPoint, SeriesRange } from './series.ts'
import type {
  AlertView,
  AsOf,
  FleetView,
  LogQuery,
  LogRow,
  NodeDetail,
  NodeTold,
  ResultQuery,
  ResultView,
} from './view.ts'

/** A fleet as panes read it, now or as of a past time; see {@link Fleet} for each. */
export interface FleetReader {
  keys(): string[]
  view(asOf: AsOf, nowMs: number): FleetView
  nodeDetail(key: string, asOf: AsOf, nowMs: number): NodeDetail | null
  series(key: string | null, range: SeriesRange): SeriesPoint[]
  logs(query: LogQuery): LogRow[]
  alertHistory(asOf: AsOf, nowMs: number, limit?: number, key?: string | null): AlertView[]
  results(query: ResultQuery): ResultView[]
  /** A node's clock minus ours, ms; 0 while it is not measured. */
  offsetMs(key: string): number
  /** What a node told last, whatever time is looked at; null when it is not in the inventory. */
  told(key: string, nowMs: number): NodeTold | null
  /** Latency of a node over the seconds before `nowMs`. */
  latencyNow(key: string, nowMs: number): HistogramData
  subscribe(listener: () => void): () => void
}
