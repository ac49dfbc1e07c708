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

/** Rows that are handed on at a time. */
const PAGE_ROWS = 500

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

  async stream(request: RangeRequest<'logs'>, sink: RangeSink<'logs'>, signal: AbortSignal): Promise<RangeOutcome> {
    const { newestFirst = false, limit, beforeSeq = Number.POSITIVE_INFINITY, afterSeq = -1 } = request
    const found: LogRecord[] = []
    const outcome = await this.#read(
      request,
      (records) => found.push(...records.filter(({ seq }) => seq < beforeSeq && seq > afterSeq)),
      (gap) => sink.gap(gap),
      signal,
    )
    if (!outcome.ok) return outcome
    if (newestFirst) found.reverse()
    const rows = found.slice(0, limit)
    for (let at = 0; at < rows.length; at += PAGE_ROWS) await sink.rows(rows.slice(at, at + PAGE_ROWS))
    return { ok: true, truncated: found.length > limit, lastSeq: rows.at(-1)?.seq ?? null }
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
