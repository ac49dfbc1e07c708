import type { LogFilter } from '../../protocol/log-filter.ts'
import { compileLogFilter } from '../../regex/log-matcher.ts'
import { logLine } from '../fleet/log-row.ts'
import type { LogLine, LogRow } from '../fleet/view.ts'
import type { SearchedNode } from '../link/log-search-contract.ts'
import type { LogPrinter } from './logs-printer.ts'
import type { PrintedLog } from './logs-text.ts'

/** How far from a line its neighbours are looked for, ms: a source that is silent for longer tells nothing of it. */
const REACH_MS = 3_600_000

/** What is asked around each line that is found. */
interface ContextWish {
  readonly filter: LogFilter
  readonly reverse: boolean
  readonly around: { readonly before: number; readonly after: number }
}

/**
 * Returns how to print what was found, with lines of the same source around each: they are read from its node as they are
 * wanted. A line that stands beside two is printed once, and one that would be found itself counts as found.
 */
export function withContext(
  wish: ContextWish,
  nodes: readonly SearchedNode[],
  printer: LogPrinter,
): (rows: readonly LogRow[]) => Promise<void> {
  const { before, after } = wish.around
  if (before === 0 && after === 0) return (rows) => printer.rows(rows)
  const byKey = new Map(nodes.map((node) => [node.key, node]))
  const compiled = compileLogFilter(wish.filter)
  const isFound = (line: LogLine): boolean => compiled.ok && compiled.matcher.matches(line)
  /** Newest sequence that was printed of each source. */
  const printed = new Map<string, number>()
  const around = async (line: LogLine, node: SearchedNode): Promise<void> => {
    const mark = `${line.key}\n${line.source}`
    const lastSeq = printed.get(mark) ?? 0
    // Of falling lines each is a group of its own: what is printed already stands after it.
    if (!wish.reverse && line.seq > 0 && line.seq <= lastSeq) return
    const least = wish.reverse ? 0 : lastSeq
    const rows: PrintedLog[] = []
    const add = (lines: readonly LogLine[]): void => {
      for (const one of lines) rows.push(isFound(one) ? one : { ...one, context: true })
    }
    if (before > 0)
      add(
        (await neighbours(node, line, { count: before, isBefore: true })).filter(({ seq }) => seq === 0 || seq > least),
      )
    const isJoined = rows.length < before && least > 0
    rows.push(line)
    if (after > 0) add(await neighbours(node, line, { count: after, isBefore: false }))
    printed.set(mark, Math.max(lastSeq, ...rows.map((row) => (row.kind === 'line' ? row.seq : 0))))
    if (!isJoined) await printer.parting()
    await printer.rows(rows)
  }
  return async (rows) => {
    for (const row of rows) {
      const node = byKey.get(row.key)
      if (row.kind === 'line' && node !== undefined) await around(row, node)
      else await printer.rows([row])
    }
  }
}

/** Lines of the same source next to a line, oldest first; none when the node does not tell. */
async function neighbours(
  { link, offsetMs, key }: SearchedNode,
  line: LogLine,
  { count, isBefore }: { readonly count: number; readonly isBefore: boolean },
): Promise<LogLine[]> {
  const { nodeMs, seq, source } = line
  const range = isBefore
    ? { fromMs: Math.max(0, nodeMs - REACH_MS), toMs: nodeMs, newestFirst: true, beforeSeq: Math.max(1, seq) }
    : { fromMs: nodeMs, toMs: nodeMs + REACH_MS, afterSeq: seq }
  const outcome = await link.read({ topic: 'logs', limit: count, filter: { sources: [source] }, ...range })
  // What came with it is known also where nobody can be asked.
  if (!outcome.ok) return isBefore ? cameWith(line).slice(-count) : []
  const rows = outcome.rows.map((record) => {
    const atMs = Math.round(record.timestamp - offsetMs)
    return logLine(record, { id: 0, key, atMs, late: false, offsetMs })
  })
  return isBefore ? rows.reverse() : rows
}

function cameWith(line: LogLine): LogLine[] {
  return line.before.map((one) => ({ ...line, ...one, seq: 0, fields: {}, before: [], cutChars: 0 }))
}
