import { untrusted } from '../../protocol/untrusted-text.ts'
import { logGap } from '../fleet/log-row.ts'
import type { LogRow } from '../fleet/view.ts'
import type { RequestFailure } from '../link/link.ts'
import { searchLogs } from '../link/log-search.ts'
import type { LogSearch, SearchedNode } from '../link/log-search-contract.ts'
import { FleetSession } from './fleet-session.ts'
import { withContext } from './logs-context.ts'
import { followLogs } from './logs-follow.ts'
import { printHistogram } from './logs-histogram.ts'
import { type FoundNodes, findNodes } from './logs-nodes.ts'
import { LogPrinter } from './logs-printer.ts'
import { SearchProgress } from './logs-progress.ts'
import type { LogsRequest } from './logs-request.ts'
import type { CommandIo } from './output.ts'

const STATUS_ONLY = { status: true, alertBacklog: null, logs: null } as const

/** Print log lines of the nodes in time order. Resolves with whether every node gave all that was asked. */
export async function runLogs(request: LogsRequest, io: CommandIo): Promise<boolean> {
  if (request.follow) return followLogs(request, io)
  if (request.fromCloud) {
    const { cloudNodes } = await import('./logs-cloud.ts')
    return readOnce(request, { found: cloudNodes(request), missing: [] }, io)
  }
  const { nodes, access } = request
  const session = new FleetSession({ nodes, access, interest: STATUS_ONLY })
  session.start()
  try {
    const asked = await findNodes(session, request, io)
    const printer = new LogPrinter({ ...request.style, colour: request.colour }, io)
    if (!request.histogram && request.tail === null) await printer.rows(evictedOf(session, asked, request))
    return await readOnce(request, asked, io, printer)
  } finally {
    await session.stop()
  }
}

async function readOnce(
  request: LogsRequest,
  { found, missing }: FoundNodes,
  io: CommandIo,
  printer = new LogPrinter({ ...request.style, colour: request.colour }, io),
): Promise<boolean> {
  if (request.histogram) return printHistogram(request, { found, missing }, io)
  const { failed } = await printFound(request, found, printer, io)
  await printer.end()
  return failed + missing.length === 0
}

/** Print what the nodes have of a range. Resolves with how many did not give all. */
export async function printFound(
  request: Pick<LogsRequest, 'fromMs' | 'toMs' | 'filter' | 'reverse' | 'tail' | 'around'>,
  found: readonly SearchedNode[],
  printer: LogPrinter,
  io: CommandIo,
): Promise<{ readonly failed: number }> {
  const { fromMs, filter, reverse, tail } = request
  const progress = new SearchProgress(io)
  const search: LogSearch = {
    fromMs,
    toMs: request.toMs ?? Date.now() + 60_000,
    filter,
    // The newest so many are found from the newest on; they are few enough to be turned round.
    newestFirst: reverse || tail !== null,
    limit: tail ?? Number.MAX_SAFE_INTEGER,
  }
  const isTurned = tail !== null && !reverse
  const kept: LogRow[] = []
  const print = withContext(request, found, printer)
  const sink = {
    rows: async (rows: readonly LogRow[]): Promise<void> => {
      if (isTurned) {
        kept.push(...rows)
        return
      }
      progress.clear()
      await print(rows)
    },
    progress: (key: string, told: { readonly atMs: number; readonly lookedAtBytes: number }) => progress.say(key, told),
    failed: (key: string, failure: RequestFailure): void => {
      progress.clear()
      io.stderr.write(`edgedeck: ${untrusted(key)}: ${untrusted(failure.message)}\n`)
    },
  }
  const outcome = await searchLogs(found, search, sink, io.signal)
  progress.clear()
  await print(kept.reverse())
  return outcome
}

/** What nodes say that they have let go of the range, as rows at its begin. */
function evictedOf(session: FleetSession, { found }: FoundNodes, { fromMs, filter }: LogsRequest): LogRow[] {
  const classes = filter.level === 'error' || filter.level === 'fatal' ? ['error'] : ['log', 'error']
  return found.flatMap(({ key, offsetMs }) => {
    const byClass = session.fleet.nodeDetail(key, 'now', Date.now())?.status?.store.byClass
    const goneUntilMs = classes.flatMap((name) => {
      const kept = byClass?.[name]
      return kept === undefined || kept.evicted === 0 ? [] : (kept.oldestAt ?? Date.now()) - offsetMs
    })
    const untilMs = Math.max(fromMs, ...goneUntilMs)
    if (untilMs <= fromMs) return []
    return logGap({ missed: null, reason: 'evicted' }, { id: 0, key, atMs: Math.round(untilMs) })
  })
}
