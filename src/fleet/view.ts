import type { GapFrame } from '../../protocol/frames.ts'
import type { HistogramData } from '../../protocol/histogram.ts'
import type { LogFilter } from '../../protocol/log-filter.ts'
import type { AlertRecord, LogLevel, Severity } from '../../protocol/records.ts'
import type { UntrustedText } from '../../protocol/untrusted-text.ts'
import type { ChangeView } from './change-view.ts'
import type { NodeIdentity, NodeStatus } from './clean.ts'
import type { NodeState } from './node-state.ts'
import type { OthersView } from './others.ts'
import type { Vitals } from './vitals.ts'

/** The time a pane reads the fleet at: `now`, or a past Unix ms on our clock. */
export type AsOf = 'now' | number

/** Something that is so about a node, from the node or found by us. */
export interface ConditionView {
  readonly code: UntrustedText
  readonly severity: Severity
  readonly msg: UntrustedText
  /** Since when, Unix ms on our clock; null when not known. */
  readonly sinceMs: number | null
}

/** How many alerts fire, by severity. */
export type AlertCounts = Readonly<Record<Severity, number>>

/** One row of the fleet: everything is safe to show, and null where not known. */
export interface NodeView extends Vitals, OthersView, ChangeView {
  /** The operator's own name of the node: identity, selection and commands go by it. */
  readonly key: string
  /** The key, safe to show. */
  readonly name: UntrustedText
  /** What the node calls itself. */
  readonly saysName: UntrustedText | null
  readonly site: UntrustedText | null
  readonly state: NodeState
  /** Why it is not up; null when it is. */
  readonly reason: UntrustedText | null
  /** Age of the figures in ms; null when there never were any. */
  readonly ageMs: number | null
  readonly memPct: number | null
  readonly diskPct: number | null
  /** `name@version`, with the variant when it has one. */
  readonly model: UntrustedText | null
  /** The worst of the uplink targets. */
  readonly uplink: 'up' | 'connecting' | 'down' | null
  readonly store: 'ok' | 'failing' | null
  /** Which way it is reached; null while it is not. */
  readonly route: 'direct' | 'nats' | null
  readonly alerts: AlertCounts
  readonly conditions: readonly ConditionView[]
  /** What goes between it and this console can be read and changed on its way. */
  readonly insecure: boolean
  /** How it broke the protocol in the last minutes: it flooded this console, or sent what is none of its frames; null when it did not. */
  readonly misbehaves: 'floods' | 'breaks protocol' | null
}

/** What a node last told of itself; times are Unix ms on our clock. */
export interface NodeTold {
  readonly state: NodeState
  readonly heardMs: number | null
  /** When the status came; a heartbeat on the bus tells less. */
  readonly toldMs: number | null
  readonly identity: NodeIdentity | null
  readonly site: UntrustedText | null
  readonly status: NodeStatus | null
  readonly inferencesPerSec: number | null
}

/** Sums over the nodes that are up; null where no node knows. */
export interface FleetTotals {
  readonly nodes: number
  readonly byState: Readonly<Record<NodeState, number>>
  readonly inferencesPerSec: number | null
  /** From merged histograms of the last 10 s. */
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly rawBytesPerSec: number | null
  readonly upBytesPerSec: number | null
  /** 100 × (1 − up / raw) of the last minute; negative when more goes up than came in. */
  readonly savedPct: number | null
  readonly backlogRecords: number | null
  /** What consoles are told, as part of what is sent up; only now. */
  readonly telemetry: TelemetryRates | null
  readonly alerts: AlertCounts
}

/** Bytes a second that nodes send to consoles, by the way they take. */
export interface TelemetryRates {
  readonly directBytesPerSec: number
  readonly natsBytesPerSec: number
}

/** An alert of a node, or of the fleet about a node (`node_offline`, `node_stale`, `node_unreached`). */
export interface AlertView {
  readonly key: string
  readonly name: UntrustedText
  readonly site: UntrustedText | null
  readonly rule: UntrustedText
  readonly state: AlertRecord['state']
  readonly severity: Severity
  readonly value: number | null
  readonly threshold: number | null
  readonly unit: UntrustedText
  readonly msg: UntrustedText
  /** Begin of the alert, Unix ms on our clock. */
  readonly sinceMs: number
  /** When it began or ended, Unix ms on our clock. */
  readonly atMs: number
}

/** The fleet at one time. */
export interface FleetView {
  readonly asOfMs: number
  /** False when the view is of the past. */
  readonly live: boolean
  /** In the order of the inventory; see `arrange`. */
  readonly nodes: readonly NodeView[]
  readonly totals: FleetTotals
  /** What fires, worst first, then newest first. */
  readonly alerts: readonly AlertView[]
}

/** How the connection to a node stands. */
export interface LinkView {
  readonly url: UntrustedText | null
  /** Plain, and off this machine. */
  readonly insecure: boolean
  /** Whether the node's name is proved by its certificate; null while there is no session. */
  readonly certified: boolean | null
  readonly phase: 'idle' | 'connecting' | 'open' | 'waiting'
  /** Which way it goes; null while there is no session. */
  readonly route: 'direct' | 'nats' | null
  readonly attempt: number
  /** When the next attempt comes, Unix ms; null when none is planned. */
  readonly retryAtMs: number | null
  readonly openedAtMs: number | null
  /** Why the last session ended or could not be made. */
  readonly lastReason: UntrustedText | null
  /** When it was last heard on the bus, Unix ms; null when it never was. */
  readonly heartbeatAtMs: number | null
  readonly rttMs: number | null
  /** The node's clock minus ours, ms. */
  readonly clockOffsetMs: number | null
  readonly receivedBytes: number
  readonly receivedFrames: number
  /** Status frames that the node merged into later ones. */
  readonly mergedFrames: number
  /** Frames that were not of the protocol or over its bounds. */
  readonly refusedFrames: number
  /** How often it was cut because it flooded. */
  readonly floods: number
  readonly lastMisbehaviour: { readonly msg: UntrustedText; readonly atMs: number; readonly isFlood: boolean } | null
}

/** Latency of one stage of an inference over the last 10 s. */
export interface StageView {
  readonly stage: 'decode' | 'queue' | 'run' | 'commit' | 'total'
  readonly count: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly maxMs: number | null
}

/** One node in depth. */
export interface NodeDetail {
  readonly node: NodeView
  readonly identity: NodeIdentity | null
  /** The last status as of that time; for the past at most 10 s older than the figures of `node`. */
  readonly status: NodeStatus | null
  readonly stages: readonly StageView[]
  /** Bytes a second sent upstream by class, the telemetry of consoles included; only now. */
  readonly upBytesPerSecByClass: Readonly<Record<string, number>>
  /** Answers a second by counter (`ok`, `abnormal`, `undecodable`, `failed`, …); only now. */
  readonly answersPerSec: Readonly<Record<string, number>>
  readonly link: LinkView
  readonly alerts: readonly AlertView[]
}

/** A log line, safe to show. Texts are whole: whoever draws them bounds what is drawn. */
export interface LogLine {
  readonly kind: 'line'
  /** Names a row for good; rises in the order in which rows were shown. */
  readonly id: number
  readonly key: string
  readonly name: UntrustedText
  /** Its place in time, Unix ms on our clock; rows of one node keep the node's order by it. */
  readonly atMs: number
  /** What the node wrote, Unix ms on its own clock. */
  readonly nodeMs: number
  /** The node's number of it; 0 when its disk refused to keep it. */
  readonly seq: number
  /** A later line was shown before it came. */
  readonly late: boolean
  readonly level: LogLevel
  readonly source: UntrustedText
  readonly msg: UntrustedText
  readonly fields: Readonly<Record<string, UntrustedText | number | boolean | null>>
  /** Characters that the node cut off at its end; 0 when it is whole. */
  readonly cutChars: number
  /** Lines of its source just before it, oldest first, where they came with it. */
  readonly before: readonly { readonly atMs: number; readonly level: LogLevel; readonly msg: UntrustedText }[]
}

/**
 * Why lines are not there: a reason of the protocol; `let_go` by this console, which keeps only so many; `new_log` when the
 * node began anew on another disk or lost the end of its log; `told` where a text says what is to be known.
 */
export type LogGapReason = GapFrame['reason'] | 'let_go' | 'new_log' | 'told'

/** Lines that are not there, and why. */
export interface LogGap {
  readonly kind: 'gap'
  readonly id: number
  readonly key: string
  readonly name: UntrustedText
  /** End of the gap, Unix ms on our clock. */
  readonly atMs: number
  /** How many; null when nobody knows. */
  readonly missed: number | null
  readonly reason: LogGapReason
  /** With `told`: what is to be known of the log here; lines may be missing or not. */
  readonly text?: UntrustedText
}

/** A row of the log pane. */
export type LogRow = LogLine | LogGap

/** One inference of a node. */
export interface ResultView {
  readonly key: string
  /** The node's own number of it; 0 when its disk refused to keep it. */
  readonly seq: number
  /** Unix ms on our clock. */
  readonly atMs: number
  readonly code: number
  readonly pred: number | null
  /** 0..1. */
  readonly confidence: number | null
  readonly model: UntrustedText | null
  readonly totalMs: number
  readonly bytes: number
  readonly msg: UntrustedText | null
  /** Why it is abnormal; null when it is as it should be. */
  readonly reason: UntrustedText | null
}

/** Which results of a node to read. */
export interface ResultQuery {
  readonly key: string
  readonly fromMs?: number
  readonly toMs?: number
  readonly abnormalOnly?: boolean
  /** The newest that many; absent = all that are kept. */
  readonly limit?: number
}

/** Which log rows to read. */
export interface LogQuery {
  /** Node keys; absent = all. */
  readonly keys?: ReadonlySet<string>
  readonly minLevel?: LogLevel
  /** What nodes are asked with, applied to what is held. A pattern that is none lets every line pass. */
  readonly filter?: LogFilter
  /** Case-insensitive, in message, source, node name and fields. */
  readonly contains?: string
  readonly asOf?: AsOf
  /** Only rows that arrived after the row of this id. */
  readonly afterId?: number
  /** The newest that many rows; absent = all that are kept. */
  readonly limit?: number
}

/** The latency of a window, for whoever merges further. */
export type WindowLatency = HistogramData
