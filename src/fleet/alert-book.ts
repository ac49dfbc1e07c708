import type { AlertRecord, Severity } from '../../protocol/records.ts'
import type { ActiveAlert } from '../../protocol/status.ts'
import type { UntrustedText } from '../../protocol/untrusted-text.ts'
import { type Clean, safe } from './clean.ts'
import { shed } from './fair-share.ts'
import type { RowOrigin } from './log-intake.ts'
import type { AlertCounts, AlertView, NodeView } from './view.ts'

const SEVERITY_RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 }

/** What began and ended lately, bounded and shared between nodes, newest last. */
export class AlertBook {
  readonly #maxRows: number
  readonly #rows: AlertView[] = []
  readonly #known = new Set<string>()
  readonly #marks = new WeakMap<AlertView, string>()

  constructor(maxRows: number) {
    this.#maxRows = maxRows
  }

  /** Take alert records of a node; one that is known is not taken again. */
  add(origin: RowOrigin & { readonly site: UntrustedText | null }, records: readonly AlertRecord[]): void {
    for (const record of records) {
      const mark = markOf(origin.key, record.rule, record.state, record.timestamp)
      if (this.#known.has(mark)) continue
      this.#known.add(mark)
      const row: AlertView = {
        key: origin.key,
        name: safe(origin.key),
        site: origin.site,
        rule: safe(record.rule),
        state: record.state,
        severity: record.severity,
        value: record.value,
        threshold: record.threshold,
        unit: safe(record.unit),
        msg: safe(record.msg),
        sinceMs: Math.min(origin.receivedMs, record.since - origin.offsetMs),
        atMs: Math.min(origin.receivedMs, record.timestamp - origin.offsetMs),
      }
      this.#marks.set(row, mark)
      this.#rows.push(row)
    }
    this.#rows.sort((a, b) => a.atMs - b.atMs)
    if (this.#rows.length <= this.#maxRows) return
    for (const old of shed(this.#rows, { keyOf: ({ key }) => key, weightOf: () => 1, limit: this.#maxRows })) {
      this.#known.delete(this.#marks.get(old) ?? '')
    }
  }

  /** The newest `limit` rows up to a time, oldest first; of one node when `key` is given. */
  history(untilMs: number, limit: number, key: string | null = null): AlertView[] {
    return this.#rows.filter((row) => row.atMs <= untilMs && (key === null || row.key === key)).slice(-limit)
  }
}

/** An alert that a status frame says fires now. */
export function activeAlert(node: NodeView, alert: Clean<ActiveAlert>, offsetMs: number): AlertView {
  const sinceMs = alert.since - offsetMs
  return {
    key: node.key,
    name: node.name,
    site: node.site,
    rule: alert.rule,
    state: 'firing',
    severity: alert.severity,
    value: alert.value,
    threshold: alert.threshold,
    unit: alert.unit,
    msg: alert.msg,
    sinceMs,
    atMs: sinceMs,
  }
}

/** What the fleet itself has to say about a node that does not report; null when it does. */
export function silenceAlert(
  node: NodeView,
  at: { readonly nowMs: number; readonly addedMs: number; readonly refused: boolean },
): AlertView | null {
  if (node.state === 'up' || node.state === 'unknown') return null
  if (node.state === 'connecting' && !at.refused) return null
  const sinceMs = node.ageMs === null ? at.addedMs : at.nowMs - node.ageMs
  return {
    key: node.key,
    name: node.name,
    site: node.site,
    rule: safe(node.state === 'connecting' ? 'node_unreached' : `node_${node.state}`),
    state: 'firing',
    severity: node.state === 'offline' ? 'critical' : 'warning',
    value: node.ageMs === null ? null : Math.round(node.ageMs / 1000),
    threshold: null,
    unit: safe('s'),
    msg: node.reason ?? safe(node.state),
    sinceMs,
    atMs: sinceMs,
  }
}

/** Count by severity. */
export function countAlerts(alerts: Iterable<{ readonly severity: Severity }>): AlertCounts {
  const counts = { info: 0, warning: 0, critical: 0 }
  for (const alert of alerts) counts[alert.severity] += 1
  return counts
}

/** Worst first, then newest first. */
export function byUrgency(a: AlertView, b: AlertView): number {
  return SEVERITY_RANK[a.severity] - SEVERITY_RANK[b.severity] || b.sinceMs - a.sinceMs || (a.key < b.key ? -1 : 1)
}

function markOf(key: string, rule: string, state: string, timestamp: number): string {
  return [key, rule, state, timestamp].join('\n')
}
