import type { Console } from '../console.ts'
import { type LogBars, stepFor } from '../panes/log-histogram.ts'
import { boundsOf } from './choices.ts'
import { barsOfRows } from './counts.ts'

/** How far back the histogram looks where no range was chosen. */
const USUAL_SPAN_MS = 3_600_000

/** Errors and warnings of the chosen range in at most so many bars; of the last hour, or of the one that is looked at, where none was chosen. */
export function logBars(console: Console, most: number): LogBars {
  const { store } = console.parts
  const { logs, asOf } = store.get()
  const nowMs = console.nowMs()
  const thenMs = console.logs.isThen() ? (logs.cursor?.atMs ?? console.logs.pages.toMs) : null
  // Until the first lines that are kept are there, it is not known which hour is looked at.
  const atMs = asOf === 'now' ? (thenMs === 0 ? null : thenMs) : asOf
  const { fromMs, toMs, isLive } = spanOf(logs.range, atMs, nowMs)
  const stepMs = stepFor(toMs - fromMs, most - 1)
  const range = {
    stepMs,
    fromMs: Math.floor(fromMs / stepMs) * stepMs,
    toMs: Math.ceil(toMs / stepMs) * stepMs,
  }
  // Nobody counts the lines of a container but who reads them.
  if (console.logs.container() !== null) return barsOfRows(console.logs.rows().rows, range)
  const { nodes } = console.logs.nodes()
  const wish = { nodes, filter: console.logs.filter(), isLive, ...range }
  return console.logCounts.bars(wish, isLive ? console.logs.rows().rows : [])
}

function spanOf(
  range: Parameters<typeof boundsOf>[0],
  atMs: number | null,
  nowMs: number,
): { readonly fromMs: number; readonly toMs: number; readonly isLive: boolean } {
  const bounds = boundsOf(range, nowMs)
  if (range !== null) return { fromMs: bounds.fromMs, toMs: bounds.toMs ?? nowMs, isLive: bounds.toMs === null }
  if (atMs === null) return { fromMs: nowMs - USUAL_SPAN_MS, toMs: nowMs, isLive: true }
  // An hour that stays the same while the cursor moves within its middle.
  const half = USUAL_SPAN_MS / 2
  const fromMs = Math.floor(atMs / half) * half - half / 2
  return { fromMs, toMs: fromMs + USUAL_SPAN_MS, isLive: false }
}
