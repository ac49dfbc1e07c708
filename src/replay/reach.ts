import type { Fleet } from '../fleet/fleet.ts'
import type { AlertMark, AlertMarks } from './alert-marks.ts'
import type { CoverageBook, KeptState } from './coverage-book.ts'
import { PAGE_MS } from './page-cache.ts'

/** A stretch of time, Unix ms on our clock. */
export interface Stretch {
  readonly fromMs: number
  readonly toMs: number
}

/** Who knows what of a stretch of time. */
export interface Reach {
  /** What this console saw itself. */
  readonly console: readonly Stretch[]
  /** What was read of the nodes and of the cloud. */
  readonly kept: readonly (Stretch & { readonly state: KeptState; readonly source: 'node' | 'cloud' | null })[]
  /** What a node says that it keeps, read or not. */
  readonly promised: readonly Stretch[]
  /** Alerts that began, and rows that are known to be missing. */
  readonly alerts: readonly AlertMark[]
  readonly gaps: readonly Stretch[]
}

/** Find out who knows what of these nodes between two times. */
export function reachOf(options: {
  readonly keys: readonly string[]
  readonly fromMs: number
  readonly toMs: number
  readonly nowMs: number
  readonly live: Fleet
  readonly coverage: CoverageBook
  readonly marks: AlertMarks
}): Reach {
  const { keys, fromMs, toMs, nowMs, live, coverage, marks } = options
  const kept: Reach['kept'][number][] = []
  const gaps: Stretch[] = []
  const promised: Stretch[] = []
  for (const key of keys) {
    for (const [page, { state, source, told, missing }] of coverage.of(key)) {
      const stretch = { fromMs: page * PAGE_MS, toMs: (page + 1) * PAGE_MS }
      if (stretch.toMs < fromMs || stretch.fromMs > toMs) continue
      // The first minute of a node is not whole.
      kept.push({ ...(told ?? stretch), state, source })
      gaps.push(...missing)
    }
    const oldestMs = oldestSampleMs(live, key, nowMs)
    if (oldestMs !== null) promised.push({ fromMs: oldestMs, toMs: nowMs })
  }
  const alerts = [
    ...keys.flatMap((key) => marks.of(key)),
    ...live
      .alertHistory('now', nowMs, MAX_MARKS, keys.length === 1 ? (keys[0] ?? null) : null)
      .filter(({ state }) => state === 'firing'),
  ].filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
  return { console: keys.flatMap((key) => live.known(key, fromMs, toMs)), kept, promised, alerts, gaps }
}

const MAX_MARKS = 500

/** How far back a node says that it keeps its own state, our clock; null when it does not tell. */
function oldestSampleMs(live: Fleet, key: string, nowMs: number): number | null {
  const byClass = live.nodeDetail(key, 'now', nowMs)?.status?.store.byClass ?? {}
  const times = Object.entries(byClass).flatMap(([name, kept]) =>
    (name === 'sample' || name === 'minute') && kept.oldestAt !== null ? [kept.oldestAt] : [],
  )
  return times.length === 0 ? null : Math.min(...times) - live.offsetMs(key)
}
