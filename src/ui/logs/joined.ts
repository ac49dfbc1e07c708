import type { LogRow } from '../../fleet/view.ts'
import { markOf } from './pages.ts'

/**
 * What was read and what came live in one order of time; a row that is in both is that of the live book. Rows are known by
 * their node's numbers and not by their times: a node's clock is measured better with time, so that one row may have come
 * with two of them, and what a node wrote before its first live row stays before it.
 */
export function joined(read: readonly LogRow[], live: readonly LogRow[]): readonly LogRow[] {
  if (read.length === 0 || live.length === 0) return live.length === 0 ? read : live
  const firsts = new Map<string, { readonly seq: number; readonly atMs: number }>()
  for (const row of live) {
    if (row.kind !== 'line' || row.seq === 0) continue
    if (row.seq < (firsts.get(row.key)?.seq ?? Number.POSITIVE_INFINITY)) firsts.set(row.key, row)
  }
  let marks: Set<string> | null = null
  const alone: LogRow[] = []
  let lastMs = Number.NEGATIVE_INFINITY
  for (const row of read) {
    const first = firsts.get(row.key)
    const seq = row.kind === 'line' ? row.seq : null
    let placed = row
    if (first !== undefined && seq !== null && seq >= first.seq) {
      marks ??= new Set(live.map(markOf))
      if (marks.has(markOf(row))) continue
    } else if (first !== undefined && seq !== null && row.atMs > first.atMs) placed = { ...row, atMs: first.atMs }
    alone.push(placed)
    lastMs = Math.max(lastMs, placed.atMs)
  }
  if (lastMs <= (live[0]?.atMs ?? 0)) return [...alone, ...live]
  return [...alone, ...live].sort((a, b) => a.atMs - b.atMs)
}
