import type { RecordClass } from '../../protocol/subjects.ts'
import type { LogMatcher } from '../../regex/log-matcher.ts'
import { FrameTable } from '../store/frame-table.ts'
import type { PlacedSegment, Places, PlacesRequest } from '../store/places-contract.ts'
import type { KeyRing } from '../store/seal.ts'
import type { PageSize, SearchPage, SearchRequest } from './contract.ts'
import { type FoundLine, LineSearch } from './line-search.ts'
import { PageBuilder } from './page-builder.ts'
import { PlacesSeen } from './places-seen.ts'
import { SegmentBytes } from './segment-bytes.ts'
import { SegmentSearch } from './segment-search.ts'

/** A page in the making: it asks where the log lies now, or pauses with null. */
export type PageSteps = Generator<PlacesRequest | null, SearchPage, Places | null>

/** What is looked for and in which classes, and what becomes of it. */
export interface SearchTask {
  readonly request: SearchRequest
  /** Null for every line. */
  readonly matcher: LogMatcher | null
  readonly classes: readonly RecordClass[]
  readonly keys: KeyRing
  /** Gets each line instead of its being given as a row; then there must be one class only. Null to give rows. */
  readonly count: ((line: FoundLine) => void) | null
}

/**
 * One search of the kept log lines, page by page. Between pages it holds nothing but where it is: the log may be written,
 * evicted and rewritten meanwhile, and what went before it was looked at is told as a gap.
 */
export class SearchRun {
  readonly #task: SearchTask
  readonly #lines: LineSearch
  readonly #seen = new PlacesSeen()
  /** Extents, by class and first sequence, of which a gap was told: one may be looked at again for the next page. */
  readonly #told = new Set<string>()
  #afterSeq: number
  #beforeSeq: number
  #isBounded = false
  #lookedAtBytes = 0
  #atMs: number

  constructor(task: SearchTask) {
    const { fromMs, toMs, afterSeq, beforeSeq, newestFirst } = task.request
    this.#task = task
    this.#lines = new LineSearch(task.matcher)
    this.#afterSeq = afterSeq
    this.#beforeSeq = beforeSeq
    this.#atMs = newestFirst ? toMs : fromMs
  }

  /**
   * Make a page, an extent a step.
   * @param isTimeUp asked after each step: whether the page is to be given as it is
   * @throws EdgeError `STORE_FAILING` when the log cannot be read now
   */
  *page(size: PageSize, isTimeUp: () => boolean): PageSteps {
    const page = new PageBuilder(size)
    /** A file that is gone while the log says that it is there: it is looked up once more. */
    let lost: string | null = null
    for (;;) {
      const places = yield this.#placesRequest()
      if (places === null) throw new Error('places were asked for and not given')
      this.#bound(places)
      page.addGaps(this.#seen.compare(places.segments))
      let isStale = false
      for (const segment of places.segments) {
        if (page.isFull) return this.#give(page, false)
        const tables = tablesOf(segment)
        const bytes = tables === null ? null : SegmentBytes.open(segment.path, this.#task.request.newestFirst)
        if (tables !== null && bytes === null && lost === segment.path) {
          for (const { records: missed, minTime, maxTime } of segment.classes) {
            page.addGaps([{ reason: 'damaged', missed, fromMs: minTime, toMs: maxTime }])
          }
          this.#pass(segment, tables)
          continue
        }
        if (tables === null || bytes === null) {
          lost = tables === null ? null : segment.path
          isStale = true
          break
        }
        const isWhole = yield* this.#segment(segment, { tables, bytes, page, isTimeUp })
        if (!isWhole) return this.#give(page, false)
      }
      if (!isStale) return this.#give(page, true)
    }
  }

  /** Look through a segment; false when the page is to be given before its end. */
  *#segment(
    segment: PlacedSegment,
    { tables, bytes, page, isTimeUp }: SegmentWork,
  ): Generator<null, boolean, Places | null> {
    const { newestFirst, fromMs, toMs } = this.#task.request
    const range = { afterSeq: this.#afterSeq, beforeSeq: this.#beforeSeq, fromMs, toMs }
    const { keys, count } = this.#task
    const told = this.#told
    const search = new SegmentSearch({ bytes, tables, keys, lines: this.#lines, range, newestFirst, count, told })
    try {
      for (;;) {
        for (let row = search.head; row !== null && page.take(row); row = search.head) search.drop()
        if (search.isDone) break
        if (page.isFull || search.head !== null || (this.#isPast(search.position) && isTimeUp())) {
          this.#stopAt(segment, tables, search.position)
          return false
        }
        search.step()
        yield null
      }
      this.#pass(segment, tables)
      return true
    } finally {
      bytes.close()
      page.addGaps(search.takeGaps())
      this.#lookedAtBytes += search.lookedAtBytes
      this.#atMs = search.atMs ?? this.#atMs
    }
  }

  /** Whether a page that stops here has moved on: one that did not would be made for ever. */
  #isPast(position: number): boolean {
    return this.#task.request.newestFirst ? position < this.#beforeSeq : position > this.#afterSeq
  }

  /** Go on behind a whole segment. */
  #pass({ path }: PlacedSegment, tables: ReadonlyMap<RecordClass, FrameTable>): void {
    for (const [recordClass, table] of tables) {
      const [first, last] = [table.at(0), table.at(table.length - 1)]
      if (this.#task.request.newestFirst) this.#beforeSeq = Math.min(this.#beforeSeq, first.firstSeq)
      else this.#afterSeq = Math.max(this.#afterSeq, Math.min(last.lastSeq, this.#beforeSeq - 1))
      this.#seen.left(path, recordClass, null)
    }
  }

  /** Go on within a segment. */
  #stopAt({ path }: PlacedSegment, tables: ReadonlyMap<RecordClass, FrameTable>, position: number): void {
    if (this.#task.request.newestFirst) this.#beforeSeq = position
    else this.#afterSeq = position
    for (const [recordClass, table] of tables) {
      const { positions, ...rest } = table.within(this.#range())
      this.#seen.left(path, recordClass, positions.length === 0 ? null : rest)
    }
  }

  #range(): Pick<PlacesRequest, 'afterSeq' | 'beforeSeq' | 'fromMs' | 'toMs'> {
    const { fromMs, toMs } = this.#task.request
    return { afterSeq: this.#afterSeq, beforeSeq: this.#beforeSeq, fromMs, toMs }
  }

  #placesRequest(): PlacesRequest {
    return { ...this.#range(), classes: this.#task.classes, newestFirst: this.#task.request.newestFirst }
  }

  /** What is committed after a search has begun is not part of it. */
  #bound({ lastSeq }: Places): void {
    if (!this.#isBounded) this.#beforeSeq = Math.min(this.#beforeSeq, lastSeq + 1)
    this.#isBounded = true
  }

  #give({ rows, gaps }: PageBuilder, isDone: boolean): SearchPage {
    const { fromMs, toMs } = this.#task.request
    const atMs = Math.min(Math.max(this.#atMs, fromMs), toMs)
    const left = isDone ? null : this.#seen.unseen
    return { rows, gaps, atMs, lookedAtBytes: this.#lookedAtBytes, left, isDone, steps: null }
  }
}

interface SegmentWork {
  readonly tables: ReadonlyMap<RecordClass, FrameTable>
  readonly bytes: SegmentBytes
  readonly page: PageBuilder
  readonly isTimeUp: () => boolean
}

/** The extents of a segment by class; null where the answer had no room for them. */
function tablesOf({ classes }: PlacedSegment): Map<RecordClass, FrameTable> | null {
  const tables = new Map<RecordClass, FrameTable>()
  for (const { class: recordClass, rows } of classes) {
    if (rows === null) return null
    tables.set(recordClass, FrameTable.of(rows, 0))
  }
  return tables
}
