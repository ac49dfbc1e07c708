import { randomUUID } from 'node:crypto'
import type { DaemonFrame, FrameOf, StatusFrame } from '../../protocol/frames.ts'
import { Histogram } from '../../protocol/histogram.ts'
import type { AlertRecord, LogLevel, LogRecord } from '../../protocol/records.ts'
import type { ActiveAlert, StageHistograms } from '../../protocol/status.ts'
import { longTail, seededRandom } from './random.ts'

/** What a simulated node is like. */
export interface NodeCharacter {
  readonly name: string
  readonly site: string
  readonly seed: number
  readonly inferencesPerSec: number
  readonly medianMs: number
  readonly cpuPct: number
  readonly uplinkDown: boolean
  /** Log lines a second. */
  readonly logsPerSec: number
  /** Text that its log lines carry besides. */
  readonly logSuffix: string
}

type Counters = StatusFrame['inference']['counters']
const PICTURE_BYTES = 92_000
const MAX_KEPT_LOGS = 200
const STAGE_SHARE = { decode: 0.45, queue: 0.1, run: 0.25, commit: 0.15 } as const
const LOG_LINES: readonly (readonly [LogLevel, string])[] = [
  ['info', 'block acknowledged by the cloud'],
  ['debug', 'batch of 3 ran'],
  ['info', 'statistic over 100 results written'],
  ['warn', 'confidence below 0.6, kept as abnormal'],
  ['info', 'segment closed'],
  ['error', 'uplink lost, records wait in the outbox'],
]

/** The inside of one simulated node: its counters go on with time and never fall until it is restarted. */
export class SimulatedNode {
  readonly character: NodeCharacter
  readonly #random: () => number
  #instance: string = randomUUID()
  #startedMs: number
  #advancedMs: number
  #counters: Counters = zeroCounters()
  #sent = { telemetry: 0, results: 0, stats: 0, control: 0 }
  #latency = emptyStages()
  #windowFromMs: number
  #cpuPct: number
  #backlog = 0
  #seq = 0
  #slowMs = 0
  #owedInferences = 0
  #owedLogs = 0
  readonly #logs: LogRecord[] = []
  #newLogs: LogRecord[] = []

  constructor(character: NodeCharacter, nowMs: number) {
    this.character = character
    this.#random = seededRandom(character.seed)
    this.#startedMs = nowMs
    this.#advancedMs = nowMs
    this.#windowFromMs = nowMs
    this.#cpuPct = character.cpuPct
    this.#backlog = character.uplinkDown ? 1200 : 0
  }

  /** Start anew as after a crash: another instance, counters from zero. */
  restart(nowMs: number): void {
    this.#instance = randomUUID()
    this.#startedMs = nowMs
    this.#advancedMs = nowMs
    this.#windowFromMs = nowMs
    this.#counters = zeroCounters()
    this.#sent = { telemetry: 0, results: 0, stats: 0, control: 0 }
    this.#latency = emptyStages()
  }

  /** Make every inference so much slower; 0 ends it. */
  slow(extraMs: number): void {
    this.#slowMs = extraMs
  }

  /** Count bytes of live frames, as the daemon does. */
  countTelemetry(bytes: number): void {
    this.#sent.telemetry += bytes
  }

  /** Let time pass. */
  advance(nowMs: number): void {
    const elapsedSec = Math.max(0, nowMs - this.#advancedMs) / 1000
    this.#advancedMs = nowMs
    this.#owedInferences += elapsedSec * this.character.inferencesPerSec * (0.9 + 0.2 * this.#random())
    while (this.#owedInferences >= 1) {
      this.#owedInferences -= 1
      this.#infer()
    }
    const drift = (this.#random() - 0.5) * 4 + (this.character.cpuPct - this.#cpuPct) * 0.2
    this.#cpuPct = Math.min(100, Math.max(0.5, this.#cpuPct + drift))
    if (this.character.uplinkDown) this.#backlog += Math.round(elapsedSec)
    this.#owedLogs += elapsedSec * this.character.logsPerSec
    while (this.#owedLogs >= 1) {
      this.#owedLogs -= 1
      this.#log(nowMs)
    }
  }

  /** Lines logged since the last call. */
  takeLogs(): LogRecord[] {
    const fresh = this.#newLogs
    this.#newLogs = []
    return fresh
  }

  /** Kept lines, oldest first. */
  keptLogs(): readonly LogRecord[] {
    return this.#logs
  }

  welcome(nowMs: number, intervalMs: number): FrameOf<DaemonFrame, 'welcome'> {
    const { name, site } = this.character
    const node = { name, site, version: '0.1.0', instance: this.#instance, startedAt: this.#startedMs }
    return { t: 'welcome', v: 1, at: nowMs, node, intervalMs }
  }

  /** Alert rows as a subscription's backlog gives them. */
  alertRows(nowMs: number): AlertRecord[] {
    return this.#alerts(nowMs).map((alert, index) => ({
      seq: index + 1,
      node_id: this.character.name,
      timestamp: alert.since,
      state: 'firing',
      ...alert,
    }))
  }

  /** A status frame; the latency window begins anew. */
  status(nowMs: number, frame: { readonly id: string; readonly n: number }): StatusFrame {
    const { uplinkDown } = this.character
    const latency = Object.fromEntries(
      Object.entries(this.#latency).map(([stage, histogram]) => [stage, histogram.snapshot()]),
    ) as unknown as StageHistograms
    const windowMs = nowMs - this.#windowFromMs
    this.#latency = emptyStages()
    this.#windowFromMs = nowMs
    return {
      t: 'status',
      ...frame,
      at: nowMs,
      conditions: [],
      host: {
        source: 'builtin',
        cpuPct: this.#cpuPct,
        cores: 4,
        load1: (this.#cpuPct / 100) * 4,
        memUsedBytes: 2_100_000_000 + Math.round(this.#random() * 5_000_000),
        memTotalBytes: 8_000_000_000,
        diskUsedBytes: 21_000_000_000,
        diskTotalBytes: 64_000_000_000,
        netRxBytesPerSec: this.character.inferencesPerSec * PICTURE_BYTES,
        netTxBytesPerSec: 5200,
        tempC: 41 + this.#cpuPct / 5,
      },
      inference: {
        model: { name: 'digits', version: '1.0.0', variant: 'fp32' },
        childPid: 4242,
        generation: 1,
        queued: 0,
        inFlight: 1,
        counters: { ...this.#counters },
        windowMs,
        latency,
      },
      uplink: {
        targets: [
          {
            name: 'nats',
            kind: 'nats',
            state: uplinkDown ? 'down' : 'up',
            since: this.#startedMs,
            backlogRecords: this.#backlog,
            backlogBytes: this.#backlog * 210,
            oldestAt: this.#backlog > 0 ? this.#startedMs : null,
            ackedSeq: Math.max(0, this.#seq - this.#backlog),
            rttMs: uplinkDown ? null : 8,
            error: uplinkDown ? 'connection refused' : null,
          },
        ],
        sentBytes: { ...this.#sent },
        backlogRecords: this.#backlog,
      },
      store: {
        state: 'ok',
        epoch: `epoch-${this.character.seed}`,
        firstSeq: 1,
        lastSeq: this.#seq,
        records: this.#seq,
        bytes: this.#seq * 260,
        maxBytes: 1_000_000_000,
        segments: 3,
        commits: this.#seq,
        evictedRecords: 0,
        corruptBlocks: 0,
        error: null,
      },
      alerts: this.#alerts(nowMs),
      faults: this.#slowMs > 0 ? { slowMs: this.#slowMs } : {},
      session: { rttMs: 0.4, clockOffsetMs: 0 },
    }
  }

  #infer(): void {
    const totalMs = this.character.medianMs * longTail(this.#random) + this.#slowMs
    for (const [stage, share] of Object.entries(STAGE_SHARE)) {
      this.#latency[stage as keyof typeof STAGE_SHARE].record(totalMs * share)
    }
    this.#latency.total.record(totalMs)
    const abnormal = this.#random() < 0.015
    this.#seq += 1
    this.#counters.requests += 1
    this.#counters[abnormal ? 'abnormal' : 'ok'] += 1
    this.#counters.rawBytes += Math.round(PICTURE_BYTES * (0.8 + 0.4 * this.#random()))
    if (this.character.uplinkDown) return
    if (abnormal) this.#sent.results += 180
    if (this.#seq % 100 === 0) this.#sent.stats += 420
  }

  #log(nowMs: number): void {
    this.#seq += 1
    const [level, msg] = LOG_LINES[Math.floor(this.#random() * LOG_LINES.length)] ?? ['info', '']
    const record: LogRecord = {
      seq: this.#seq,
      node_id: this.character.name,
      timestamp: nowMs,
      level,
      source: 'edge-daemon',
      msg: `${msg}${this.character.logSuffix}`,
      fields: { seq: this.#seq },
    }
    this.#logs.push(record)
    if (this.#logs.length > MAX_KEPT_LOGS) this.#logs.shift()
    this.#newLogs.push(record)
  }

  #alerts(nowMs: number): ActiveAlert[] {
    const since = Math.max(this.#startedMs, nowMs - 90_000)
    const alerts: ActiveAlert[] = []
    if (this.character.cpuPct > 80) {
      const value = Math.round(this.#cpuPct)
      const msg = `CPU ${value} % is over 80 % for 30 s`
      alerts.push({ rule: 'cpu_high', severity: 'warning', value, threshold: 80, unit: '%', since, msg })
    }
    if (this.character.uplinkDown) {
      const msg = 'uplink nats is down: connection refused'
      alerts.push({ rule: 'uplink_down', severity: 'critical', value: null, threshold: null, unit: '', since, msg })
    }
    return alerts
  }
}

function emptyStages(): { [S in keyof StageHistograms]: Histogram } {
  return {
    decode: new Histogram(),
    queue: new Histogram(),
    run: new Histogram(),
    commit: new Histogram(),
    total: new Histogram(),
  }
}

function zeroCounters(): Counters {
  return {
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
  }
}
