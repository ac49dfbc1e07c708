import type { LogFilter } from '../../protocol/log-filter.ts'
import type { LogRecord } from '../../protocol/records.ts'
import type { LogRow } from '../fleet/view.ts'
import type {
  RangeOutcome,
  RangeRequest,
  RangeSink,
  ReadOutcome,
  ReadRequest,
  RequestFailure,
  TallyOutcome,
  TallyRequest,
} from './link.ts'

/** What a search asks of a node, or of whoever knows its lines. A `NodeLink` is one. */
export interface LogLink {
  read(request: ReadRequest<'logs'>): Promise<ReadOutcome<LogRecord>>
  stream(request: RangeRequest<'logs'>, sink: RangeSink<'logs'>, signal: AbortSignal): Promise<RangeOutcome>
  tally(request: TallyRequest, signal: AbortSignal): Promise<TallyOutcome>
}

/** Whose lines are looked through: those of a node, or of a container on it. */
export interface StreamedNode {
  readonly key: string
  readonly link: Pick<LogLink, 'stream'>
  /** Its clock minus ours, ms. */
  readonly offsetMs: number
}

/** A node to search in. */
export interface SearchedNode extends StreamedNode {
  readonly link: LogLink
}

/** Which kept lines of the nodes are wanted; times are Unix ms on our clock, both ends included. */
export interface LogSearch {
  readonly fromMs: number
  readonly toMs: number
  readonly filter?: LogFilter
  /** From the newest line back; else from the oldest on. */
  readonly newestFirst: boolean
  /** Most lines of all nodes together. */
  readonly limit: number
  /** Rows are numbered from here on; 1 when absent. */
  readonly firstId?: number
}

/** Takes what is found as it comes; nodes send more only when it was taken. */
export interface LogSearchSink {
  /** Rows of all nodes in one order of time: rising, or falling when the newest come first. */
  rows(rows: readonly LogRow[]): void | Promise<void>
  /** How far a node has got that finds little: it has looked at everything up to (newest first: from) this time on our clock. */
  progress?(key: string, progress: { readonly atMs: number; readonly lookedAtBytes: number }): void
  /** A node cannot be read, or not to the end. */
  failed(key: string, failure: RequestFailure): void
}

/** Whether the limit stopped it, and how many nodes did not give all they have. */
export interface LogSearchOutcome {
  readonly truncated: boolean
  readonly failed: number
}
