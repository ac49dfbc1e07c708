import type { ReadableRows, RequestFailure } from './link.ts'

/** Kinds of kept records that a past can be read of; the topics of the protocol's `read`. */
export type HistoryKind = keyof ReadableRows

/** A stretch of a node's past. Times are those of the records (Unix ms, the node's clock), both ends included. */
export interface HistoryRange {
  readonly fromMs: number
  readonly toMs: number
  readonly kinds: readonly HistoryKind[]
  /** Most rows of each kind, the oldest first; absent = all there are. */
  readonly limitPerKind?: number
}

/** Rows of one kind, oldest first within one epoch. */
export type HistoryRows = {
  [K in HistoryKind]: {
    readonly kind: K
    /** Epoch of the sequences; null where the source does not tell. */
    readonly epoch: string | null
    readonly rows: readonly ReadableRows[K][]
  }
}[HistoryKind]

/** Rows that are not there, and why: `evicted`, `missing`, `corrupt`, `too_large`, … */
export interface HistoryGap {
  readonly kind: HistoryKind
  /** How many; null when nobody knows. */
  readonly missed: number | null
  readonly reason: string
  readonly fromMs: number
  readonly toMs: number
}

/** Where a past is read to. A source asks for more only when what it gave was taken. */
export interface HistorySink {
  rows(rows: HistoryRows): void | Promise<void>
  gap(gap: HistoryGap): void
}

/** What became of a read; `truncated` when `limitPerKind` stopped it for some kind. */
export type HistoryOutcome = { readonly ok: true; readonly truncated: boolean } | RequestFailure

/** How far a source reaches back and forth, Unix ms on the clock of the records. */
export interface HistoryReach {
  readonly fromMs: number
  readonly toMs: number
}

/** Something that knows the past of nodes: the nodes themselves, or the cloud. Nothing here throws. */
export interface HistorySource {
  /** For the time bar and for messages. */
  readonly name: 'node' | 'cloud'
  /**
   * Give everything of the range to the sink, kind by kind in the order asked for or mixed, each kind in time order.
   * Ends early with code `CANCELLED` when the signal comes.
   */
  read(nodeKey: string, range: HistoryRange, sink: HistorySink, signal: AbortSignal): Promise<HistoryOutcome>
  /** How far records of a node reach; null when it cannot be told without reading. */
  reach(nodeKey: string, signal: AbortSignal): Promise<HistoryReach | null>
}
