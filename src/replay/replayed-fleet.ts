import { type HistogramData, mergeHistograms } from '../../protocol/histogram.ts'
import { byUrgency } from '../fleet/alert-book.ts'
import { safe } from '../fleet/clean.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { FleetReader } from '../fleet/fleet-reader.ts'
import type { SeriesPoint, SeriesRange } from '../fleet/series.ts'
import { totalsOf } from '../fleet/totals.ts'
import type {
  AlertView,
  AsOf,
  FleetView,
  LogQuery,
  LogRow,
  NodeDetail,
  NodeTold,
  NodeView,
  ResultQuery,
  ResultView,
} from '../fleet/view.ts'
import { NO_VITALS } from '../fleet/vitals.ts'

/** Whose word a view of the past takes for a node: this console's, the kept records', or nobody's. */
export type Teller = 'console' | 'kept' | 'loading' | 'nobody'

/** The past as it is fed, and what is still on its way. */
export interface KeptPast {
  /** Null while nothing is replayed. */
  readonly fleet: Fleet | null
  /** Where the play head stands, our clock; null = now. */
  readonly headMs: number | null
  /** Whether records of a node at a time are still to come. */
  isLoading(key: string, atMs: number): boolean
  /** Until when kept records of a node are in the past fleet, and from when. */
  span(key: string): { readonly fromMs: number; readonly toMs: number } | null
}

/** Watching begins with the first answers; before them a console has nothing to say. */
const FIRST_LOOK_MS = 5000

/**
 * The fleet of now, and of any past time that somebody knows: what this console saw, filled up with what the nodes and
 * the cloud keep. What nobody knows is `unknown`; nothing is made up between two records.
 */
export class ReplayedFleet implements FleetReader {
  readonly #live: Fleet
  readonly #past: KeptPast
  readonly #now: () => number
  #memo: { readonly mark: readonly unknown[]; readonly view: FleetView } | null = null

  constructor(live: Fleet, past: KeptPast, now: () => number) {
    this.#live = live
    this.#past = past
    this.#now = now
  }

  keys(): string[] {
    return this.#live.keys()
  }

  told(key: string, nowMs: number): NodeTold | null {
    return this.#live.told(key, nowMs)
  }

  latencyNow(key: string, nowMs: number): HistogramData {
    return this.#live.latencyNow(key, nowMs)
  }

  subscribe(listener: () => void): () => void {
    return this.#live.subscribe(listener)
  }

  offsetMs(key: string): number {
    return this.#live.offsetMs(key)
  }

  /** Who tells what a node was at a time. */
  teller(key: string, atMs: number): Teller {
    if (this.#live.knows(key, atMs)) return 'console'
    if (this.#past.fleet?.knows(key, atMs)) return 'kept'
    if (this.#past.isLoading(key, atMs)) return 'loading'
    // Silence that was watched is an answer too.
    const addedMs = this.#live.addedMs(key) ?? Number.POSITIVE_INFINITY
    const watched = atMs >= addedMs + FIRST_LOOK_MS && atMs >= this.#now() - this.#live.historyMs
    return watched ? 'console' : 'nobody'
  }

  view(asOf: AsOf, nowMs: number): FleetView {
    const live = this.#live.view(asOf, nowMs)
    const past = this.#past.fleet
    if (asOf === 'now') return live
    const kept = past?.view(asOf, nowMs) ?? null
    const tellers = new Map(live.nodes.map((node) => [node.key, this.teller(node.key, live.asOfMs)]))
    const mark = [live, kept, [...tellers.values()].join()]
    if (this.#memo !== null && mark.every((part, at) => part === this.#memo?.mark[at])) return this.#memo.view
    const keptNodes = new Map(kept?.nodes.map((node) => [node.key, node]))
    const nodes = live.nodes.map((node) => {
      const teller = tellers.get(node.key) ?? 'nobody'
      return told(node, keptNodes.get(node.key), teller, this.#sentUp(node.key, live.asOfMs))
    })
    const alerts = [
      ...live.alerts.filter((alert) => tellers.get(alert.key) === 'console'),
      ...(kept?.alerts.filter((alert) => tellers.get(alert.key) === 'kept') ?? []),
      ...live.nodes
        .filter(({ key }) => tellers.get(key) === 'nobody' || tellers.get(key) === 'loading')
        .flatMap(({ key }) => this.#firing(key, asOf, nowMs)),
    ].sort(byUrgency)
    const latency = mergeHistograms(
      live.nodes.flatMap(({ key }) => {
        const teller = tellers.get(key)
        const from = teller === 'console' ? this.#live : teller === 'kept' ? past : null
        return from === null ? [] : [from.latencyAt(key, live.asOfMs)]
      }),
    )
    const view = { ...live, nodes, alerts, totals: totalsOf(nodes, latency, alerts) }
    this.#memo = { mark, view }
    return view
  }

  nodeDetail(key: string, asOf: AsOf, nowMs: number): NodeDetail | null {
    const live = this.#live.nodeDetail(key, asOf, nowMs)
    if (asOf === 'now' || live === null) return live
    const teller = this.teller(key, asOf)
    if (teller === 'console') return live
    const kept = teller === 'kept' ? (this.#past.fleet?.nodeDetail(key, asOf, nowMs) ?? null) : null
    const node = told(live.node, kept?.node, teller, this.#sentUp(key, asOf))
    // Who it is and how it is reached, the console knows itself.
    if (kept !== null) return { ...kept, node, identity: live.identity, link: live.link }
    return { ...live, node, status: null, stages: [], alerts: this.#firing(key, asOf, nowMs) }
  }

  series(key: string | null, range: SeriesRange): SeriesPoint[] {
    const live = this.#live.series(key, range)
    const past = this.#past.fleet
    if (past === null || this.#past.headMs === null) return live
    const kept = past.series(key, range)
    const sinceMs = key === null ? this.#watchedSinceMs() : 0
    return live.map((point, at) => {
      const other = kept[at]
      if (other === undefined) return point
      return isKnown(point) && point.atMs >= sinceMs ? point : isKnown(other) ? other : point
    })
  }

  logs(query: LogQuery): LogRow[] {
    const { asOf = 'now' } = query
    const past = this.#past.fleet
    if (past === null || asOf === 'now') return this.#live.logs(query)
    const keys = query.keys === undefined ? this.keys() : [...query.keys]
    const kept = keys.filter((key) => (this.#past.span(key)?.toMs ?? 0) > asOf)
    if (kept.length === 0) return this.#live.logs(query)
    const others = new Set(keys.filter((key) => !kept.includes(key)))
    const rows = [
      ...past.logs({ ...query, keys: new Set(kept) }),
      ...(others.size === 0 ? [] : this.#live.logs({ ...query, keys: others })),
    ].sort((a, b) => a.atMs - b.atMs)
    return query.limit === undefined ? rows : rows.slice(-query.limit)
  }

  alertHistory(asOf: AsOf, nowMs: number, limit = 200, key: string | null = null): AlertView[] {
    const live = this.#live.alertHistory(asOf, nowMs, limit, key)
    const kept = this.#past.fleet?.alertHistory(asOf, nowMs, limit, key) ?? []
    const seen = new Set(live.map(markOf))
    return [...live, ...kept.filter((alert) => !seen.has(markOf(alert)))].sort((a, b) => a.atMs - b.atMs).slice(-limit)
  }

  results(query: ResultQuery): ResultView[] {
    const past = this.#past.headMs === null ? null : this.#past.fleet
    return (past ?? this.#live).results(query)
  }

  /** Whether something that a node sent up is known of a time, though not how it was. */
  #sentUp(key: string, atMs: number): boolean {
    return (this.#past.fleet?.latencyAt(key, atMs).count ?? 0) > 0
  }

  /** What fired at a time by the records of alerts alone: the last word of each rule. */
  #firing(key: string, asOf: AsOf, nowMs: number): AlertView[] {
    const last = new Map(this.alertHistory(asOf, nowMs, undefined, key).map((alert) => [alert.rule, alert]))
    return [...last.values()].filter(({ state }) => state === 'firing')
  }

  /** Since when the sums of the fleet are of this console's own seeing. */
  #watchedSinceMs(): number {
    return Math.min(...this.keys().map((key) => this.#live.addedMs(key) ?? Number.POSITIVE_INFINITY)) + FIRST_LOOK_MS
  }
}

function told(live: NodeView, kept: NodeView | undefined, teller: Teller, sentUp: boolean): NodeView {
  if (teller === 'console') return live
  if (teller === 'kept' && kept !== undefined) return { ...kept, site: live.site, saysName: live.saysName }
  const unknown = sentUp ? 'no state kept of this time, only what it sent up' : 'no data kept of this time'
  const reason = teller === 'loading' ? 'loading what is kept of this time' : unknown
  return {
    ...live,
    ...NO_VITALS,
    state: 'unknown',
    reason: safe(reason),
    ageMs: null,
    memPct: null,
    diskPct: null,
    model: null,
    uplink: null,
    store: null,
    route: null,
    alerts: { info: 0, warning: 0, critical: 0 },
    conditions: [],
    misbehaves: null,
    others: null,
    othersAct: null,
    change: null,
    changePhase: null,
  }
}

function isKnown(point: SeriesPoint): boolean {
  return point.p99Ms !== null || point.inferencesPerSec !== null
}

function markOf(alert: AlertView): string {
  return `${alert.key}\n${alert.rule}\n${alert.state}\n${Math.round(alert.atMs / 1000)}`
}
