import type { LogRecord } from '../../protocol/records.ts'
import { LogMerge, type Released } from './log-merge.ts'
import { logGap, logLine } from './log-row.ts'
import type { LogGap, LogRow } from './view.ts'

/** Whose row it is and how its clock stands to ours. */
export interface RowOrigin {
  readonly key: string
  /** The node's clock minus ours, ms. */
  readonly offsetMs: number
  /** Our clock at receipt, ms; a row cannot be from later. */
  readonly receivedMs: number
}

/** How an intake works. */
export interface LogIntakeOptions {
  /** How long lines wait for those of other nodes, ms; 0 to take them as they come. */
  readonly windowMs: number
  /** Text that may wait, characters. */
  readonly maxHeldChars: number
  /** Lines of a node that are kept of what was handed on: none of them is taken again. */
  readonly maxKeptRows: number
  /** Number of the first row. */
  readonly firstId: number
  /** Takes rows in the order in which they are to be shown. */
  readonly onRows: (rows: readonly LogRow[]) => void
}

/** How far the lines of a node have come. */
interface Progress {
  /** The newest line: its sequence, its time on the node's clock, and its place on ours. */
  seq: number
  nodeMs: number
  atMs: number
  /** Times of lines that are known, by sequence, so that none that comes again is taken twice. */
  known: Map<number, number>
  /** Those before them. */
  knownBefore: Map<number, number>
  epoch: string | null
  /** When we came to it: what it wrote before, and tells first, is its backlog. */
  joinedMs: number
}

type Item =
  | { readonly kind: 'line'; readonly record: LogRecord; readonly offsetMs: number; readonly isBacklog: boolean }
  | ({ readonly kind: 'gap' } & Pick<LogGap, 'missed' | 'reason' | 'text'>)

/** Lines of a node that are remembered at least so that none is taken twice: more than a backlog can repeat. */
const MIN_KNOWN = 4096
/** A node says how it is beside its lines: those of so long ago have come, ms. Nodes gather lines for a tenth of it. */
const STATUS_LAG_MS = 500
/** Room that a line takes besides its text, characters. */
const ROW_CHARS = 100

/**
 * Takes the lines of many nodes, gives each its place on our clock, takes none twice, and hands them on in one order of time
 * (see {@link LogMerge}). Lines of one node keep its order: a line that its clock puts a little before the last one stands
 * with it. One that is older than the window stands where it belongs. What a node wrote before we came to it is never late.
 */
export class LogIntake {
  readonly #options: LogIntakeOptions
  readonly #merge: LogMerge<Item>
  readonly #nodes = new Map<string, Progress>()
  #nextId: number

  constructor(options: LogIntakeOptions) {
    this.#options = options
    this.#nextId = options.firstId
    this.#merge = new LogMerge({ windowMs: options.windowMs, maxWeight: options.maxHeldChars })
  }

  /** Wait for the lines of a node from now on. */
  join(key: string, nowMs: number): void {
    const progress = this.#progressOf(key)
    if (progress.seq === 0) progress.joinedMs = nowMs
    this.#merge.join(key, nowMs)
  }

  /** A node cannot tell any more. */
  leave(key: string): void {
    this.#merge.leave(key)
  }

  /** Take lines of one node. */
  addLines(origin: RowOrigin, records: readonly LogRecord[]): void {
    const { key, offsetMs, receivedMs } = origin
    const progress = this.#progressOf(key)
    const again: Released<Item>[] = []
    for (const record of records) {
      if (this.#isKnown(progress, record)) continue
      const isOld = record.seq > 0 && record.seq <= progress.seq
      const atMs = this.#place(progress, record, origin, isOld)
      const item: Item = { kind: 'line', record, offsetMs, isBacklog: atMs <= progress.joinedMs }
      // What is read back, as for a wider filter, stands where it belongs and is not late.
      if (isOld) again.push({ key, atMs, item, late: false })
      else this.#merge.add(key, atMs, item, charsOf(record))
    }
    if (again.length > 0) this.#handOn(again)
    this.#merge.told(key, progress.atMs)
    this.release(receivedMs)
  }

  /** Take the news that lines did not come. */
  addGap(origin: RowOrigin, gap: Pick<LogGap, 'missed' | 'reason' | 'text'> & { readonly toMs: number }): void {
    const progress = this.#progressOf(origin.key)
    const atMs = Math.round(Math.min(origin.receivedMs, gap.toMs - origin.offsetMs))
    const { missed, reason, text } = gap
    const item: Item = { kind: 'gap', missed, reason, ...(text === undefined ? {} : { text }) }
    this.#merge.add(origin.key, atMs, item, ROW_CHARS)
    this.#merge.told(origin.key, Math.max(atMs, progress.atMs))
    this.release(origin.receivedMs)
  }

  /** A node said how it is: by now it has told all lines that are a little older, and whether its log is the one it was. */
  heard(origin: RowOrigin, status: { readonly atMs: number; readonly epoch: string }): void {
    const { key, offsetMs, receivedMs } = origin
    const progress = this.#progressOf(key)
    const atMs = Math.min(receivedMs, status.atMs - offsetMs)
    if (progress.epoch !== null && progress.epoch !== status.epoch) {
      // Another disk counts from the start again.
      progress.seq = 0
      this.#merge.add(key, Math.round(atMs), { kind: 'gap', missed: null, reason: 'new_log' }, ROW_CHARS)
    }
    progress.epoch = status.epoch
    this.#merge.saidNothing(key, atMs - STATUS_LAG_MS, receivedMs)
    this.release(receivedMs)
  }

  /** A line is not kept any more: it may come again. */
  forget(key: string, seq: number): void {
    const progress = this.#nodes.get(key)
    progress?.known.delete(seq)
    progress?.knownBefore.delete(seq)
  }

  /** Hand on what may be shown by now. */
  release(nowMs: number): void {
    const released = this.#merge.release(this.#options.windowMs === 0 ? Number.POSITIVE_INFINITY : nowMs)
    if (released.length > 0) this.#handOn(released)
  }

  /** When something has to be handed on at the latest, our clock; null when nothing waits. */
  get dueMs(): number | null {
    return this.#merge.dueMs
  }

  #handOn(released: readonly Released<Item>[]): void {
    const isLive = this.#options.windowMs > 0
    const rows = released.map(({ key, atMs, late, item }): LogRow => {
      const id = this.#nextId
      this.#nextId += 1
      if (item.kind === 'gap') return logGap(item, { id, key, atMs })
      return logLine(item.record, { id, key, atMs, late: late && isLive && !item.isBacklog, offsetMs: item.offsetMs })
    })
    this.#options.onRows(rows)
  }

  #isKnown(progress: Progress, { seq, timestamp }: LogRecord): boolean {
    if (seq === 0) return false
    if (progress.known.get(seq) === timestamp || progress.knownBefore.get(seq) === timestamp) return true
    if (progress.known.size >= Math.max(MIN_KNOWN, this.#options.maxKeptRows)) {
      progress.knownBefore = progress.known
      progress.known = new Map()
    }
    progress.known.set(seq, timestamp)
    return false
  }

  /** A line's place on our clock. A better measured offset must not put a node's lines out of their own order. */
  #place(progress: Progress, { seq, timestamp }: LogRecord, origin: RowOrigin, isOld: boolean): number {
    const atMs = Math.round(Math.min(origin.receivedMs, timestamp - origin.offsetMs))
    if (progress.atMs === Number.NEGATIVE_INFINITY) {
      Object.assign(progress, { seq, nodeMs: timestamp, atMs })
      return atMs
    }
    progress.seq = Math.max(progress.seq, seq)
    if (isOld || progress.nodeMs - timestamp > this.#options.windowMs) return Math.min(atMs, progress.atMs)
    progress.nodeMs = Math.max(progress.nodeMs, timestamp)
    progress.atMs = Math.max(progress.atMs, atMs)
    return progress.atMs
  }

  #progressOf(key: string): Progress {
    const before = this.#nodes.get(key)
    if (before !== undefined) return before
    const none = Number.NEGATIVE_INFINITY
    const made: Progress = {
      seq: 0,
      nodeMs: none,
      atMs: none,
      known: new Map(),
      knownBefore: new Map(),
      epoch: null,
      joinedMs: none,
    }
    this.#nodes.set(key, made)
    return made
  }
}

/** Room that a record takes, in characters. */
function charsOf({ msg, source, fields, before }: LogRecord): number {
  let chars = ROW_CHARS + msg.length + source.length
  for (const name in fields) {
    const value = fields[name]
    chars += name.length + (typeof value === 'string' ? value.length : 8)
  }
  for (const line of before ?? []) chars += ROW_CHARS + line.msg.length
  return chars
}
