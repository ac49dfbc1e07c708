import type { Segment } from './log-index.ts'

/** Most that the time between two neighbours counts: a clock that was wrong for a while ages what lies before by no more. */
const LONGEST_STEP_MS = 7_200_000

/**
 * Date what earlier runs wrote on a clock that nobody can set, reading `nowMs` now: no wall clock decides what goes. The
 * newest segment counts as just written, so time that the node was off does not count; each older one is older by the step
 * between their latest timestamps, never by less than nothing nor by more than 2 h.
 */
export function dateSegments(segments: readonly Segment[], nowMs: number): void {
  let writtenAtMs = nowMs
  let latest: number | null = null
  for (const segment of segments.toReversed()) {
    const itsLatest = latestOf(segment)
    if (itsLatest !== null) {
      if (latest !== null) writtenAtMs -= stepMs(latest - itsLatest)
      latest = itsLatest
    }
    segment.writtenAtMs = writtenAtMs
    segment.begunAtMs = writtenAtMs - stepMs((itsLatest ?? 0) - (earliestOf(segment) ?? itsLatest ?? 0))
  }
}

function stepMs(ms: number): number {
  return Math.min(Math.max(ms, 0), LONGEST_STEP_MS)
}

function latestOf({ tables }: Segment): number | null {
  const times = Array.from(tables.values(), ({ maxTime }) => maxTime).filter(Number.isFinite)
  return times.length === 0 ? null : Math.max(...times)
}

function earliestOf({ tables }: Segment): number | null {
  const times = Array.from(tables.values(), ({ minTime }) => minTime).filter(Number.isFinite)
  return times.length === 0 ? null : Math.min(...times)
}
