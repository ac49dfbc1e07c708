import type { AuditRecord } from '../../protocol/audit.ts'
import type { Envelope } from '../../protocol/envelope.ts'
import type { DaemonFrame, FrameOf, GapFrame } from '../../protocol/frames.ts'
import type { LogFilter } from '../../protocol/log-filter.ts'
import type {
  AlertRecord,
  LedgerRecord,
  LogRecord,
  MetricRecord,
  ResultRecord,
  StatRecord,
} from '../../protocol/records.ts'
import type { SampleRecord } from '../../protocol/status.ts'
import type { LinkEvent } from '../fleet/link-event.ts'

/** Where links deliver what they hear; never throws into a link. */
export type LinkSink = (key: string, event: LinkEvent) => void

/** Which log lines to follow: what the node lets pass, and how many kept lines that pass to get first (at most 1000). */
export interface LogFollow {
  readonly filter: LogFilter
  readonly backlog: number
  /** Instead of a backlog go on behind this line, as far as the node can read back. */
  readonly afterSeq?: number
}

/** Which results to follow, and how many kept ones to get first. */
export interface ResultFollow {
  readonly abnormalOnly: boolean
  readonly backlog: number
}

/** What a link asks of its node for as long as it stands. */
export interface LinkInterest {
  readonly status: boolean
  /** How many kept alert rows to get first; null = no alert rows. */
  readonly alertBacklog: number | null
  readonly logs: LogFollow | null
  /** Absent = no results. */
  readonly results?: ResultFollow | null
}

/** A request that was not answered as wished. */
export interface RequestFailure {
  readonly ok: false
  /** An error code of the node, or of our own: `NODE_UNREACHABLE`, or `CANCELLED` when the asker went away. */
  readonly code: string
  /** May quote the node: make it `untrusted` before showing it. */
  readonly message: string
  readonly next: readonly string[]
}

/** Outcome of a command. */
export type CommandOutcome = { readonly ok: true; readonly result: Readonly<Record<string, unknown>> } | RequestFailure

/** What can be read back, by topic. */
export interface ReadableRows {
  readonly alerts: AlertRecord
  readonly logs: LogRecord
  readonly results: ResultRecord
  readonly status: SampleRecord
  readonly ledger: LedgerRecord
  readonly stats: StatRecord
  readonly metrics: MetricRecord
  readonly audit: AuditRecord
}

/** A time range of what a node keeps; times are Unix ms on the node's clock. */
export interface ReadRequest<T extends keyof ReadableRows> {
  readonly topic: T
  readonly fromMs: number
  readonly toMs: number
  readonly limit: number
  /** Only rows with a higher sequence. */
  readonly afterSeq?: number
  /** The `limit` newest rows, falling. */
  readonly newestFirst?: boolean
  /** Newest first: only rows with a lower sequence. */
  readonly beforeSeq?: number
  /** Topic `logs`: only lines that pass. */
  readonly filter?: LogFilter
}

/** Outcome of a read: the rows, oldest first, whether the limit cut them, and how many the node could not send. */
export type ReadOutcome<Row> =
  | { readonly ok: true; readonly rows: readonly Row[]; readonly truncated: boolean; readonly missed: number }
  | RequestFailure

/** A time range that is read to its end however long it is, one request of at most `limit` rows after the other. */
export type RangeRequest<T extends keyof ReadableRows> = ReadRequest<T>

/** Rows of a range that are not there; `missed` is null when nobody knows how many. */
export type RangeGap = Pick<GapFrame, 'reason' | 'fromMs' | 'toMs'> & { readonly missed: number | null }

/** Takes rows of a range as they come; the node sends more only when they were taken. */
export interface RangeSink<T extends keyof ReadableRows> {
  rows(rows: readonly ReadableRows[T][]): void | Promise<void>
  gap(gap: RangeGap): void
  /** How far a search has got that finds little. */
  progress?(progress: FrameOf<DaemonFrame, 'progress'>): void
}

/** Kept log lines counted by level in steps of time; times are Unix ms on the node's clock. */
export interface TallyRequest {
  readonly fromMs: number
  readonly toMs: number
  /** Width of a step, 1 s to 1 d; at most `MAX_TALLY_STEPS` of them. */
  readonly stepMs: number
  readonly filter?: LogFilter
}

/** Outcome of a count; steps in which there are no lines are left out. */
export type TallyOutcome =
  | { readonly ok: true; readonly fromMs: number; readonly steps: FrameOf<DaemonFrame, 'tallied'>['steps'] }
  | RequestFailure

/** What became of a range: whether the limit cut it, and the last sequence that came (null when none did). */
export type RangeOutcome =
  | { readonly ok: true; readonly truncated: boolean; readonly lastSeq: number | null }
  | RequestFailure

/** A kept picture as the device sent it. */
export type PictureOutcome =
  | { readonly ok: true; readonly contentType: string; readonly data: Uint8Array }
  | RequestFailure

/** How a command is sent. */
export interface CommandOptions {
  readonly timeoutMs?: number
  /** Why it is wanted, for the audit; up to 200 characters. */
  readonly why?: string
}

/** A command as this console sends it. */
export interface SentCommand {
  /** The operator's name of the node. */
  readonly key: string
  /** Whom the node's certificate names; null on a plain link. */
  readonly node: { readonly site: string; readonly name: string } | null
  readonly verb: string
  readonly args: Readonly<Record<string, JsonValue>>
  /** As it was signed; null where nothing has to be. */
  readonly envelope: Envelope | null
  readonly why: string | null
}

/** Who is told of every command that changes something: the operator's own audit. */
export interface CommandJournal {
  /** Before it is sent. When it rejects, it is not sent, and the outcome is its message. */
  sending(command: SentCommand): Promise<void>
  /** Once there is an answer, or none will come. Never throws. */
  answered(command: SentCommand, outcome: CommandOutcome): void
}

/** A way to one node, whatever carries its frames. Nothing here throws: what goes wrong is an event or an outcome. */
export interface NodeLink {
  readonly key: string
  /** Begin, and go on until stopped: a link that breaks is made again. */
  start(): void
  /** End for good; resolves when nothing of it runs any more. */
  stop(): Promise<void>
  /** How often the node should say how it is, ms: often while somebody looks, now and after every reconnect. */
  pace(everyMs: number): void
  /** Change which log lines are followed, now and after every reconnect; null = none. */
  followLogs(follow: LogFollow | null): void
  /** Change which results are followed, now and after every reconnect; null = none. */
  followResults(follow: ResultFollow | null): void
  /** Ask the node to do something; what changes something is signed, where the node can tell who signed. */
  command(verb: string, args: Readonly<Record<string, JsonValue>>, options?: CommandOptions): Promise<CommandOutcome>
  /** Read what the node keeps. */
  read<T extends keyof ReadableRows>(request: ReadRequest<T>, timeoutMs?: number): Promise<ReadOutcome<ReadableRows[T]>>
  /** Read a range with flow control, for as long as the sink takes rows. */
  stream<T extends keyof ReadableRows>(
    request: RangeRequest<T>,
    sink: RangeSink<T>,
    signal: AbortSignal,
  ): Promise<RangeOutcome>
  /** Count kept log lines. */
  tally(request: TallyRequest, signal: AbortSignal): Promise<TallyOutcome>
  /** Fetch the kept picture of the result with this sequence. */
  fetchPicture(seq: number, signal: AbortSignal): Promise<PictureOutcome>
}

/** What a command's arguments are made of. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }
