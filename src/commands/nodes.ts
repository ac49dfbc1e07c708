import { quantileMs } from '../../protocol/histogram.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { arrange } from '../fleet/arrange.ts'
import type { NodeStatus } from '../fleet/clean.ts'
import { currentFigure } from '../fleet/current-figure.ts'
import type { NodeFilter } from '../fleet/filter.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { FleetView, NodeDetail, NodeView } from '../fleet/view.ts'
import type { FleetAccess } from '../link/access.ts'
import {
  formatAge,
  formatByteRate,
  formatCount,
  formatMs,
  formatPct,
  formatRate,
  formatSaved,
  UNKNOWN,
} from '../ui/format.ts'
import { FleetSession } from './fleet-session.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** What `edgedeck nodes` was asked. */
export interface NodesRequest {
  readonly nodes: readonly NodeAddress[]
  readonly access: FleetAccess
  readonly format: OutputFormat
  readonly filter?: NodeFilter
  /** Print again every second until the signal. */
  readonly watch: boolean
  /** How long to wait for answers, ms. */
  readonly timeoutMs: number
}

const WATCH_EVERY_MS = 1000

const COLUMNS: readonly PrintedColumn<NodeView>[] = [
  { title: 'NAME', text: (node) => node.name },
  { title: 'SITE', text: (node) => node.site ?? UNKNOWN },
  { title: 'STATE', text: (node) => node.state },
  { title: 'CPU', align: 'right', text: (node) => formatPct(currentFigure(node, 'cpuPct')) },
  { title: 'MEM', align: 'right', text: (node) => formatPct(currentFigure(node, 'memPct')) },
  { title: 'INF/S', align: 'right', text: (node) => formatRate(currentFigure(node, 'inferencesPerSec')) },
  { title: 'P50', align: 'right', text: (node) => formatMs(currentFigure(node, 'p50Ms')) },
  { title: 'P99', align: 'right', text: (node) => formatMs(currentFigure(node, 'p99Ms')) },
  { title: 'RAW IN', align: 'right', text: (node) => formatByteRate(currentFigure(node, 'rawBytesPerSec')) },
  { title: 'SENT UP', align: 'right', text: (node) => formatByteRate(currentFigure(node, 'upBytesPerSec')) },
  { title: 'SAVED', align: 'right', text: (node) => formatSaved(currentFigure(node, 'savedPct')) },
  { title: 'BACKLOG', align: 'right', text: (node) => formatCount(node.backlogRecords) },
  { title: 'MODEL', text: (node) => node.model ?? UNKNOWN },
  { title: 'AGE', align: 'right', text: (node) => formatAge(node.ageMs) },
  { title: 'NOTE', text: noteOf },
]

/** Print the nodes. Resolves with whether every node answered. */
export async function runNodes(request: NodesRequest, io: CommandIo): Promise<boolean> {
  const session = new FleetSession({
    nodes: request.nodes,
    access: request.access,
    interest: { status: true, alertBacklog: null, logs: null },
  })
  session.start()
  try {
    const { bus } = request.access
    const isWhole = (now: FleetView): boolean =>
      // Where there is a bus, one way that fails is not the end.
      now.nodes.every((node) => isSettled(node, session.fleet, bus !== undefined))
    let view = await session.until(isWhole, request.timeoutMs, io.signal)
    if (bus !== undefined && bus.fault !== null) io.stderr.write(`edgedeck: ${untrusted(bus.fault)}\n`)
    print(view, request, session.fleet, io)
    while (request.watch && !io.signal.aborted) {
      view = await session.until(() => false, WATCH_EVERY_MS, io.signal)
      if (io.signal.aborted) break
      if (request.format === 'table') io.stdout.write('\n')
      print(view, request, session.fleet, io)
    }
    // A heartbeat on the bus says that a node is there; an answer is a session.
    const answers = (key: string): boolean => session.fleet.nodeDetail(key, 'now', Date.now())?.link.phase === 'open'
    return view.nodes.every((node) => node.state === 'up' && answers(node.key))
  } finally {
    await session.stop()
  }
}

/** A node as `-o json` has it: stable names with units, null where not known. Texts are safe to show. */
export function nodeAsJson(node: NodeView, detail: NodeDetail | null): Record<string, unknown> {
  const status = detail?.status ?? null
  return {
    name: node.name,
    saysName: node.saysName,
    site: node.site,
    state: node.state,
    reason: node.reason,
    ageMs: node.ageMs,
    url: detail?.link.url ?? null,
    cpuPct: node.cpuPct,
    memPct: node.memPct,
    diskPct: node.diskPct,
    tempC: node.tempC,
    inferencesPerSec: node.inferencesPerSec,
    p50Ms: node.p50Ms,
    p99Ms: node.p99Ms,
    rawBytesPerSec: node.rawBytesPerSec,
    upstreamBytesPerSec: node.upBytesPerSec,
    savedPct: node.savedPct,
    backlogRecords: node.backlogRecords,
    uplink: node.uplink,
    store: node.store,
    capBytesPerSec: status?.uplink.capBytesPerSec ?? null,
    targets: status?.uplink.targets.map(targetAsJson) ?? null,
    storeDetail: status?.store ?? null,
    model: node.model,
    rttMs: node.rttMs,
    alerts: node.alerts,
    conditions: node.conditions.map(({ code, severity, msg }) => ({ code, severity, msg })),
  }
}

/** A target with its transfer times as figures instead of buckets; null where the daemon does not tell. */
function targetAsJson({ transfer, ...target }: NodeStatus['uplink']['targets'][number]): Record<string, unknown> {
  return {
    ...target,
    transferP50Ms: transfer === undefined ? null : quantileMs(transfer, 0.5),
    transferP99Ms: transfer === undefined ? null : quantileMs(transfer, 0.99),
  }
}

function print(view: FleetView, request: NodesRequest, fleet: Fleet, io: CommandIo): void {
  const arrangement = request.filter === undefined ? {} : { filter: request.filter }
  const nodes = arrange(view.nodes, { sort: 'problems', ...arrangement })
  if (request.format === 'table') {
    io.stdout.write(printTable(COLUMNS, nodes))
    return
  }
  const rows = nodes.map((node) => nodeAsJson(node, fleet.nodeDetail(node.key, 'now', view.asOfMs)))
  io.stdout.write(printJson(rows, request.format))
}

/** A rate needs two frames; a link that was refused has said enough. */
function isSettled(node: NodeView, fleet: Fleet, hasBus: boolean): boolean {
  if (node.state === 'up') return node.inferencesPerSec !== null
  if (hasBus) return false
  const link = fleet.nodeDetail(node.key, 'now', 0)?.link
  return link?.lastReason != null
}

function noteOf(node: NodeView): string {
  const insecure = node.insecure ? ['insecure'] : []
  if (node.state !== 'up') return [...insecure, ...(node.reason === null ? [] : [node.reason])].join('; ')
  const worst = node.conditions.filter((condition) => condition.severity !== 'info').map((condition) => condition.msg)
  const count = node.alerts.critical + node.alerts.warning
  const alerts = count === 0 ? [] : [`${count} ${count === 1 ? 'alert' : 'alerts'}`]
  return [...insecure, ...alerts, ...worst].join('; ')
}
