import { LOG_LEVELS, type LogRecord } from '../../protocol/records.ts'
import { compileLogFilter } from '../../regex/log-matcher.ts'
import { CloudHistorySource } from '../cloud/cloud-history.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type {
  RangeGap,
  RangeOutcome,
  RangeRequest,
  RangeSink,
  RequestFailure,
  TallyOutcome,
  TallyRequest,
} from '../link/link.ts'
import type { LogLink, SearchedNode } from '../link/log-search-contract.ts'
import { unreachable } from '../link/request-book.ts'
import { identityOf } from './node-identity.ts'

/** The newest slice of a range, ms; each older one is twice as long, so that a range of years is few of them. */
const SLICE_MS = 86_400_000
/** Rows that are handed on at a time. */
const PAGE_ROWS = 500
const CANCELLED: RequestFailure = { ok: false, code: 'CANCELLED', message: 'the reader went away', next: [] }

/** A line, or the news of some that are not there, with its place in time. */
type Found = { readonly atMs: number } & ({ readonly record: LogRecord } | { readonly gap: RangeGap })

/** Nodes as the cloud knows them, to be searched like nodes: what went up of their logs, errors and worse unless they say otherwise. */
export function cloudNodes({
  nodes,
  clouds,
  timeoutMs,
}: {
  readonly nodes: readonly NodeAddress[]
  readonly clouds: readonly CloudAddress[]
  readonly timeoutMs: number
}): SearchedNode[] {
  return nodes.map(({ key, node, site }) => {
    const named = identityOf(key)
    const identity = { node: node ?? named.node, site: site ?? named.site }
    const source = new CloudHistorySource({ clouds, identify: () => identity, timeoutMs })
    return { key, link: new CloudLogs(key, source), offsetMs: 0 }
  })
}

/** What the cloud holds of one node's log, by the requests that nodes take. */
class CloudLogs implements LogLink {
  readonly #key: string
  readonly #source: CloudHistorySource

  constructor(key: string, source: CloudHistorySource) {
    this.#key = key
    this.#source = source
  }

  /** Lines around another are not in the cloud, but for those that came with it. */
  read(): Promise<RequestFailure> {
    return Promise.resolve(unreachable('the cloud holds no lines around others'))
  }

  /**
   * All of the range in one answer, whatever the limit: it is read slice by slice as its rows are taken, and the signal ends
   * it. To be asked page by page would read all of it from the cloud again for every page.
   */
  async stream(request: RangeRequest<'logs'>, sink: RangeSink<'logs'>, signal: AbortSignal): Promise<RangeOutcome> {
    const { newestFirst = false } = request
    const slices = slicesOf(request)
    if (!newestFirst) slices.reverse()
    for (const slice of slices) {
      const found: Found[] = []
      const outcome = await this.#read(
        { ...request, ...slice },
        (records) => found.push(...records.map((record) => ({ atMs: record.timestamp, record }))),
        (gap) => found.push({ atMs: gap.toMs, gap }),
        signal,
      )
      if (!outcome.ok) return outcome
      found.sort((a, b) => a.atMs - b.atMs)
      if (newestFirst) found.reverse()
      for (const part of partsOf(found, newestFirst)) {
        if (Array.isArray(part)) await sink.rows(part)
        else sink.gap(part)
        if (signal.aborted) return CANCELLED
      }
    }
    return { ok: true, truncated: false, lastSeq: null }
  }

  async tally({ fromMs, stepMs, ...range }: TallyRequest, signal: AbortSignal): Promise<TallyOutcome> {
    const steps = new Map<number, number[]>()
    const outcome = await this.#read(
      { fromMs, ...range },
      (records) => {
        for (const { timestamp, level } of records) {
          const startMs = fromMs + Math.floor((timestamp - fromMs) / stepMs) * stepMs
          const lines = steps.get(startMs) ?? LOG_LEVELS.map(() => 0)
          lines[LOG_LEVELS.indexOf(level)] = (lines[LOG_LEVELS.indexOf(level)] ?? 0) + 1
          steps.set(startMs, lines)
        }
      },
      () => undefined,
      signal,
    )
    if (!outcome.ok) return outcome
    return { ok: true, fromMs, steps: [...steps].map(([startMs, lines]) => ({ startMs, lines })) }
  }

  async #read(
    { fromMs, toMs, filter = {} }: Pick<RangeRequest<'logs'>, 'fromMs' | 'toMs' | 'filter'>,
    take: (records: readonly LogRecord[]) => void,
    miss: (gap: RangeGap) => void,
    signal: AbortSignal,
  ): Promise<RangeOutcome> {
    const compiled = compileLogFilter(filter)
    const outcome = await this.#source.read(
      this.#key,
      { kinds: ['logs'], fromMs, toMs },
      {
        rows: (page) => {
          if (page.kind === 'logs') take(page.rows.filter((row) => compiled.ok && compiled.matcher.matches(row)))
        },
        gap: ({ missed, reason, ...range }) =>
          miss({ missed, reason: reason === 'too_large' ? reason : 'evicted', ...range }),
      },
      signal,
    )
    return outcome.ok ? { ...outcome, lastSeq: null } : outcome
  }
}

/** Slices of a range, newest first: the newest lines of a long time are found without all of it in memory. */
export function slicesOf({
  fromMs,
  toMs,
}: {
  readonly fromMs: number
  readonly toMs: number
}): { fromMs: number; toMs: number }[] {
  const slices = []
  let lengthMs = SLICE_MS
  for (let endMs = toMs; endMs >= fromMs; lengthMs *= 2) {
    const startMs = Math.max(fromMs, endMs - lengthMs + 1)
    slices.push({ fromMs: startMs, toMs: endMs })
    endMs = startMs - 1
  }
  return slices
}

/** Gaps between runs of lines; one run is of one log, whose sequence rises all along, or falls where the newest come first. */
function* partsOf(found: readonly Found[], newestFirst: boolean): Generator<RangeGap | LogRecord[]> {
  let run: LogRecord[] = []
  for (const one of found) {
    const last = run.at(-1)
    const turns = 'record' in one && last !== undefined && one.record.seq > last.seq === newestFirst
    if (run.length > 0 && ('gap' in one || turns || run.length === PAGE_ROWS)) {
      yield run
      run = []
    }
    if ('gap' in one) yield one.gap
    else run.push(one.record)
  }
  if (run.length > 0) yield run
}
