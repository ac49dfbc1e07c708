import type { NodeDetail } from '../../fleet/view.ts'
import {
  formatAge,
  formatByteRate,
  formatBytes,
  formatCount,
  formatMs,
  formatPct,
  formatRate,
  formatSaved,
  UNKNOWN,
} from '../format.ts'
import type { Token } from '../theme.ts'
import { changeGroups } from './change-facts.ts'
import type { Fact, FactGroup } from './facts.ts'
import { othersGroup } from './others-facts.ts'
import { outboxGroups } from './outbox-facts.ts'
import { keptFacts, storeFacts } from './store-facts.ts'

/**
 * Everything known of a node, by group; what is not known is a dash. The link is as it is now, also while the rest is of the
 * past (`isPast`).
 */
export function nodeFacts(detail: NodeDetail, nowMs: number, isPast = false): FactGroup[] {
  const { status } = detail
  return [
    ...othersGroup(detail),
    ...changeGroups(status),
    { title: 'Inference', facts: inferenceFacts(detail) },
    { title: 'Host', facts: hostFacts(detail) },
    { title: 'Store', facts: storeFacts(status) },
    ...keptFacts(status),
    ...outboxGroups(status),
    { title: 'Sent up', facts: sentFacts(detail) },
    { title: isPast ? 'Link to this console now' : 'Link to this console', facts: linkFacts(detail, nowMs, isPast) },
  ]
}

function inferenceFacts({ node, status, answersPerSec }: NodeDetail): Fact[] {
  const counters = status?.inference.counters
  const counted = (
    name: 'ok' | 'abnormal' | 'undecodable' | 'failed' | 'malformed' | 'notStored' | 'overRate',
  ): Fact => {
    const total = counters?.[name] ?? null
    const rate = answersPerSec[name] ?? null
    const bad = name !== 'ok' && (rate ?? 0) > 0
    const label = { notStored: 'not stored', overRate: 'over rate' }[name as string] ?? name
    const token: Token = bad ? (name === 'failed' || name === 'notStored' ? 'danger' : 'warning') : 'text'
    return { label, value: `${formatCount(total).padStart(6)}  ${formatRate(rate).padStart(5)}/s`, token }
  }
  const child = status?.inference.childPid
  return [
    { label: 'model', value: node.model ?? UNKNOWN },
    { label: 'process', value: child == null ? UNKNOWN : `pid ${child}, generation ${status?.inference.generation}` },
    {
      label: 'waiting',
      value: `${formatCount(status?.inference.queued ?? null)} queued, ${formatCount(status?.inference.inFlight ?? null)} running`,
    },
    counted('ok'),
    counted('abnormal'),
    counted('undecodable'),
    counted('failed'),
    counted('malformed'),
    counted('notStored'),
    counted('overRate'),
  ]
}

function hostFacts({ node, status }: NodeDetail): Fact[] {
  const host = status?.host
  const over = (value: number | null, limit: number): Token => ((value ?? 0) > limit ? 'warning' : 'text')
  return [
    {
      label: 'CPU',
      value: `${formatPct(node.cpuPct)} of ${formatCount(host?.cores ?? null)} cores`,
      token: over(node.cpuPct, 80),
    },
    { label: 'load, 1 min', value: node.load1 === null ? UNKNOWN : node.load1.toFixed(2) },
    {
      label: 'memory',
      value: usedOf(node.memUsedBytes, node.memTotalBytes, node.memPct),
      token: over(node.memPct, 90),
    },
    {
      label: 'disk',
      value: usedOf(node.diskUsedBytes, node.diskTotalBytes, node.diskPct),
      token: over(node.diskPct, 90),
    },
    { label: 'network in', value: formatByteRate(node.netRxBytesPerSec) },
    { label: 'network out', value: formatByteRate(node.netTxBytesPerSec) },
    { label: 'temperature', value: node.tempC === null ? UNKNOWN : `${node.tempC.toFixed(1)} °C` },
    {
      label: 'measured by',
      value: host?.source === 'node-exporter' ? 'node-exporter' : host ? 'built-in meters' : UNKNOWN,
    },
  ]
}

/** What consoles are told goes two ways. */
const SENT_LABELS: Readonly<Record<string, string>> = { telemetryNats: 'telem. bus' }

function sentFacts({ node, status, upBytesPerSecByClass }: NodeDetail): Fact[] {
  const classes = Object.entries(status?.uplink.sentBytes ?? {}).map(([name, bytes]) => ({
    label: SENT_LABELS[name] ?? name,
    value: `${formatByteRate(upBytesPerSecByClass[name] ?? null).padStart(9)}  ${formatBytes(bytes)} all`,
  }))
  const cap = status?.uplink.capBytesPerSec
  return [
    {
      label: 'raw in',
      value: `${formatByteRate(node.rawBytesPerSec).padStart(9)}  ${formatBytes(status?.inference.counters.rawBytes ?? null)} all`,
    },
    { label: 'sent up', value: formatByteRate(node.upBytesPerSec).padStart(9) },
    ...(cap == null ? [] : [{ label: 'cap', value: formatByteRate(cap).padStart(9) }]),
    { label: 'saved', value: `${formatSaved(node.savedPct).padStart(9)}  in 1 min` },
    ...classes,
  ]
}

function linkFacts({ link, node }: NodeDetail, nowMs: number, isPast: boolean): Fact[] {
  const open = link.phase === 'open'
  const facts: Fact[] = [
    { label: 'address', value: link.url ?? UNKNOWN },
    {
      label: 'state',
      value:
        open && link.openedAtMs !== null
          ? `open for ${formatAge(nowMs - link.openedAtMs)}`
          : `${link.phase}, attempt ${link.attempt}`,
      token: open ? 'ok' : 'warning',
    },
    {
      label: isPast ? 'age then' : 'data age',
      value: node.ageMs === null ? UNKNOWN : `${(node.ageMs / 1000).toFixed(1)} s`,
    },
    { label: 'RTT', value: formatMs(link.rttMs) },
    { label: 'clock', value: clockText(link.clockOffsetMs) },
    { label: 'received', value: `${formatBytes(link.receivedBytes)}, ${formatCount(link.receivedFrames)} frames` },
  ]
  if (link.route === 'nats') facts.splice(1, 0, { label: 'way', value: 'through the bus', token: 'accent' })
  else if (link.route === 'direct' && link.heartbeatAtMs !== null) {
    facts.splice(1, 0, { label: 'way', value: 'direct, the bus would do' })
  }
  if (link.heartbeatAtMs !== null) {
    facts.push({ label: 'on the bus', value: `heard ${formatAge(nowMs - link.heartbeatAtMs)} ago` })
  }
  if (link.insecure) facts.push({ label: 'insecure', value: 'plain over a network', token: 'danger' })
  if (link.certified === true) facts.push({ label: 'known by', value: 'its certificate' })
  if (!open && link.lastReason !== null) facts.push({ label: 'reason', value: link.lastReason, token: 'warning' })
  if (link.refusedFrames > 0) facts.push({ label: 'refused', value: `${link.refusedFrames} frames`, token: 'danger' })
  if (link.floods > 0) facts.push({ label: 'cut', value: `${link.floods} × for flooding`, token: 'danger' })
  return facts
}

function clockText(offsetMs: number | null): string {
  if (offsetMs === null) return UNKNOWN
  if (Math.abs(offsetMs) < 1) return 'as here'
  return `${formatMs(Math.abs(offsetMs))} ${offsetMs > 0 ? 'ahead' : 'behind'}`
}

function usedOf(used: number | null, total: number | null, pct: number | null): string {
  return used === null ? UNKNOWN : `${formatPct(pct)}, ${formatBytes(used)} of ${formatBytes(total)}`
}
