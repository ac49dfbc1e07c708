import type { DaemonFrame } from '../../protocol/frames.ts'
import { EMPTY_HISTOGRAM, type HistogramData } from '../../protocol/histogram.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { AlertBook, activeAlert, byUrgency, silenceAlert } from './alert-book.ts'
import { type Cadence, Coalescer, type Schedule } from './coalescer.ts'
import type { LinkEvent } from './link-event.ts'
import { LogBook } from './log-book.ts'
import { LATENCY_WINDOW_MS, NodeModel, type NodeMoment, RATE_WINDOW_MS } from './node-model.ts'
import { nodeState } from './node-state.ts'
import { NodeViewer } from './node-view.ts'
import { ResultBook } from './result-book.ts'
import { Series, type SeriesPoint, type SeriesRange } from './series.ts'
import { telemetryOf, totalsOf } from './totals.ts'
import type {
  AlertView,
  AsOf,
  FleetTotals,
  FleetView,
  LogQuery,
  LogRow,
  NodeDetail,
  NodeTold,
  NodeView,
  ResultQuery,
  ResultView,
} from './view.ts'

/** How much the fleet keeps and how often it tells. */
export interface FleetOptions {
  readonly schedule: Schedule
  readonly cadence?: Cadence
  /** Seconds that charts and past views reach back. */
  readonly historySec?: number
  readonly maxLogRows?: number
  /** Takes log rows in the order in which they are to be shown, instead of keeping them here. */
  readonly onLogRows?: (rows: readonly LogRow[]) => void
  /** How long log lines wait for those of other nodes, ms; absent or 0 to show them as they come. */
  readonly logWindowMs?: number
  readonly maxAlertRows?: number
  /** Of each node. */
  readonly maxResultRows?: number
  /** Time between two whole states that are kept of a node, ms; one that differs in kind is always kept. */
  readonly keyframeEveryMs?: number
  /** Whether what is told is of the past, so that views of it change with every event. */
  readonly toldLater?: boolean
  /** Number of the first log row; see {@link LogBook}. */
  readonly firstLogId?: number
}

/** Nodes report once a second: five looks a second show each in time, and cost half of ten. */
const DEFAULT_CADENCE: Cadence = { minGapMs: 200, maxGapMs: 1000 }
/** A view is the same for this long unless something changed, ms. */
const TICK_MS = 100
/** Log lines that wait are not looked at more often than this, ms. */
const MIN_LOG_WAIT_MS = 50
/** Counters of what consoles are told. */
const TELEMETRY = /^sent\.(telemetry(?:Nats)?)$/
/** By then every node that reports once a second has told of a second. */
const SETTLE_MS = 1000
/** No node is waited for longer. */
const MAX_SETTLE_MS = 12_000

/**
 * The console's model of the fleet: link events go in, panes read views as of a time. It does no I/O and knows no clock
 * but the `nowMs` it is given (Unix ms, our clock), so that a recording plays through the same code.
 */
export class Fleet {
  readonly #historySec: number
  readonly #keyframeEveryMs: number | undefined
  readonly #toldLater: boolean
  readonly #nodes = new Map<string, NodeModel>()
  readonly #logs: LogBook
  readonly #alerts: AlertBook
  readonly #results: ResultBook
  readonly #series: Series
  readonly #coalescer: Coalescer
  readonly #schedule: Schedule
  readonly #viewer = new NodeViewer()
  #version = 0
  /** When log lines that wait will be shown whatever comes, our clock; null while none wait. */
  #logsDueMs: number | null = null
  #memo: { readonly mark: string; readonly view: FleetView } | null = null

  constructor(options: FleetOptions) {
    this.#historySec = options.historySec ?? 600
    this.#keyframeEveryMs = options.keyframeEveryMs
    this.#toldLater = options.toldLater ?? false
    const { maxLogRows = 5000, logWindowMs = 0, firstLogId = 1 } = options
    const { onLogRows } = options
    this.#logs = new LogBook({
      maxRows: maxLogRows,
      windowMs: logWindowMs,
      firstId: firstLogId,
      ...(onLogRows === undefined ? {} : { onRows: onLogRows }),
    })
    this.#schedule = options.schedule
    this.#alerts = new AlertBook(options.maxAlertRows ?? 1000)
    this.#results = new ResultBook(options.maxResultRows ?? 1000)
    this.#series = new Series(this.#historySec, SETTLE_MS)
    this.#coalescer = new Coalescer(options.schedule, options.cadence ?? DEFAULT_CADENCE)
  }

  /** Put a node into the inventory; one that is there already is kept with all that is known of it. */
  add(key: string, options: { readonly url?: string; readonly insecure?: boolean; readonly nowMs: number }): void {
    if (this.#nodes.has(key)) return
    const { url = null, insecure = false, nowMs } = options
    const often = this.#keyframeEveryMs === undefined ? {} : { keyframeEveryMs: this.#keyframeEveryMs }
    this.#nodes.set(key, new NodeModel(key, { url, insecure, addedMs: nowMs, historySec: this.#historySec, ...often }))
    this.#logs.intake.join(key, nowMs)
    this.#touch()
  }

  /** The address of a node in the inventory became known. */
  locate(key: string, url: string): void {
    this.#nodes.get(key)?.locate(url)
    this.#touch()
  }

  /** Take a node out of the inventory. */
  remove(key: string): void {
    if (!this.#nodes.delete(key)) return
    this.#logs.intake.leave(key)
    this.#touch()
  }

  /** Keys of the inventory in its order. */
  keys(): string[] {
    return [...this.#nodes.keys()]
  }

  /** Take what a link says of a node; events of a node that is not in the inventory are ignored. */
  apply(key: string, event: LinkEvent, nowMs: number): void {
    const model = this.#nodes.get(key)
    if (model === undefined) return
    const contribution = model.apply(event, nowMs)
    if (contribution !== null) {
      const { amounts, windowMs } = contribution
      this.#series.addLatency(contribution.atMs ?? nowMs, contribution.latency, windowMs)
      if (amounts !== null) this.#series.addAmounts(amounts.fromMs, amounts.toMs, amounts, windowMs)
    }
    this.#takeLogs(model, event, nowMs)
    if (event.kind === 'frame') this.#takeRows(model, event.frame, nowMs)
    this.#touch()
  }

  /** Call `listener` when something changed, at most five times a second, and once a second anyway. Returns how to stop. */
  subscribe(listener: () => void): () => void {
    return this.#coalescer.subscribe(listener)
  }

  /** The fleet as of a time; the same object within a tick in which nothing changed. */
  view(asOf: AsOf, nowMs: number): FleetView {
    // The past does not change with every frame; a second is soon enough for a node that was added or taken away.
    const changes = asOf === 'now' || this.#toldLater
    const tick = changes ? `${this.#version} ${Math.floor(nowMs / TICK_MS)}` : Math.floor(nowMs / 1000)
    const mark = `${asOf} ${tick}`
    if (this.#memo?.mark === mark) return this.#memo.view
    const at = this.#time(asOf, nowMs)
    const alerts: AlertView[] = []
    const nodes = [...this.#nodes.values()].map((model) => {
      const moment = momentOf(model, at)
      const node = this.#viewer.view(model, moment, at)
      alerts.push(...alertsOf(model, moment, node, at.atMs))
      return node
    })
    alerts.sort(byUrgency)
    const latency = this.latencyAt(null, at.atMs)
    const telemetry = at.live ? this.#telemetry(nodes) : null
    const view = { asOfMs: at.atMs, live: at.live, nodes, totals: totalsOf(nodes, latency, alerts, telemetry), alerts }
    this.#memo = { mark, view }
    return view
  }

  /** One node in depth; null when it is not in the inventory. */
  nodeDetail(key: string, asOf: AsOf, nowMs: number): NodeDetail | null {
    const model = this.#nodes.get(key)
    if (model === undefined) return null
    const at = this.#time(asOf, nowMs)
    const moment = momentOf(model, at)
    const node = this.#viewer.view(model, moment, at)
    return {
      node,
      identity: model.identity,
      status: moment.status,
      stages: moment.stages(),
      upBytesPerSecByClass: at.live ? ratesOf(model, (name) => /^sent\.(.+)$/.exec(name)?.[1] ?? null) : {},
      answersPerSec: at.live ? ratesOf(model, (name) => (/^sent\b|Bytes$/.test(name) ? null : name)) : {},
      link: model.link,
      alerts: alertsOf(model, moment, node, at.atMs).sort(byUrgency),
    }
  }

  /** What a node last told, without what only panes need; null when it is not in the inventory. */
  told(key: string, nowMs: number): NodeTold | null {
    const model = this.#nodes.get(key)
    if (model === undefined) return null
    const moment = model.now()
    const silence = model.silence(nowMs, moment)
    const { status } = moment
    return {
      state: nodeState(silence, nowMs),
      heardMs: silence.lastDataMs,
      toldMs: status === null ? null : moment.dataMs,
      identity: model.identity,
      site: model.site,
      status,
      inferencesPerSec: moment.vitals.inferencesPerSec,
    }
  }

  /** @see latencyAt */
  latencyNow(key: string, nowMs: number): HistogramData {
    return this.latencyAt(key, nowMs)
  }

  /** A chart of one node, or of the fleet when `key` is null; oldest step first. */
  series(key: string | null, range: SeriesRange): SeriesPoint[] {
    if (key !== null) return this.#nodes.get(key)?.series.read(range) ?? []
    // Of seconds that some node has not told of yet there is no sum.
    const slowestMs = Math.max(SETTLE_MS, ...[...this.#nodes.values()].map(({ intervalMs }) => intervalMs))
    this.#series.settleAfter(Math.min(slowestMs, MAX_SETTLE_MS))
    return this.#series.read(range)
  }

  /** Whether what a node was at a past time is known here. */
  knows(key: string, atMs: number): boolean {
    return this.#nodes.get(key)?.knows(atMs) ?? false
  }

  /** Stretches of time in which a node is known here, oldest first. */
  known(key: string, fromMs: number, toMs: number): { readonly fromMs: number; readonly toMs: number }[] {
    return this.#nodes.get(key)?.known(fromMs, toMs) ?? []
  }

  /** Since when a node is looked after, Unix ms; null when it is not in the inventory. */
  addedMs(key: string): number | null {
    return this.#nodes.get(key)?.addedMs ?? null
  }

  /** How far a past view reaches back, ms. */
  get historyMs(): number {
    return this.#historySec * 1000
  }

  /** A node's clock minus ours, ms; 0 while it is not measured. */
  offsetMs(key: string): number {
    return this.#nodes.get(key)?.offsetMs ?? 0
  }

  /** Latency of the last seconds before a time: of the fleet, or of one node. */
  latencyAt(key: string | null, atMs: number): HistogramData {
    const series = key === null ? this.#series : this.#nodes.get(key)?.series
    return series?.latency(atMs - LATENCY_WINDOW_MS, atMs) ?? EMPTY_HISTOGRAM
  }

  /** Results of a node that came, oldest first. */
  results(query: ResultQuery): ResultView[] {
    return this.#results.query(query)
  }

  /** Log rows, oldest first. */
  logs(query: LogQuery): LogRow[] {
    return this.#logs.query(query)
  }

  /** Alerts that began or ended, oldest first, the newest `limit`. */
  alertHistory(asOf: AsOf, nowMs: number, limit = 200, key: string | null = null): AlertView[] {
    return this.#alerts.history(this.#time(asOf, nowMs).atMs, limit, key)
  }

  /** Of the nodes that are up. */
  #telemetry(nodes: readonly NodeView[]): FleetTotals['telemetry'] {
    const up = nodes.flatMap(({ key, state }) => (state === 'up' ? (this.#nodes.get(key) ?? []) : []))
    return telemetryOf(up.map((model) => ratesOf(model, (name) => TELEMETRY.exec(name)?.[1] ?? null)))
  }

  /** Log lines wait for those of nodes that are there; who is gone is not waited for. */
  #takeLogs(model: NodeModel, event: LinkEvent, nowMs: number): void {
    const { key, offsetMs } = model
    const { intake } = this.#logs
    const origin = { key, offsetMs, receivedMs: nowMs }
    if (event.kind === 'opened') intake.join(key, nowMs)
    if (event.kind === 'refused' || event.kind === 'closed') intake.leave(key)
    if (event.kind === 'frame') {
      const { frame } = event
      if (frame.t === 'rows' && frame.topic === 'logs') intake.addLines(origin, frame.rows)
      if (frame.t === 'gap' && frame.topic === 'logs') intake.addGap(origin, frame)
      if (frame.t === 'status') intake.heard(origin, { atMs: frame.at, epoch: frame.store.epoch })
    }
    intake.release(nowMs)
    this.#watchLogs(nowMs)
  }

  /** Lines that wait are shown in time, also when nothing else happens. */
  #watchLogs(nowMs: number): void {
    const { dueMs } = this.#logs.intake
    if (dueMs === null || this.#logsDueMs !== null) return
    const atMs = Math.max(dueMs, nowMs + MIN_LOG_WAIT_MS)
    this.#logsDueMs = atMs
    this.#schedule(() => {
      this.#logsDueMs = null
      this.#logs.intake.release(atMs)
      this.#touch()
      this.#watchLogs(atMs)
    }, atMs - nowMs)
  }

  #takeRows(model: NodeModel, frame: DaemonFrame, nowMs: number): void {
    const origin = { key: model.key, offsetMs: model.offsetMs, receivedMs: nowMs }
    if (frame.t !== 'rows') return
    if (frame.topic === 'results') this.#results.add(origin, frame.rows)
    if (frame.topic === 'alerts') this.#alerts.add({ ...origin, site: model.identity?.site ?? null }, frame.rows)
  }

  #time(asOf: AsOf, nowMs: number): Instant {
    return asOf === 'now' ? { atMs: nowMs, live: true } : { atMs: Math.min(asOf, nowMs), live: false }
  }

  #touch(): void {
    this.#version += 1
    this.#coalescer.touch()
  }
}

interface Instant {
  readonly atMs: number
  readonly live: boolean
}

function momentOf(model: NodeModel, at: Instant): NodeMoment {
  return at.live ? model.now() : model.at(at.atMs)
}

function alertsOf(model: NodeModel, moment: NodeMoment, node: NodeView, atMs: number): AlertView[] {
  const firing = (moment.status?.alerts ?? []).map((alert) => activeAlert(node, alert, model.offsetMs))
  const refused = model.link.lastReason !== null && model.link.phase !== 'open'
  const silence = silenceAlert(node, { nowMs: atMs, addedMs: model.addedMs, refused })
  return silence === null ? firing : [silence, ...firing]
}

function ratesOf(model: NodeModel, nameOf: (counter: string) => string | null): Record<string, number> {
  const rates: Record<string, number> = {}
  for (const counter of model.counters.names()) {
    const name = nameOf(counter)
    const rate = name === null ? null : model.counters.ratePerSec(counter, RATE_WINDOW_MS)
    // Class names are the node's own words.
    if (name !== null && rate !== null) rates[untrusted(name)] = rate
  }
  return rates
}
