import type { LogLevel } from '../../protocol/records.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { LogBook } from '../fleet/log-book.ts'
import type { LogQuery, LogRow } from '../fleet/view.ts'
import type { FleetAccess } from '../link/access.ts'
import { FleetSession } from './fleet-session.ts'
import { type CommandIo, type OutputFormat, printJson } from './output.ts'

/** What `edgedeck logs` was asked. */
export interface LogsRequest {
  readonly nodes: readonly NodeAddress[]
  readonly access: FleetAccess
  readonly format: OutputFormat
  readonly follow: boolean
  readonly level: LogLevel
  readonly contains: string | null
  /** The newest that many lines to begin with. */
  readonly tail: number
  /** How far back to look for them, ms. */
  readonly sinceMs: number
  /** How long to wait for answers, ms. */
  readonly timeoutMs: number
}

const READ_LIMIT = 10_000
/** Lines of different nodes that come within this time are put into the order of their clocks. */
const REORDER_MS = 300
const MAX_BACKLOG = 1000

/** Print log lines of the nodes in time order. Resolves with whether every node answered. */
export function runLogs(request: LogsRequest, io: CommandIo): Promise<boolean> {
  return request.follow ? follow(request, io) : readOnce(request, io)
}

/** One line of the plain form: time (UTC), node, level, source, message and its fields. */
export function logRowAsText(row: LogRow): string {
  const time = new Date(row.atMs).toISOString()
  if (row.kind === 'gap') return `${time} ${row.name} ----- ${row.missed} lines did not come (${row.reason})`
  const fields = Object.entries(row.fields).map(([name, value]) => ` ${name}=${value}`)
  return `${time} ${row.name} ${row.level.toUpperCase().padEnd(5)} ${row.source}: ${row.msg}${fields.join('')}`
}

/** A row as `-o json` has it: times are Unix ms on this machine's clock. Texts are safe to show. */
export function logRowAsJson(row: LogRow): Record<string, unknown> {
  const { id: _id, key: _key, kind, atMs, name, ...rest } = row
  return { kind, node: name, atMs, ...rest }
}

async function readOnce(request: LogsRequest, io: CommandIo): Promise<boolean> {
  const session = new FleetSession({
    nodes: request.nodes,
    access: request.access,
    interest: { status: false, alertBacklog: null, logs: null },
  })
  const book = new LogBook({ maxRows: request.tail * request.nodes.length + READ_LIMIT })
  // Where there is a bus, one way that fails is not the end: the bus itself may only be on its way.
  const isFinal = request.access.bus === undefined
  const isSettled = (key: string): boolean => {
    const link = linkOf(session, key)
    return link?.phase === 'open' || (isFinal && link?.lastReason != null)
  }
  session.start()
  try {
    await session.until((view) => view.nodes.every((node) => isSettled(node.key)), request.timeoutMs, io.signal)
    const answers = await Promise.all(request.nodes.map(({ key }) => readNode(key, session, request, book)))
    answers.forEach((problem) => {
      if (problem !== null) io.stderr.write(`edgedeck: ${problem}\n`)
    })
    print(book.query({ ...filterOf(request), limit: request.tail }), request.format, io)
    return answers.every((problem) => problem === null)
  } finally {
    await session.stop()
  }
}

/** Put a node's lines into the book. Resolves with what is wrong, or null. */
async function readNode(
  key: string,
  session: FleetSession,
  request: LogsRequest,
  book: LogBook,
): Promise<string | null> {
  const offsetMs = linkOf(session, key)?.clockOffsetMs ?? 0
  const nodeNowMs = Math.round(Date.now() + offsetMs)
  let fromMs = Math.max(0, nodeNowMs - request.sinceMs)
  for (;;) {
    const outcome = await session.links
      .get(key)
      ?.read({ topic: 'logs', fromMs, toMs: nodeNowMs, limit: READ_LIMIT }, request.timeoutMs)
    if (outcome === undefined) return `${key} is not in the list of nodes`
    if (!outcome.ok) {
      return `${untrusted(key)}: ${linkOf(session, key)?.lastReason ?? untrusted(outcome.message)}`
    }
    const origin = { key, offsetMs, receivedMs: Date.now() }
    book.intake.addLines(origin, outcome.rows)
    if (outcome.missed > 0) book.intake.addGap(origin, { missed: outcome.missed, reason: 'too_large', toMs: nodeNowMs })
    const lastMs = outcome.rows.at(-1)?.timestamp
    if (!outcome.truncated || lastMs === undefined || lastMs <= fromMs) return null
    fromMs = lastMs
  }
}

async function follow(request: LogsRequest, io: CommandIo): Promise<boolean> {
  const { level } = request
  const backlog = Math.min(request.tail, MAX_BACKLOG)
  const session = new FleetSession({
    nodes: request.nodes,
    access: request.access,
    interest: {
      status: true,
      alertBacklog: null,
      // The text is looked for here: a node searches messages alone, we search fields and names too.
      logs: { filter: { level }, backlog },
    },
    maxLogRows: 20_000,
  })
  const told = new Map<string, string>()
  let lastId = 0
  const flush = (): void => {
    const rows = session.fleet.logs({ ...filterOf(request), afterId: lastId })
    for (const row of rows) lastId = Math.max(lastId, row.id)
    print(rows, request.format, io)
    for (const node of session.fleet.view('now', Date.now()).nodes) {
      const reason = linkOf(session, node.key)?.lastReason
      const news = node.state === 'up' || reason == null ? node.state : `${node.state}: ${reason}`
      const before = told.get(node.key)
      told.set(node.key, news)
      const worthTelling = before === undefined ? node.state !== 'up' && node.state !== 'connecting' : before !== news
      if (worthTelling) io.stderr.write(`edgedeck: ${node.name} is ${news}\n`)
    }
  }
  session.start()
  try {
    while (!io.signal.aborted) {
      await session.until(() => false, REORDER_MS, io.signal)
      flush()
    }
    return session.fleet.view('now', Date.now()).nodes.every((node) => node.state === 'up')
  } finally {
    await session.stop()
  }
}

function filterOf(request: LogsRequest): LogQuery {
  return { minLevel: request.level, ...(request.contains === null ? {} : { contains: request.contains }) }
}

function linkOf(session: FleetSession, key: string) {
  return session.fleet.nodeDetail(key, 'now', Date.now())?.link
}

function print(rows: readonly LogRow[], format: OutputFormat, io: CommandIo): void {
  if (format === 'table') io.stdout.write(rows.map((row) => `${logRowAsText(row)}\n`).join(''))
  else io.stdout.write(printJson(rows.map(logRowAsJson), format))
}
