import type { AlertRecord, LogRecord, ResultRecord } from '../../protocol/records.ts'
import type { SampleRecord } from '../../protocol/status.ts'
import type {
  HistoryKind,
  HistoryOutcome,
  HistoryRange,
  HistoryReach,
  HistoryRows,
  HistorySink,
  HistorySource,
} from '../../src/link/history-source.ts'
import { latencyOf, logRecord, type StatusWish, statusFrame } from './live-frames.ts'

/** A kept sample of a quiet node, `at` on its own clock. */
export function sampleRecord(wish: StatusWish, windowMs = 1000): SampleRecord {
  const { t: _t, id: _id, n: _n, at, session: _session, ...status } = statusFrame(wish)
  return { seq: Math.round(at / 1000), node_id: 'n1', timestamp: at, instance: 'i1', window_ms: windowMs, status }
}

/** A kept result. */
export function resultRecord(seq: number, timestamp: number, wish: Partial<ResultRecord> = {}): ResultRecord {
  const usual = { code: 200, pred: 7, confidence: 0.93, model: 'digits@1.0.0', total_ms: 6.2, bytes: 91_230 }
  return { seq, node_id: 'n1', timestamp, ...usual, ...wish }
}

/** A kept alert that began. */
export function alertRecord(seq: number, timestamp: number): AlertRecord {
  const what = {
    rule: 'cpu_high',
    state: 'firing',
    severity: 'warning',
    unit: '%',
    msg: 'CPU 91 % is over 80 %',
  } as const
  return { seq, node_id: 'n1', timestamp, since: timestamp, value: 91, threshold: 80, ...what }
}

type Kept = { readonly [K in HistoryKind]: (HistoryRows & { kind: K })['rows'] }

/** A source of a past that exists only in memory; it counts what it is asked. */
export class KeptNode implements HistorySource {
  readonly name: 'node' | 'cloud'
  readonly asked: { readonly node: string; readonly range: HistoryRange }[] = []
  /** Why it cannot be reached; null when it can. */
  unreachable: string | null = null
  /** Whether it says that there was more than was asked for. */
  truncates = false
  readonly kept: { [K in HistoryKind]: Kept[K][number][] } = {
    status: [],
    alerts: [],
    logs: [],
    results: [],
    ledger: [],
    stats: [],
    metrics: [],
    audit: [],
  }
  #held: (() => void)[] = []
  #holds = false

  constructor(name: 'node' | 'cloud' = 'node') {
    this.name = name
  }

  /** Keep a sample a second in `[fromMs, toMs)`, with ten requests a second and the CPU at the second of the minute. */
  keepSeconds(fromMs: number, toMs: number): this {
    for (let at = fromMs; at < toMs; at += 1000) this.kept.status.push(sampleRecord(quiet(at)))
    return this
  }

  /** Keep a record a minute whose windows end in `(fromMs, toMs]`. */
  keepMinutes(fromMs: number, toMs: number): this {
    for (let at = fromMs + 60_000; at <= toMs; at += 60_000) this.kept.status.push(sampleRecord(quiet(at), 60_000))
    return this
  }

  keepLog(at: number, msg: string): this {
    this.kept.logs.push(logRecord(at, at, msg) satisfies LogRecord)
    return this
  }

  /** Answer nothing until `release`. */
  hold(): void {
    this.#holds = true
  }

  async release(): Promise<void> {
    this.#holds = false
    for (const go of this.#held.splice(0)) go()
    await settled()
  }

  async read(node: string, range: HistoryRange, sink: HistorySink, signal: AbortSignal): Promise<HistoryOutcome> {
    this.asked.push({ node, range })
    if (this.#holds) await new Promise<void>((resolve) => this.#held.push(resolve))
    if (signal.aborted) return { ok: false, code: 'CANCELLED', message: 'nobody waits', next: [] }
    if (this.unreachable !== null) return { ok: false, code: 'NODE_UNREACHABLE', message: this.unreachable, next: [] }
    for (const kind of range.kinds) {
      const rows = (this.kept[kind] as { timestamp: number }[])
        .filter(({ timestamp }) => timestamp >= range.fromMs && timestamp <= range.toMs)
        .sort((a, b) => a.timestamp - b.timestamp)
      if (rows.length > 0) await sink.rows({ kind, epoch: null, rows } as unknown as HistoryRows)
    }
    return { ok: true, truncated: this.truncates }
  }

  reach(): Promise<HistoryReach | null> {
    return Promise.resolve(null)
  }
}

/** Let everything that was answered be taken. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
}

function quiet(at: number): StatusWish {
  const second = Math.floor(at / 1000)
  return {
    at,
    n: second,
    cpuPct: second % 60,
    counters: { requests: second * 10, rawBytes: second * 1000 },
    latency: latencyOf([5, 5, 5, 5, 5, 5, 5, 5, 5, 20]),
  }
}
