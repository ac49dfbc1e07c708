import { mergeHistograms, quantileMs } from '../protocol/histogram.ts'
import type { HostSample, StoreStatus, UplinkTargetStatus } from '../protocol/status.ts'
import { MIN_LATENCY_SAMPLES } from './health/alert-rules.ts'
import type { Sample } from './minute-window.ts'
import type { Metrics } from './rules/metric-rules.ts'

/** Seconds that rates and percentiles are taken over. */
export const METRIC_WINDOW_SAMPLES = 10

/**
 * The metrics that rules look at, from the last samples of one run of the daemon, oldest first; at least one. Rates and
 * shares are over all of them, gauges are those of the last.
 */
export function metricsOf(samples: readonly Sample[]): Metrics {
  const last = samples.at(-1) as Sample
  const { host, store, uplink } = last.status
  return {
    host: known(hostOf(host)),
    inference: known(inferenceOf(samples)),
    store: { ...known(storeOf(store)), failing: store.state === 'failing' },
    uplink: known(uplinkOf(uplink.targets, last.timestamp)),
  }
}

function hostOf(host: HostSample): Record<keyof Metrics['host'], number | null> {
  const { memUsedBytes, memTotalBytes, diskUsedBytes, diskTotalBytes } = host
  return {
    cpuPct: host.cpuPct,
    cores: host.cores,
    load1: host.load1,
    memPct: shareOf(memUsedBytes, memTotalBytes),
    memUsedBytes,
    diskPct: shareOf(diskUsedBytes, diskTotalBytes),
    diskFreeBytes: diskUsedBytes === null || diskTotalBytes === null ? null : diskTotalBytes - diskUsedBytes,
    netRxBytesPerSec: host.netRxBytesPerSec,
    netTxBytesPerSec: host.netTxBytesPerSec,
    tempC: host.tempC,
  }
}

function inferenceOf(samples: readonly Sample[]): Record<keyof Metrics['inference'], number | null> {
  const first = samples[0]?.status.inference
  const last = (samples.at(-1) as Sample).status.inference
  // Counters stand as they were at the end of each window, so the first sample only says where the others begin.
  const grown = (name: keyof typeof last.counters): number => last.counters[name] - (first ?? last).counters[name]
  const seconds = samples.slice(1).reduce((sum, { window_ms }) => sum + window_ms, 0) / 1000
  const answers = grown('requests')
  const latency = mergeHistograms(samples.map(({ status }) => status.inference.latency.total))
  const enough = latency.count >= MIN_LATENCY_SAMPLES
  return {
    ratePerSec: seconds > 0 ? answers / seconds : null,
    failedPct: answers >= MIN_LATENCY_SAMPLES ? (grown('failed') / answers) * 100 : null,
    abnormalPct: answers >= MIN_LATENCY_SAMPLES ? (grown('abnormal') / answers) * 100 : null,
    queued: last.queued,
    inFlight: last.inFlight,
    p50Ms: enough ? quantileMs(latency, 0.5) : null,
    p99Ms: enough ? quantileMs(latency, 0.99) : null,
    childRestarts: grown('childRestarts'),
    notStored: grown('notStored'),
  }
}

function storeOf(store: StoreStatus): Record<Exclude<keyof Metrics['store'], 'failing'>, number | null> {
  const { bytes, maxBytes, evictedRecords, corruptBlocks } = store
  return { usedPct: shareOf(bytes, maxBytes), bytes, evictedRecords, corruptBlocks }
}

function uplinkOf(targets: readonly UplinkTargetStatus[], at: number): Record<keyof Metrics['uplink'], number | null> {
  if (targets.length === 0) {
    return { targetsDown: null, backlogRecords: null, backlogBytes: null, oldestSec: null, rttMs: null }
  }
  const oldest = targets.flatMap(({ oldestAt }) => (oldestAt === null ? [] : [oldestAt]))
  const rtts = targets.flatMap(({ rttMs }) => (rttMs === null ? [] : [rttMs]))
  return {
    targetsDown: targets.filter(({ state }) => state !== 'up').length,
    backlogRecords: Math.max(...targets.map(({ backlogRecords }) => backlogRecords)),
    backlogBytes: Math.max(...targets.map(({ backlogBytes }) => backlogBytes)),
    oldestSec: oldest.length === 0 ? 0 : Math.max(0, (at - Math.min(...oldest)) / 1000),
    rttMs: rtts.length === 0 ? null : Math.max(...rtts),
  }
}

function shareOf(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole <= 0 ? null : (part / whole) * 100
}

/** Without what is not known, and rounded: a record does not need twelve digits. */
function known<K extends string>(values: Record<K, number | null>): Partial<Record<K, number>> {
  const found: Partial<Record<K, number>> = {}
  for (const [name, value] of Object.entries(values) as [K, number | null][]) {
    if (value !== null) found[name] = Math.round(value * 1000) / 1000
  }
  return found
}
