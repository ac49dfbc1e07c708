import type { AlertRecord, LedgerRecord, LogLevel, LogRecord, ResultRecord } from '../../protocol/records.ts'
import type { SampleRecord } from '../../protocol/status.ts'
import type { LinkEvent } from '../fleet/link-event.ts'

/** Where links deliver what they hear; never throws into a link. */
export type LinkSink = (key: string, event: LinkEvent) => void

/** Which log lines to follow: the lowest level, and how many kept lines to get first. */
export interface LogFollow {
  readonly level: LogLevel
  readonly contains?: string
  readonly backlog: number
}

/** What a link asks of its node for as long as it stands. */
export interface LinkInterest {
  readonly status: boolean
  /** How many kept alert rows to get first; null = no alert rows. */
  readonly alertBacklog: number | null
  readonly logs: LogFollow | null
}

/** A request that was not answered as wished. */
export interface RequestFailure {
  readonly ok: false
  /** An error code of the node, or `NODE_UNREACHABLE` of our own. */
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
}

/** A time range of what a node keeps; times are Unix ms on the node's clock. */
export interface ReadRequest<T extends keyof ReadableRows> {
  readonly topic: T
  readonly fromMs: number
  readonly toMs: number
  readonly limit: number
}

/** Outcome of a read: the rows, oldest first, whether the limit cut them, and how many the node could not send. */
export type ReadOutcome<Row> =
  | { readonly ok: true; readonly rows: readonly Row[]; readonly truncated: boolean; readonly missed: number }
  | RequestFailure

/** A way to one node, whatever carries its frames. Nothing here throws: what goes wrong is an event or an outcome. */
export interface NodeLink {
  readonly key: string
  /** Begin, and go on until stopped: a link that breaks is made again. */
  start(): void
  /** End for good; resolves when nothing of it runs any more. */
  stop(): Promise<void>
  /** Change which log lines are followed, now and after every reconnect; null = none. */
  followLogs(follow: LogFollow | null): void
  /** Ask the node to do something. */
  command(verb: string, args: Readonly<Record<string, JsonValue>>, timeoutMs?: number): Promise<CommandOutcome>
  /** Read what the node keeps. */
  read<T extends keyof ReadableRows>(request: ReadRequest<T>, timeoutMs?: number): Promise<ReadOutcome<ReadableRows[T]>>
}

/** What a command's arguments are made of. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }
