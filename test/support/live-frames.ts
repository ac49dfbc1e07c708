import type { DaemonFrame, FrameOf, StatusFrame } from '../../protocol/frames.ts'
import { EMPTY_HISTOGRAM, Histogram, type HistogramData } from '../../protocol/histogram.ts'
import type { LogRecord } from '../../protocol/records.ts'
import type { LinkEvent } from '../../src/fleet/link-event.ts'

/** A histogram over these values, ms. */
export function latencyOf(valuesMs: readonly number[]): HistogramData {
  const histogram = new Histogram()
  for (const value of valuesMs) histogram.record(value)
  return histogram.snapshot()
}

/** What a test says of a status frame; the rest is that of a quiet node. */
export interface StatusWish {
  readonly at: number
  readonly n?: number
  readonly counters?: Partial<StatusFrame['inference']['counters']>
  readonly latency?: HistogramData
  readonly sentBytes?: Record<string, number>
  readonly cpuPct?: number | null
  readonly alerts?: StatusFrame['alerts']
  readonly conditions?: StatusFrame['conditions']
  readonly faults?: Record<string, number>
  readonly backlogRecords?: number
  readonly targets?: StatusFrame['uplink']['targets']
}

/** A status frame of the protocol. */
export function statusFrame(wish: StatusWish): StatusFrame {
  const none = wire(EMPTY_HISTOGRAM)
  return {
    t: 'status',
    id: 'status-1',
    n: wish.n ?? 1,
    at: wish.at,
    conditions: wish.conditions ?? [],
    host: {
      source: 'builtin',
      cpuPct: wish.cpuPct === undefined ? 10 : wish.cpuPct,
      cores: 4,
      load1: 0.4,
      memUsedBytes: 1e9,
      memTotalBytes: 4e9,
      diskUsedBytes: 1e9,
      diskTotalBytes: 2e9,
      netRxBytesPerSec: 1,
      netTxBytesPerSec: 2,
      tempC: null,
    },
    inference: {
      model: { name: 'digits', version: '1.0.0', variant: 'fp32' },
      childPid: 42,
      generation: 1,
      queued: 0,
      inFlight: 0,
      counters: {
        requests: 0,
        ok: 0,
        abnormal: 0,
        undecodable: 0,
        failed: 0,
        malformed: 0,
        notStored: 0,
        overRate: 0,
        childRestarts: 0,
        slow: 0,
        rawBytes: 0,
        ...wish.counters,
      },
      windowMs: 1000,
      latency: { decode: none, queue: none, run: none, commit: none, total: wire(wish.latency ?? EMPTY_HISTOGRAM) },
    },
    uplink: {
      targets: wish.targets ?? [],
      sentBytes: wish.sentBytes ?? { telemetry: 0 },
      backlogRecords: wish.backlogRecords ?? 0,
    },
    store: {
      state: 'ok',
      epoch: 'e1',
      firstSeq: 1,
      lastSeq: 10,
      records: 10,
      bytes: 1000,
      maxBytes: 1e6,
      segments: 1,
      commits: 5,
      evictedRecords: 0,
      corruptBlocks: 0,
      error: null,
    },
    alerts: wish.alerts ?? [],
    faults: wish.faults ?? {},
    session: { rttMs: null, clockOffsetMs: null },
  }
}

/** A welcome of the protocol. */
export function welcomeFrame(
  wish: {
    readonly name?: string
    readonly site?: string
    readonly instance?: string
    readonly intervalMs?: number
  } = {},
): FrameOf<DaemonFrame, 'welcome'> {
  const { name = 'n1', site = 's1', instance = 'i1', intervalMs = 1000 } = wish
  return { t: 'welcome', v: 1, at: 0, node: { name, site, version: '0.1.0', instance, startedAt: 0 }, intervalMs }
}

/** A log line of the protocol. */
export function logRecord(seq: number, timestamp: number, msg: string, level: LogRecord['level'] = 'info'): LogRecord {
  return { seq, node_id: 'n1', timestamp, level, source: 'edge-daemon', msg }
}

/** A frame as a link delivers it. */
export function arrived(frame: DaemonFrame): LinkEvent {
  return { kind: 'frame', frame, sizeBytes: 100 }
}

export function wire(data: HistogramData): StatusFrame['inference']['latency']['total'] {
  return { ...data, buckets: data.buckets.map(([index, count]) => [index, count]) }
}
