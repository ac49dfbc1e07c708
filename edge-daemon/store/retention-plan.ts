import type { RecordClass, UpstreamClass } from '../../protocol/subjects.ts'

/** Why records go, as the ledger says it. */
export type EvictionReason = 'max_bytes' | 'class_bytes' | 'max_age' | 'disk_full'

/** What may be kept of one class; null for no limit of its own. */
export interface ClassLimit {
  readonly maxBytes: number | null
  readonly maxAgeMs: number | null
}

/** Limits by class; a class without an entry has none of its own. */
export type ClassLimits = Readonly<Partial<Record<RecordClass, ClassLimit>>>

/** All records of one class in one segment: the smallest thing that goes. */
export interface Cell {
  readonly recordClass: RecordClass
  readonly records: number
  /** Bytes of its frames, headers included. */
  readonly bytes: number
  readonly firstSeq: number
  readonly lastSeq: number
}

/** A segment as the planner sees it. */
export interface SegmentView {
  readonly bytes: number
  /** Time since something was last written to it, measured by a clock that no one can set. */
  readonly ageMs: number
  /** It still grows: it is spared while there is anything else to take. */
  readonly isActive: boolean
  readonly cells: readonly Cell[]
  /** Classes whose eviction is in the ledger already. */
  readonly noted: ReadonlySet<RecordClass>
}

/** How far records have got: what may go without being missed. */
export interface Levels {
  /** Last result that a statistic covers. */
  readonly foldedSeq: number
  /** Last sequence that every target surely holds, by class; what lies above waits. */
  readonly heldSeq: (recordClass: UpstreamClass) => number
}

/** All that a plan follows from. */
export interface RetentionView {
  /** Oldest first. */
  readonly segments: readonly SegmentView[]
  readonly limits: ClassLimits
  /** Most that all segments may hold, and what it is that bounds them. */
  readonly total: { readonly maxBytes: number; readonly reason: 'max_bytes' | 'disk_full' }
  readonly levels: Levels
}

/** The next eviction: cells of one segment that go together; `reason` is null when the ledger knows of them already. */
export interface Eviction {
  readonly segment: number
  readonly classes: ReadonlySet<RecordClass>
  readonly reason: EvictionReason | null
}

/**
 * The order under pressure, what goes first first. Normal results are the first to go, since the statistics that cover
 * them stay (decision 6 of the design: degrade, then evict); a result that no statistic covers stands far behind.
 */
const STANDING = {
  folded: 0,
  detail: 1,
  held: 2,
  waiting: 3,
  unfolded: 4,
  seriousHeld: 5,
  seriousWaiting: 6,
  auditHeld: 7,
  auditWaiting: 8,
  ledger: 9,
} as const
/** Added to the standing of what still grows. */
const ACTIVE = 100
type Standing = (typeof STANDING)[keyof typeof STANDING]

/** What is to go next; null when everything is within its limits. One call plans one step: plan again after each. */
export function planEviction(view: RetentionView): Eviction | null {
  return evictionNoted(view) ?? evictionByAge(view) ?? evictionByClass(view) ?? evictionByTotal(view)
}

/** A cell that an earlier run noted and did not come to remove. */
function evictionNoted({ segments }: RetentionView): Eviction | null {
  for (const [segment, { cells, noted }] of segments.entries()) {
    const classes = classesOf(cells.filter(({ recordClass }) => noted.has(recordClass)))
    if (classes.size > 0) return { segment, classes, reason: null }
  }
  return null
}

/** What waits for a target, or for its statistic, outlives its age: only bytes bound it. */
function evictionByAge({ segments, limits, levels }: RetentionView): Eviction | null {
  const anchor = anchorOf(segments, levels)
  for (const [segment, { cells, ageMs, isActive }] of segments.entries()) {
    if (isActive) continue
    const classes = classesOf(
      cells.filter((cell) => {
        const { maxAgeMs = null } = limits[cell.recordClass] ?? {}
        return maxAgeMs !== null && ageMs > maxAgeMs && !isWaiting(cell, levels) && cell !== anchor
      }),
    )
    if (classes.size > 0) return { segment, classes, reason: 'max_age' }
  }
  return null
}

function evictionByClass({ segments, limits, levels }: RetentionView): Eviction | null {
  const totals = new Map<RecordClass, number>()
  for (const { cells } of segments) {
    for (const { recordClass, bytes } of cells) totals.set(recordClass, (totals.get(recordClass) ?? 0) + bytes)
  }
  const anchor = anchorOf(segments, levels)
  for (const [recordClass, bytes] of totals) {
    const { maxBytes = null } = limits[recordClass] ?? {}
    if (maxBytes === null || bytes <= maxBytes) continue
    // What waits and what still grows come last, and a class that lies only there goes there.
    const best = least(segments, (cell, isActive) =>
      cell.recordClass === recordClass && cell !== anchor
        ? (isActive ? 2 : 0) + (isWaiting(cell, levels) ? 1 : 0)
        : null,
    )
    if (best !== null) return { segment: best.segment, classes: new Set([recordClass]), reason: 'class_bytes' }
  }
  return null
}

function evictionByTotal({ segments, total, levels }: RetentionView): Eviction | null {
  if (segments.reduce((sum, { bytes }) => sum + bytes, 0) <= total.maxBytes) return null
  const anchor = anchorOf(segments, levels)
  const rankOf = (cell: Cell): Standing => (cell === anchor ? STANDING.seriousHeld : standingOf(cell, levels))
  const best = least(segments, (cell, isActive) => {
    const standing = rankOf(cell)
    // Notes of what goes now: taking them would only make new ones.
    if (isActive && standing === STANDING.ledger) return null
    return standing + (isActive ? ACTIVE : 0)
  })
  if (best === null) return null
  const going = best.cells.filter((cell) => rankOf(cell) === best.rank % ACTIVE)
  return { segment: best.segment, classes: classesOf(going), reason: total.reason }
}

/**
 * The cell of the newest statistic while results that it covers are kept; null when none has to stay. It alone says that
 * they are counted: without it the next start would count them again.
 */
function anchorOf(segments: readonly SegmentView[], { foldedSeq }: Levels): Cell | null {
  const cells = segments.flatMap((segment) => segment.cells)
  const covers = cells.some(({ recordClass, firstSeq }) => recordClass === 'normal' && firstSeq <= foldedSeq)
  return covers ? (cells.findLast(({ recordClass }) => recordClass === 'stat') ?? null) : null
}

/** The oldest segment with a cell of the least rank; cells with the rank null are passed over. */
function least(
  segments: readonly SegmentView[],
  rankOf: (cell: Cell, isActive: boolean) => number | null,
): { segment: number; cells: readonly Cell[]; rank: number } | null {
  let best: { segment: number; cells: readonly Cell[]; rank: number } | null = null
  for (const [segment, { cells, isActive }] of segments.entries()) {
    for (const cell of cells) {
      const rank = rankOf(cell, isActive)
      if (rank !== null && (best === null || rank < best.rank)) best = { segment, cells, rank }
    }
  }
  return best
}

function standingOf(cell: Cell, levels: Levels): Standing {
  switch (cell.recordClass) {
    case 'normal':
      return isWaiting(cell, levels) ? STANDING.unfolded : STANDING.folded
    case 'sample':
    case 'minute':
    case 'log':
    case 'input':
      return STANDING.detail
    case 'abnormal':
    case 'stat':
    case 'metric':
      return isWaiting(cell, levels) ? STANDING.waiting : STANDING.held
    case 'alert':
    case 'error':
      return isWaiting(cell, levels) ? STANDING.seriousWaiting : STANDING.seriousHeld
    case 'audit':
      return isWaiting(cell, levels) ? STANDING.auditWaiting : STANDING.auditHeld
    case 'ledger':
      return STANDING.ledger
  }
}

/** Neighbours to be made one segment: `count` of them from `first` on. */
export interface Merge {
  readonly first: number
  readonly count: number
}

const MERGE_AT_LEAST = 4
/** A rewritten segment spans at most this part of the shortest age limit in it, or its records would outlive it by more. */
const SPAN_OF_AGE = 4

/** A segment as merging sees it; times on one clock that never goes back, in ms. */
export interface MergeView extends SegmentView {
  readonly begunAtMs: number
  readonly writtenAtMs: number
}

/**
 * A run of small neighbours worth rewriting as one segment, so that aging leaves no crowd of small files; null when there
 * is none. The largest is at most half of the run, so that no byte is rewritten again and again.
 */
export function planMerge(
  segments: readonly MergeView[],
  { segmentBytes, limits }: { segmentBytes: number; limits: ClassLimits },
): Merge | null {
  for (let first = 0; first + MERGE_AT_LEAST <= segments.length; first += 1) {
    let bytes = 0
    let largest = 0
    let maxSpanMs = Number.POSITIVE_INFINITY
    let count = 0
    const begunAtMs = segments[first]?.begunAtMs ?? 0
    for (const segment of segments.slice(first)) {
      for (const { recordClass } of segment.cells) {
        const { maxAgeMs = null } = limits[recordClass] ?? {}
        if (maxAgeMs !== null) maxSpanMs = Math.min(maxSpanMs, maxAgeMs / SPAN_OF_AGE)
      }
      const isOver = bytes + segment.bytes > segmentBytes || segment.writtenAtMs - begunAtMs > maxSpanMs
      if (segment.isActive || isOver) break
      bytes += segment.bytes
      largest = Math.max(largest, segment.bytes)
      count += 1
    }
    if (count >= MERGE_AT_LEAST && largest <= bytes / 2) return { first, count }
  }
  return null
}

/** Whether a target lacks some of it, or, for normal results, a statistic does not cover some of it. */
function isWaiting({ recordClass, lastSeq }: Cell, levels: Levels): boolean {
  switch (recordClass) {
    case 'normal':
      return lastSeq > levels.foldedSeq
    case 'sample':
    case 'minute':
    case 'log':
    case 'input':
      return false
    default:
      return lastSeq > levels.heldSeq(recordClass)
  }
}

function classesOf(cells: readonly Cell[]): ReadonlySet<RecordClass> {
  return new Set(cells.map(({ recordClass }) => recordClass))
}
