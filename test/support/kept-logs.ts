import type { LogRecord } from '../../protocol/records.ts'
import { LOG_LEVELS } from '../../protocol/records.ts'
import { compileLogFilter } from '../../regex/log-matcher.ts'
import type {
  LogFollow,
  NodeLink,
  RangeOutcome,
  RangeRequest,
  RangeSink,
  ReadableRows,
  TallyOutcome,
  TallyRequest,
} from '../../src/link/link.ts'

const UNREACHABLE = { ok: false, code: 'NODE_UNREACHABLE', message: 'no answer within 10000 ms', next: [] } as const

/** The link to a node that keeps log lines and answers reads and counts of them; anything else is refused by throwing. */
export class KeptLogs implements NodeLink {
  readonly key: string
  readonly records: LogRecord[] = []
  /** What it was asked to follow. */
  readonly follows: (LogFollow | null)[] = []
  readonly reads: RangeRequest<keyof ReadableRows>[] = []
  isSilent = false
  /** What answers wait for, as those of a slow link do. */
  answersAfter: Promise<unknown> | null = null
  /** What all but the first hundred lines of an answer wait for, as on a thin link. */
  restAfter: Promise<unknown> | null = null

  constructor(key: string) {
    this.key = key
  }

  /** Keep a line; lines must be kept in order of time. */
  keep(timestamp: number, line: Partial<LogRecord> = {}): LogRecord {
    const seq = this.records.length + 1
    const record = {
      seq,
      node_id: this.key,
      timestamp,
      level: 'info',
      source: 'app',
      msg: `line ${seq}`,
      ...line,
    } as const
    this.records.push(record)
    return record
  }

  followLogs(follow: LogFollow | null): void {
    this.follows.push(follow)
  }

  async stream<T extends keyof ReadableRows>(
    request: RangeRequest<T>,
    sink: RangeSink<T>,
    signal: AbortSignal,
  ): Promise<RangeOutcome> {
    this.reads.push(request)
    if (this.answersAfter !== null) await this.answersAfter
    if (this.isSilent) return UNREACHABLE
    const {
      fromMs,
      toMs,
      limit,
      newestFirst = false,
      filter,
      afterSeq = 0,
      beforeSeq = Number.MAX_SAFE_INTEGER,
    } = request
    const passes = matcherOf(filter)
    const found = this.records.filter(
      (record) =>
        record.timestamp >= fromMs &&
        record.timestamp <= toMs &&
        record.seq > afterSeq &&
        record.seq < beforeSeq &&
        passes(record),
    )
    if (newestFirst) found.reverse()
    const rows = found.slice(0, limit)
    const PAGE = 100
    for (let at = 0; at < rows.length && !signal.aborted; at += PAGE) {
      if (at > 0 && this.restAfter !== null) await this.restAfter
      await sink.rows(rows.slice(at, at + PAGE) as unknown as ReadableRows[T][])
    }
    if (signal.aborted) return { ok: false, code: 'CANCELLED', message: 'nobody waits', next: [] }
    return { ok: true, truncated: found.length > limit, lastSeq: rows.at(-1)?.seq ?? null }
  }

  async tally({ fromMs, toMs, stepMs, filter }: TallyRequest): Promise<TallyOutcome> {
    if (this.answersAfter !== null) await this.answersAfter
    if (this.isSilent) return UNREACHABLE
    const passes = matcherOf(filter)
    const steps = new Map<number, number[]>()
    for (const record of this.records) {
      if (record.timestamp < fromMs || record.timestamp > toMs || !passes(record)) continue
      const startMs = fromMs + Math.floor((record.timestamp - fromMs) / stepMs) * stepMs
      const lines = steps.get(startMs) ?? LOG_LEVELS.map(() => 0)
      const rank = LOG_LEVELS.indexOf(record.level)
      lines[rank] = (lines[rank] ?? 0) + 1
      steps.set(startMs, lines)
    }
    const first = this.records[0]?.timestamp ?? fromMs
    return {
      ok: true,
      fromMs: Math.max(fromMs, first),
      steps: [...steps].map(([startMs, lines]) => ({ startMs, lines })),
    }
  }

  start(): void {
    throw new Error('nobody starts this link')
  }
  stop(): Promise<void> {
    throw new Error('nobody stops this link')
  }
  pace(): void {
    throw new Error('nobody paces this link')
  }
  followResults(): void {
    throw new Error('nobody follows its results')
  }
  command(): never {
    throw new Error('nobody commands it')
  }
  read(): never {
    throw new Error('nobody reads it without flow control')
  }
  fetchPicture(): never {
    throw new Error('nobody fetches its pictures')
  }
}

function matcherOf(filter: RangeRequest<'logs'>['filter']): (record: LogRecord) => boolean {
  const compiled = filter === undefined ? null : compileLogFilter(filter)
  if (compiled === null) return () => true
  if (!compiled.ok) throw new Error(compiled.message)
  return (record) => compiled.matcher.matches(record)
}
