import type { StatusFrame, WelcomeFrame } from '../../protocol/frames.ts'
import { type HistogramData, mergeHistograms, quantileMs } from '../../protocol/histogram.ts'
import type { Heartbeat } from '../../protocol/presence.ts'
import type { StatRecord } from '../../protocol/records.ts'
import type { SampleRecord, StageHistograms } from '../../protocol/status.ts'
import type { UntrustedText } from '../../protocol/untrusted-text.ts'
import { clean, cleanStatus, type NodeIdentity, type NodeStatus, safe } from './clean.ts'
import { CounterTrack, countersOf, SENT_TOTAL } from './counter-track.ts'
import type { LinkEvent } from './link-event.ts'
import { advanceLink, idleLink } from './link-track.ts'
import { type Silence, staleAfterMs } from './node-state.ts'
import { Series, type SeriesAmounts } from './series.ts'
import type { LinkView, StageView } from './view.ts'
import { NO_VITALS, type Vitals, VitalsHistory } from './vitals.ts'

/** Span of rates, ms. */
export const RATE_WINDOW_MS = 5000
/** Span of percentiles, ms. */
export const LATENCY_WINDOW_MS = 10_000
/** Span of savings, ms: statistics go up in bursts of up to a minute. */
export const SAVINGS_WINDOW_MS = 60_000
const DEFAULT_INTERVAL_MS = 1000
const DEFAULT_KEYFRAME_EVERY_MS = 10_000
/** A kept sample over a longer window stands for every second of it. */
const FINE_WINDOW_MS = 2500
/** Status frames that percentiles are made of; an honest node sends ten in their window. */
const MAX_WINDOW_PARTS = 64
/** Whole states that are kept of a node, and the text in them: its changes are told at most that far back. */
const MAX_KEYFRAMES = 600
const MAX_KEYFRAME_CHARS = 2_000_000
/** A node that changes more often than this is told of once in this time, ms. */
const MIN_KEYFRAME_GAP_MS = 500
const STAGES = ['decode', 'queue', 'run', 'commit', 'total'] as const

/** What was known of a node at one time. */
export interface NodeMoment {
  /** Receipt of the figures, Unix ms on our clock; null when there were none yet. */
  readonly dataMs: number | null
  readonly vitals: Vitals
  readonly status: NodeStatus | null
  /** Made when asked: few look at it, and merging costs. */
  readonly stages: () => readonly StageView[]
}

/** What a status frame adds to the sums of the fleet. */
export interface StatusContribution {
  readonly latency: HistogramData
  readonly amounts: (SeriesAmounts & { readonly fromMs: number; readonly toMs: number }) | null
  /** Window that both tell of when it is longer than a chart's step, ms; else 0. */
  readonly windowMs: number
  /** End of that window on our clock where it is not the time of the event. */
  readonly atMs?: number
}

interface Keyframe {
  readonly atMs: number
  readonly status: NodeStatus
  readonly stages: readonly StageView[]
  readonly signature: string
  /** Length of the state as JSON. */
  readonly chars: number
}

/** Everything that the fleet knows of one node, now and for the last minutes. */
export class NodeModel {
  readonly key: string
  readonly addedMs: number
  readonly counters = new CounterTrack()
  readonly series: Series
  readonly #history: VitalsHistory
  readonly #historyMs: number
  readonly #keyframeEveryMs: number
  #link: LinkView
  #identity: NodeIdentity | null = null
  #intervalMs = DEFAULT_INTERVAL_MS
  /** Last sign of life that carries figures or the promise of them. */
  #heardMs: number | null = null
  #dataMs: number | null = null
  #status: NodeStatus | null = null
  #vitals: Vitals = NO_VITALS
  #window: { readonly atMs: number; readonly latency: StageHistograms }[] = []
  #keyframes: Keyframe[] = []
  #keyframeChars = 0
  #moment: NodeMoment | null = null
  #lastN: { readonly subscription: string; readonly n: number } | null = null
  /** What it last told the bus, while no session tells more. */
  #heartbeat: Heartbeat | null = null
  #heardSite: UntrustedText | null = null

  constructor(
    key: string,
    options: { url: string | null; insecure?: boolean; addedMs: number; historySec: number; keyframeEveryMs?: number },
  ) {
    this.key = key
    this.addedMs = options.addedMs
    this.series = new Series(options.historySec)
    this.#history = new VitalsHistory(options.historySec)
    this.#historyMs = options.historySec * 1000
    this.#keyframeEveryMs = options.keyframeEveryMs ?? DEFAULT_KEYFRAME_EVERY_MS
    this.#link = idleLink(options.url, options.insecure)
  }

  /** Its address became known. */
  locate(url: string): void {
    this.#link = { ...this.#link, url: safe(url) }
  }

  get link(): LinkView {
    return this.#link
  }

  /** What it tells the bus, while there is no session. */
  get heartbeat(): Heartbeat | null {
    return this.#heartbeat
  }

  /** Where it belongs, by its own word in a session or by the subject of its heartbeats. */
  get site(): UntrustedText | null {
    return this.#identity?.site ?? this.#heardSite
  }

  /** Announced time between two status frames, ms. */
  get intervalMs(): number {
    return this.#intervalMs
  }

  get identity(): NodeIdentity | null {
    return this.#identity
  }

  /** The node's clock minus ours, ms; 0 while it is not measured. */
  get offsetMs(): number {
    return this.#link.clockOffsetMs ?? 0
  }

  /** What the state follows from, as of a time. */
  silence(atMs: number, moment: NodeMoment): Silence {
    const heardMs = this.#heardMs !== null && this.#heardMs <= atMs ? this.#heardMs : null
    return {
      lastDataMs: heardMs === null ? moment.dataMs : Math.max(heardMs, moment.dataMs ?? 0),
      sinceMs: this.addedMs,
      intervalMs: this.#intervalMs,
      rttMs: this.#link.rttMs,
    }
  }

  /** Take an event of the link that is no row of logs or alerts. */
  apply(event: LinkEvent, nowMs: number): StatusContribution | null {
    this.#moment = null
    this.#link = advanceLink(this.#link, event, nowMs)
    if (event.kind === 'opened') this.#lastN = null
    if (event.kind === 'sample') return this.#takeSample(event.record, nowMs)
    if (event.kind === 'stat') return this.#takeStat(event.record, nowMs)
    if (event.kind === 'heartbeat') this.#takeHeartbeat(event, nowMs)
    if (event.kind !== 'frame') return null
    if (event.frame.t === 'welcome') this.#welcome(event.frame, nowMs)
    if (event.frame.t !== 'status') return null
    this.#countMerged(event.frame)
    this.#intervalMs = event.frame.everyMs ?? this.#intervalMs
    return this.#takeStatus(event.frame, nowMs, 0)
  }

  /** Whether what it was at a past time is known here. */
  knows(atMs: number): boolean {
    const sample = this.#history.asOf(atMs)
    return sample !== null && atMs - sample.atMs <= staleAfterMs({ intervalMs: this.#intervalMs, rttMs: null })
  }

  /** The seconds that are known between two times, as stretches from the oldest on. */
  known(fromMs: number, toMs: number): { readonly fromMs: number; readonly toMs: number }[] {
    return this.#history.stretches(fromMs, toMs, staleAfterMs({ intervalMs: this.#intervalMs, rttMs: null }))
  }

  /** What is known now; the same object until the next event. */
  now(): NodeMoment {
    this.#moment ??= {
      dataMs: this.#dataMs,
      vitals: this.#vitals,
      status: this.#status,
      stages: () => this.#stages(),
    }
    return this.#moment
  }

  /** What was known at a past time. */
  at(atMs: number): NodeMoment {
    const sample = this.#history.asOf(atMs)
    const keyframe = this.#keyframes.findLast((frame) => frame.atMs <= atMs)
    return {
      dataMs: sample?.atMs ?? null,
      vitals: sample?.vitals ?? NO_VITALS,
      status: keyframe?.status ?? null,
      stages: () => keyframe?.stages ?? [],
    }
  }

  #welcome(frame: WelcomeFrame, nowMs: number): void {
    this.#heartbeat = null
    this.#identity = clean(frame.node)
    this.#intervalMs = frame.intervalMs
    this.#heardMs = nowMs
    this.counters.setInstance(frame.node.instance)
  }

  /** It says little, but that it is alive; a session says the same and more. */
  #takeHeartbeat({ heartbeat, site }: Extract<LinkEvent, { kind: 'heartbeat' }>, nowMs: number): void {
    this.#heardSite = safe(site)
    if (this.#link.phase === 'open') return
    this.#heartbeat = heartbeat
    this.#intervalMs = heartbeat.every
    this.#heardMs = nowMs
    this.#dataMs = nowMs
    this.#status = null
    this.#vitals = {
      ...NO_VITALS,
      p99Ms: heartbeat.p99 ?? null,
      inferencesPerSec: heartbeat.rate ?? null,
      cpuPct: heartbeat.cpu ?? null,
      backlogRecords: heartbeat.backlog ?? 0,
    }
    this.#history.add(nowMs, this.#vitals)
  }

  /** Only the latency: what came in and went up meanwhile it does not tell. */
  #takeStat({ from, to, latency }: StatRecord, nowMs: number): StatusContribution {
    const windowMs = Math.min(Math.max(1, to - from), this.#historyMs)
    // Of the future nobody can tell; the sum of the fleet would keep it in the place of what comes.
    const atMs = Math.min(to - this.offsetMs, nowMs)
    this.series.addLatency(atMs, latency, windowMs)
    return { latency, amounts: null, windowMs, atMs }
  }

  #takeSample(record: SampleRecord, nowMs: number): StatusContribution {
    this.counters.setInstance(record.instance)
    const windowMs = record.window_ms > FINE_WINDOW_MS ? Math.min(record.window_ms, this.#historyMs) : 0
    const session = { rttMs: null, clockOffsetMs: null }
    const frame = { t: 'status', id: 'kept', n: 0, at: record.timestamp, ...record.status, session } as const
    return this.#takeStatus(frame, nowMs, windowMs)
  }

  #takeStatus(frame: StatusFrame, nowMs: number, windowMs: number): StatusContribution {
    const counters = countersOf(frame)
    const delta = this.counters.add({ atMs: frame.at, receivedMs: nowMs, counters })
    this.#window = this.#window.filter((part) => part.atMs > nowMs - LATENCY_WINDOW_MS)
    this.#window.push({ atMs: nowMs, latency: frame.inference.latency })
    if (this.#window.length > MAX_WINDOW_PARTS) this.#window.shift()
    this.#status = cleanStatus(frame)
    this.#vitals = this.#vitalsOf(frame)
    this.#dataMs = nowMs
    this.#heardMs = nowMs
    for (let backMs = windowMs - 1000; backMs > 0; backMs -= 1000) this.#history.add(nowMs - backMs, this.#vitals)
    this.#history.add(nowMs, this.#vitals)
    this.#keepKeyframe(nowMs, Math.max(0, windowMs - 1000))

    const latency = frame.inference.latency.total
    // A node that tells rarely tells of all that time; among others its answers count once.
    const ownWindowMs = frame.inference.windowMs > FINE_WINDOW_MS ? frame.inference.windowMs : 0
    this.series.addLatency(nowMs, latency, Math.max(windowMs, ownWindowMs))
    if (delta === null) return { latency, amounts: null, windowMs }
    const amounts = {
      fromMs: delta.fromMs,
      toMs: delta.toMs,
      inferences: delta.counters.requests ?? 0,
      rawBytes: delta.counters.rawBytes ?? 0,
      upBytes: delta.counters[SENT_TOTAL] ?? 0,
    }
    this.series.addAmounts(amounts.fromMs, amounts.toMs, amounts, windowMs)
    return { latency, amounts, windowMs }
  }

  #vitalsOf(frame: StatusFrame): Vitals {
    const { host, inference, uplink } = frame
    const rate = (name: string): number | null => this.counters.ratePerSec(name, RATE_WINDOW_MS)
    const total = this.#stage('total')
    const raw = this.counters.increase('rawBytes', SAVINGS_WINDOW_MS)?.amount ?? null
    const up = this.counters.increase(SENT_TOTAL, SAVINGS_WINDOW_MS)?.amount ?? null
    return {
      cpuPct: host.cpuPct,
      load1: host.load1,
      memUsedBytes: host.memUsedBytes,
      memTotalBytes: host.memTotalBytes,
      diskUsedBytes: host.diskUsedBytes,
      diskTotalBytes: host.diskTotalBytes,
      tempC: host.tempC,
      netRxBytesPerSec: host.netRxBytesPerSec,
      netTxBytesPerSec: host.netTxBytesPerSec,
      inferencesPerSec: rate('requests'),
      abnormalPerSec: rate('abnormal'),
      failedPerSec: rate('failed'),
      p50Ms: total.p50Ms,
      p99Ms: total.p99Ms,
      rawBytesPerSec: rate('rawBytes'),
      upBytesPerSec: rate(SENT_TOTAL),
      savedPct: savedPct(raw, up),
      windowRawBytes: raw,
      windowUpBytes: up,
      backlogRecords: uplink.backlogRecords,
      backlogBytes: uplink.targets.reduce((sum, target) => sum + target.backlogBytes, 0),
      queued: inference.queued,
      rttMs: this.#link.rttMs ?? frame.session.rttMs,
    }
  }

  #stages(): readonly StageView[] {
    return STAGES.map((stage) => this.#stage(stage))
  }

  #stage(stage: StageView['stage']): StageView {
    const merged = mergeHistograms(this.#window.map((part) => part.latency[stage]))
    return {
      stage,
      count: merged.count,
      p50Ms: quantileMs(merged, 0.5),
      p99Ms: quantileMs(merged, 0.99),
      maxMs: merged.count === 0 ? null : merged.maxMs,
    }
  }

  /** `n` rises by one a frame; a hole says how many were merged into this one. */
  #countMerged(frame: StatusFrame): void {
    const before = this.#lastN
    this.#lastN = { subscription: frame.id, n: frame.n }
    if (before === null || before.subscription !== frame.id || frame.n <= before.n) return
    this.#link = { ...this.#link, mergedFrames: this.#link.mergedFrames + frame.n - before.n - 1 }
  }

  #keepKeyframe(nowMs: number, backMs: number): void {
    const status = this.#status
    if (status === null) return
    const signature = signatureOf(status)
    const last = this.#keyframes.at(-1)
    const due = last === undefined || nowMs - last.atMs >= this.#keyframeEveryMs
    if (!due && last.signature === signature) return
    const gapMs = last === undefined ? Number.POSITIVE_INFINITY : nowMs - last.atMs
    if (gapMs >= 0 && gapMs < MIN_KEYFRAME_GAP_MS) return
    const chars = JSON.stringify(status).length
    this.#keyframes.push({ atMs: nowMs - backMs, status, stages: this.#stages(), signature, chars })
    this.#keyframeChars += chars
    const isTooMuch = ({ atMs }: Keyframe): boolean =>
      atMs < nowMs - this.#historyMs ||
      this.#keyframes.length > MAX_KEYFRAMES ||
      this.#keyframeChars > MAX_KEYFRAME_CHARS
    for (let [oldest] = this.#keyframes; oldest !== undefined && isTooMuch(oldest); [oldest] = this.#keyframes) {
      this.#keyframes.shift()
      this.#keyframeChars -= oldest.chars
    }
  }
}

/** 100 × (1 − up / raw); null when nothing came in or either is not known. Negative when more goes up than came in. */
export function savedPct(rawBytes: number | null, upBytes: number | null): number | null {
  return rawBytes === null || upBytes === null || rawBytes <= 0 ? null : 100 * (1 - upBytes / rawBytes)
}

/** What an operator would call a change; one keeps the frame that brought it. */
function signatureOf(status: NodeStatus): string {
  return JSON.stringify([
    status.alerts.map((alert) => alert.rule),
    status.conditions.map((condition) => condition.code),
    status.uplink.targets.map((target) => target.state),
    status.inference.model,
    status.store.state,
    status.faults,
  ])
}
