import type { AuditRecord } from '../../protocol/audit.ts'
import { quantileMs } from '../../protocol/histogram.ts'
import type {
  AlertRecord,
  LedgerRecord,
  LogRecord,
  MetricRecord,
  ResultRecord,
  StatRecord,
} from '../../protocol/records.ts'
import type { SampleRecord } from '../../protocol/status.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { HistoryGap, HistoryKind } from '../link/history-source.ts'
import { formatAge, formatBytes, formatCount, formatMs, formatPct, UNKNOWN } from '../ui/format.ts'

/** Any record that a past is made of. */
export type HistoryRecord =
  | ResultRecord
  | AlertRecord
  | LogRecord
  | LedgerRecord
  | StatRecord
  | MetricRecord
  | SampleRecord
  | AuditRecord

/** Titles over lines of {@link historyRowAsText}. */
export const HISTORY_TITLES = `${'TIME (UTC)'.padEnd(24)} ${'SEQ'.padStart(9)}  WHAT\n`

/** One line of the plain form: the node's time, the sequence, and what the record says. */
export function historyRowAsText(kind: HistoryKind, record: HistoryRecord): string {
  const what = (TEXT[kind] as (record: HistoryRecord) => string)(record)
  return `${new Date(record.timestamp).toISOString()} ${String(record.seq).padStart(9)}  ${untrusted(what)}\n`
}

/** A gap as a sentence without a full stop. */
export function gapAsText({ kind, missed, reason, fromMs, toMs }: HistoryGap): string {
  const many = missed === null ? kind : `${missed} ${kind}`
  const when = fromMs <= 0 ? `before ${iso(toMs)}` : `from ${iso(fromMs)} to ${iso(toMs)}`
  return untrusted(`${many} ${when} are not here: ${reason}`)
}

const TEXT: { readonly [K in HistoryKind]: (record: never) => string } = {
  results: resultText,
  alerts: ({ state, severity, rule, msg }: AlertRecord) => `${state} ${severity} ${rule}: ${msg}`,
  logs: ({ level, source, msg, fields = {} }: LogRecord) => {
    const parts = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`)
    return `${level.toUpperCase().padEnd(5)} ${source}: ${msg}${parts.join('')}`
  },
  ledger: ledgerText,
  stats: ({ first_seq, last_seq, count, success_rate, p50_ms, p99_ms, over_rate }: StatRecord) => {
    const over = Object.entries(over_rate).map(([reason, times]) => `, ${times} ${reason} over the rate`)
    const latency = `p50 ${formatMs(p50_ms)}, p99 ${formatMs(p99_ms)}`
    return `${count} results (${first_seq}–${last_seq}), ${formatPct(success_rate * 100)} ok, ${latency}${over.join('')}`
  },
  metrics: ({ rule, state, expr, values }: MetricRecord) => {
    const parts = Object.entries(values).map(([path, value]) => `${path}=${value}`)
    return `${state} ${rule}: ${expr} (${parts.join(' ')})`
  },
  status: statusText,
  audit: ({ phase, verb, who, route, address, code, msg }: AuditRecord) => {
    const came = code === undefined ? '' : ` ${code}${msg === undefined ? '' : `: ${msg}`}`
    return `${phase} ${verb} by ${who.kind} ${who.name} over ${route} from ${address}${came}`
  },
}

function resultText(record: ResultRecord): string {
  const { code, pred, confidence, total_ms, model, reason, over_rate, msg } = record
  const seen = pred === null ? 'nothing' : `${pred} ${formatPct(confidence === null ? null : confidence * 100)}`
  const flag = reason === undefined ? '' : ` ${reason}${over_rate ? ' (over the rate)' : ''}`
  return `${code} ${seen} in ${formatMs(total_ms)} by ${model ?? UNKNOWN}${flag}${msg === undefined ? '' : `: ${msg}`}`
}

function ledgerText({ event, reason, first_seq, last_seq, records, bytes, msg }: LedgerRecord): string {
  const range = first_seq === null || last_seq === null ? '' : ` ${first_seq}–${last_seq}`
  const counts = Object.entries(records).map(([recordClass, count]) => `${count} ${recordClass}`)
  const size = bytes > 0 ? [formatBytes(bytes)] : []
  const what = [...counts, ...size].join(', ')
  return `${event} (${reason})${range}${what === '' ? '' : `: ${what}`}: ${msg}`
}

function statusText({ window_ms, status }: SampleRecord): string {
  const { host, inference, uplink, store } = status
  const { total } = inference.latency
  return [
    `${formatAge(window_ms)} window`,
    `cpu ${formatPct(host.cpuPct)}`,
    `${formatCount(total.count)} answers, p50 ${formatMs(quantileMs(total, 0.5))}, p99 ${formatMs(quantileMs(total, 0.99))}`,
    `backlog ${formatCount(uplink.backlogRecords)}`,
    `store ${store.state}`,
    ...status.alerts.map(({ rule }) => `alert ${rule}`),
  ].join(', ')
}

function iso(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : UNKNOWN
}
