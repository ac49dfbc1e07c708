import { untrusted } from '../../protocol/untrusted-text.ts'
import { logGap } from '../fleet/log-row.ts'
import type { LinkView, LogGap, LogRow } from '../fleet/view.ts'
import { searchLogs } from '../link/log-search.ts'
import type { LogSearchSink, SearchedNode } from '../link/log-search-contract.ts'
import { FleetSession } from './fleet-session.ts'
import { findNodes } from './logs-nodes.ts'
import { LogPrinter } from './logs-printer.ts'
import type { LogsRequest } from './logs-request.ts'
import type { CommandIo } from './output.ts'

const AHEAD_MS = 60_000
/** Most kept lines that a node gives before new ones. */
const MAX_BACKLOG = 1000
/** How often it is looked whether nodes went away or came back, ms. */
const LOOK_MS = 500
/** Rows that may wait for whoever reads what is printed. */
const MAX_WAITING_ROWS = 50_000
/** Rows that are printed at once. */
const BATCH_ROWS = 2000

/**
 * Print new lines of the nodes until the signal. Resolves with whether every node was there at the end. Lines that whoever
 * reads is too slow for are counted in a row.
 */
export async function followLogs(request: LogsRequest, io: CommandIo): Promise<boolean> {
  const { nodes, access, filter, tail, selector } = request
  const queue = new RowQueue()
  const follow = { filter, backlog: Math.min(tail ?? MAX_BACKLOG, MAX_BACKLOG) }
  // What was since a time is read first; who matches is known when they have said how they are.
  const isLater = selector !== null || tail === null
  const session = new FleetSession({
    nodes,
    access,
    interest: { status: true, alertBacklog: null, logs: isLater ? null : follow },
    onLogRows: (rows) => queue.add(rows),
  })
  const printer = new LogPrinter({ ...request.style, colour: request.colour }, io)
  const news = new StateNews(session, io)
  io.signal.addEventListener('abort', () => queue.wake(), { once: true })
  session.start()
  const looking = setInterval(() => news.tell(), LOOK_MS)
  try {
    if (isLater) {
      const { found } = await findNodes(session, request, io)
      const lastSeqs = tail === null ? await printSince(request, found, { session, printer, io }) : null
      for (const { key } of found) {
        const afterSeq = lastSeqs?.get(key)
        session.links.get(key)?.followLogs(afterSeq === undefined ? follow : { ...follow, afterSeq })
      }
    }
    while (!io.signal.aborted) {
      const rows = await queue.take(io.signal)
      await printer.rows(rows)
    }
    return session.fleet.view('now', Date.now()).nodes.every((node) => node.state === 'up')
  } finally {
    clearInterval(looking)
    await session.stop()
  }
}

/** Print what the nodes have since a time. Resolves with the sequence to go on behind, by node. */
async function printSince(
  { fromMs, filter }: LogsRequest,
  found: readonly SearchedNode[],
  { session, printer, io }: { readonly session: FleetSession; readonly printer: LogPrinter; readonly io: CommandIo },
): Promise<ReadonlyMap<string, number>> {
  const lastSeqs = new Map<string, number>()
  for (const { key } of found) {
    const lastSeq = session.fleet.nodeDetail(key, 'now', Date.now())?.status?.store.lastSeq
    if (lastSeq !== undefined) lastSeqs.set(key, lastSeq)
  }
  const sink: LogSearchSink = {
    rows: (rows) => {
      for (const row of rows) {
        if (row.kind === 'line') lastSeqs.set(row.key, Math.max(row.seq, lastSeqs.get(row.key) ?? 0))
      }
      return printer.rows(rows)
    },
    failed: (key, { message }) => void io.stderr.write(`edgedeck: ${untrusted(key)}: ${untrusted(message)}\n`),
  }
  // What a clock that is measured badly puts into the future is taken too.
  const range = { fromMs, toMs: Date.now() + AHEAD_MS, newestFirst: false, limit: Number.MAX_SAFE_INTEGER }
  await searchLogs(found, { ...range, filter }, sink, io.signal)
  return lastSeqs
}

/** Rows on their way to whoever prints, bounded: the oldest give way and are counted. */
class RowQueue {
  #rows: LogRow[] = []
  readonly #letGo = new Map<string, LogGap & { readonly missed: number }>()
  #wake: (() => void) | null = null

  add(rows: readonly LogRow[]): void {
    for (const row of rows) this.#rows.push(row)
    if (this.#rows.length > MAX_WAITING_ROWS) {
      for (const row of this.#rows.splice(0, this.#rows.length - MAX_WAITING_ROWS / 2)) {
        const missed = (this.#letGo.get(row.key)?.missed ?? 0) + (row.kind === 'line' ? 1 : (row.missed ?? 0))
        this.#letGo.set(row.key, { ...logGap({ missed, reason: 'let_go' }, row), missed })
      }
    }
    this.#wake?.()
  }

  /** Whoever waits looks again. */
  wake(): void {
    this.#wake?.()
  }

  /** Wait for rows and take some; none when the signal came. {@link wake} it then. */
  async take(signal: AbortSignal): Promise<readonly LogRow[]> {
    while (this.#rows.length === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const gone = [...this.#letGo.values()]
    this.#letGo.clear()
    return [...gone, ...this.#rows.splice(0, BATCH_ROWS)]
  }
}

/** Tells when a node goes away or comes back. */
class StateNews {
  readonly #session: FleetSession
  readonly #io: CommandIo
  readonly #told = new Map<string, string>()

  constructor(session: FleetSession, io: CommandIo) {
    this.#session = session
    this.#io = io
  }

  tell(): void {
    const { fleet } = this.#session
    for (const node of fleet.view('now', Date.now()).nodes) {
      const reason: LinkView['lastReason'] | undefined = fleet.nodeDetail(node.key, 'now', Date.now())?.link.lastReason
      const news = node.state === 'up' || reason == null ? node.state : `${node.state}: ${reason}`
      const before = this.#told.get(node.key)
      this.#told.set(node.key, news)
      const worthTelling = before === undefined ? node.state !== 'up' && node.state !== 'connecting' : before !== news
      if (worthTelling) this.#io.stderr.write(`edgedeck: ${node.name} is ${news}\n`)
    }
  }
}
