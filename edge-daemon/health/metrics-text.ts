import type { StatusFrame } from '../../protocol/frames.ts'
import { bucketUpperMs, type HistogramData } from '../../protocol/histogram.ts'
import { ALERT_RULES } from './alert-rules.ts'
import { changePoints } from './change-points.ts'

/** What `/metrics` tells: a status frame's content with cumulative histograms, and who tells it. */
export interface MetricsSnapshot extends Omit<StatusFrame, 't' | 'id' | 'n' | 'at' | 'session'> {
  readonly node: { readonly name: string; readonly site: string; readonly version: string; readonly startedAt: number }
  /** Time from a record until an uplink target held it, by target, since the start. */
  readonly transfer: Readonly<Record<string, HistogramData>>
  /** How the logs of the node are followed. */
  readonly followed: {
    readonly files: number
    readonly lagBytes: number
    readonly lines: number
    readonly bytes: number
    readonly redacted: number
    readonly lostBytes: number
    readonly faults: readonly unknown[]
  }
}

/** Content type of the exposition. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Upper bounds of the latency buckets in seconds; 0.05 is the default line of the latency alert. */
const BOUNDS_SEC = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

type Labels = Readonly<Record<string, string | number>>
type Point = readonly [value: number | null, labels?: Labels]

/**
 * The Prometheus text exposition (format 0.0.4) of a node. A value that is not known has no sample.
 *
 * Latency buckets are made from ours, which are 4.4 % wide: one that reaches over a bound is counted above it. So a bucket
 * never holds a slower request than its `le` says, and values up to 4.4 % below a bound may be counted in the next one.
 */
export function renderMetrics(snapshot: MetricsSnapshot): string {
  const page = new Page()
  inferenceMetrics(page, snapshot)
  uplinkMetrics(page, snapshot)
  storeMetrics(page, snapshot)
  logMetrics(page, snapshot)
  hostMetrics(page, snapshot)
  stateMetrics(page, snapshot)
  for (const { name, help, points } of changePoints(snapshot.changes)) page.gauge(name, help, points)
  return page.toString()
}

function inferenceMetrics(page: Page, { inference }: MetricsSnapshot): void {
  const { counters, latency, model } = inference
  page.counter('edge_inference_requests_total', 'Answered requests by result.', [
    ...(['ok', 'abnormal', 'undecodable', 'failed', 'malformed'] as const).map((result): Point => {
      return [counters[result], { result }]
    }),
  ])
  page.counter('edge_inference_not_stored_total', 'Results that the disk refused to keep.', [[counters.notStored]])
  page.counter('edge_inference_over_rate_total', 'Abnormal results that went up only as a statistic.', [
    [counters.overRate],
  ])
  page.counter('edge_model_restarts_total', 'Times the model process was restarted.', [[counters.childRestarts]])
  page.counter('edge_raw_bytes_total', 'Bytes of request bodies from devices.', [[counters.rawBytes]])
  page.gauge('edge_inference_queued', 'Requests that wait.', [[inference.queued]])
  page.gauge('edge_inference_in_flight', 'Requests that run.', [[inference.inFlight]])
  page.gauge('edge_model_info', 'The model that is served.', model === null ? [] : [[1, { ...model }]])
  page.histogram('edge_inference_stage_seconds', 'Latency of a request by stage.', 'stage', latency)
}

function uplinkMetrics(page: Page, { uplink, transfer }: MetricsSnapshot): void {
  const { targets } = uplink
  page.counter(
    'edge_upstream_sent_bytes_total',
    'Bytes written to upstream and console sockets by class.',
    Object.entries(uplink.sentBytes).map(([sentClass, bytes]): Point => [bytes, { class: sentClass }]),
  )
  const byTarget = (value: (target: (typeof targets)[number]) => number | null): Point[] =>
    targets.map((target) => [value(target), { target: target.name, kind: target.kind }])
  page.gauge(
    'edge_uplink_up',
    'Whether a target can be reached.',
    byTarget(({ state }) => (state === 'up' ? 1 : 0)),
  )
  page.gauge(
    'edge_backlog_records',
    'Records that wait for a target.',
    byTarget((target) => target.backlogRecords),
  )
  page.gauge(
    'edge_backlog_bytes',
    'Bytes that wait for a target.',
    byTarget((target) => target.backlogBytes),
  )
  page.gauge(
    'edge_backlog_oldest_timestamp_seconds',
    'Unix time of the oldest record that waits.',
    byTarget(({ oldestAt }) => (oldestAt === null ? null : oldestAt / 1000)),
  )
  page.gauge(
    'edge_uplink_rtt_seconds',
    'Round trip to a target.',
    byTarget(({ rttMs }) => (rttMs === null ? null : rttMs / 1000)),
  )
  page.gauge(
    'edge_uplink_drain_seconds',
    'Seconds until the backlog is drained at the rate of the last minute.',
    byTarget(({ drainSec }) => drainSec ?? null),
  )
  page.gauge(
    'edge_uplink_exactly_once',
    'Whether the receiver compares before it stores; else a block may be there twice.',
    byTarget(({ guarantee }) => (guarantee === undefined ? null : Number(guarantee === 'exactly_once'))),
  )
  page.counter(
    'edge_uplink_maybe_duplicate_blocks_total',
    'Blocks that were sent flagged as maybe held already.',
    byTarget(({ maybeDuplicates }) => maybeDuplicates ?? null),
  )
  page.gauge('edge_uplink_cap_bytes_per_second', 'Cap on what leaves the node.', [[uplink.capBytesPerSec ?? null]])
  page.gauge(
    'edge_uplink_seq',
    'Last sequence by class at each level: committed here, held by the target, surely synced there.',
    targets.flatMap(({ name, levels = {} }) =>
      Object.entries(levels).flatMap(([recordClass, reached]) =>
        Object.entries(reached).map(([level, seq]): Point => [seq, { target: name, class: recordClass, level }]),
      ),
    ),
  )
  page.histogram('edge_uplink_transfer_seconds', 'From a record until its target held it.', 'target', transfer)
}

function storeMetrics(page: Page, { store }: MetricsSnapshot): void {
  page.gauge('edge_store_up', 'Whether the store takes writes.', [[store.state === 'ok' ? 1 : 0]])
  page.gauge('edge_store_records', 'Records in the store.', [[store.records]])
  page.gauge('edge_store_bytes', 'Bytes of the store on disk.', [[store.bytes]])
  page.gauge('edge_store_max_bytes', 'Bytes that the store may take.', [[store.maxBytes]])
  page.gauge('edge_store_segments', 'Segments of the store.', [[store.segments]])
  page.gauge('edge_store_last_seq', 'Newest sequence of the epoch.', [[store.lastSeq]])
  page.counter('edge_store_commits_total', 'Commits, one sync each.', [[store.commits]])
  page.counter('edge_store_evicted_records_total', 'Records that retention removed.', [[store.evictedRecords]])
  storePromises(page, store)
  page.counter('edge_store_corrupt_blocks_total', 'Blocks that were set aside as damaged.', [[store.corruptBlocks]])
}

function storePromises(page: Page, store: MetricsSnapshot['store']): void {
  const { durability, encryption, reserve } = store
  const kept = Object.entries(store.byClass ?? {})
  const byClass = (value: (figures: (typeof kept)[number][1]) => number): Point[] =>
    kept.map(([recordClass, figures]) => [value(figures), { class: recordClass }])
  page.counter('edge_store_not_stored_records_total', 'Records that were not kept.', [[store.notStored ?? null]])
  page.gauge(
    'edge_store_class_records',
    'Records in the store by class.',
    byClass(({ records }) => records),
  )
  page.gauge(
    'edge_store_class_bytes',
    'Bytes of the store by class.',
    byClass(({ bytes }) => bytes),
  )
  page.counter(
    'edge_store_class_evicted_records_total',
    'Records that retention removed, by class.',
    byClass(({ evicted }) => evicted),
  )
  const known = <T>(value: T | undefined, isSo: (value: T) => boolean): Point[] =>
    value === undefined ? [] : [[Number(isSo(value))]]
  page.gauge(
    'edge_store_durable',
    'Whether an answer means that the disk has it.',
    known(durability, (value) => value === 'sync'),
  )
  page.gauge(
    'edge_store_encrypted',
    'Whether what is kept is sealed.',
    known(encryption, (value) => value !== null),
  )
  page.gauge(
    'edge_store_reserve',
    'Whether the reserve for a full disk is there.',
    known(reserve, (value) => value === 'kept'),
  )
  page.gauge('edge_store_missing_key_blocks', 'Sealed blocks without their key.', [[encryption?.missingKeys ?? null]])
  page.gauge('edge_store_epoch_info', 'The epoch in force.', [[1, { epoch: store.epoch }]])
}

function logMetrics(page: Page, { followed }: MetricsSnapshot): void {
  page.gauge('edge_logs_files', 'Log files that are followed.', [[followed.files]])
  page.gauge('edge_logs_lag_bytes', 'Bytes of logs that wait to be read.', [[followed.lagBytes]])
  page.gauge('edge_logs_unreadable', 'Sources of logs that cannot be read.', [[followed.faults.length]])
  page.counter('edge_logs_lines_total', 'Lines that became records.', [[followed.lines]])
  page.counter('edge_logs_bytes_total', 'Bytes of logs that were read.', [[followed.bytes]])
  page.counter('edge_logs_redacted_total', 'Secrets that were cut out of lines.', [[followed.redacted]])
  page.counter('edge_logs_lost_bytes_total', 'Bytes of logs that went before they were read.', [[followed.lostBytes]])
}

function hostMetrics(page: Page, { host }: MetricsSnapshot): void {
  const ratio = host.cpuPct === null ? null : host.cpuPct / 100
  page.gauge('edge_host_cpu_ratio', 'Share of all cores in use, 0 to 1.', [[ratio]])
  page.gauge('edge_host_cores', 'Processor cores.', [[host.cores]])
  page.gauge('edge_host_load1', 'Load average over a minute.', [[host.load1]])
  page.gauge('edge_host_memory_used_bytes', 'Memory in use.', [[host.memUsedBytes]])
  page.gauge('edge_host_memory_bytes', 'Memory there is.', [[host.memTotalBytes]])
  page.gauge('edge_host_disk_used_bytes', 'Bytes in use on the disk of the state directory.', [[host.diskUsedBytes]])
  page.gauge('edge_host_disk_bytes', 'Bytes usable on the disk of the state directory.', [[host.diskTotalBytes]])
  page.gauge('edge_host_network_receive_bytes_per_second', 'Network bytes in.', [[host.netRxBytesPerSec]])
  page.gauge('edge_host_network_transmit_bytes_per_second', 'Network bytes out.', [[host.netTxBytesPerSec]])
  page.gauge('edge_host_temperature_celsius', 'Hottest sensor.', [[host.tempC]])
}

function stateMetrics(page: Page, { alerts, conditions, faults, node }: MetricsSnapshot): void {
  const firing = new Set(alerts.map(({ rule }) => rule))
  const rules = new Set<string>([...ALERT_RULES, ...firing])
  page.gauge(
    'edge_alert_firing',
    'Whether a local alert fires.',
    [...rules].map((rule): Point => [firing.has(rule) ? 1 : 0, { rule }]),
  )
  const codes = new Map(conditions.map(({ code, severity }) => [code, severity]))
  page.gauge(
    'edge_condition',
    'Conditions that hold now.',
    [...codes].map(([code, severity]): Point => [1, { code, severity }]),
  )
  page.gauge(
    'edge_fault',
    'Declared faults in force.',
    Object.entries(faults).map(([fault, value]): Point => [value, { fault }]),
  )
  const { name, site, version } = node
  page.gauge('edge_node_info', 'Who tells this.', [[1, { node: name, site, version }]])
  page.gauge('edge_start_time_seconds', 'Unix time of the start.', [[node.startedAt / 1000]])
}

/** Lines of an exposition, family by family. */
class Page {
  readonly #lines: string[] = []

  counter(name: string, help: string, points: readonly Point[]): void {
    this.#family(name, 'counter', help, points)
  }

  gauge(name: string, help: string, points: readonly Point[]): void {
    this.#family(name, 'gauge', help, points)
  }

  histogram(name: string, help: string, label: string, parts: Readonly<Record<string, HistogramData>>): void {
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} histogram`)
    for (const [part, data] of Object.entries(parts)) {
      const labels = { [label]: part }
      const counts = cumulative(data)
      BOUNDS_SEC.forEach((le, index) => {
        this.#lines.push(sampleLine(`${name}_bucket`, counts[index] ?? 0, { ...labels, le }))
      })
      this.#lines.push(sampleLine(`${name}_bucket`, data.count, { ...labels, le: '+Inf' }))
      this.#lines.push(sampleLine(`${name}_sum`, data.sumMs / 1000, labels))
      this.#lines.push(sampleLine(`${name}_count`, data.count, labels))
    }
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`
  }

  #family(name: string, type: string, help: string, points: readonly Point[]): void {
    const known = points.filter((point): point is readonly [number, Labels?] => point[0] !== null)
    if (known.length === 0) return
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    for (const [value, labels] of known) this.#lines.push(sampleLine(name, value, labels ?? {}))
  }
}

/** Counts at or below each bound: our buckets that lie wholly under it. */
function cumulative(data: HistogramData): number[] {
  return BOUNDS_SEC.map((boundSec) => {
    let sum = 0
    // A bound that is a bucket's own upper end must include it in spite of rounding.
    for (const [index, count] of data.buckets) if (bucketUpperMs(index) <= boundSec * 1000 * (1 + 1e-9)) sum += count
    return sum
  })
}

function sampleLine(name: string, value: number, labels: Labels): string {
  const parts = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(String(text))}"`)
  return `${name}${parts.length === 0 ? '' : `{${parts.join(',')}}`} ${value}`
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
