import type { LogFilter } from '../../protocol/log-filter.ts'

/** Which kept log lines are looked for: bounds on sequence are outside, those on time (Unix ms) inside. */
export interface SearchRequest {
  /** Null for every line. */
  readonly filter: LogFilter | null
  readonly fromMs: number
  readonly toMs: number
  readonly afterSeq: number
  readonly beforeSeq: number
  readonly newestFirst: boolean
  /** Count lines by level in steps of so many ms from `fromMs` on, instead of giving them; null to give them. */
  readonly stepMs: number | null
}

/** How much one page may hold. */
export interface PageSize {
  readonly rows: number
  /** Of lines; the first is given whatever its size. */
  readonly bytes: number
}

/** A line that was found. */
export interface FoundRow {
  readonly seq: number
  /** Unix ms. */
  readonly timestamp: number
  /** The whole record as JSON. */
  readonly line: string
}

/** Rows of the range that nobody looked at: a few more may be counted, of blocks that reach over its ends. Times are Unix ms. */
export interface Unseen {
  readonly missed: number
  readonly fromMs: number
  readonly toMs: number
}

/** Rows of the range that nobody can look at, and why. */
export interface SearchGap extends Unseen {
  readonly reason: 'evicted' | 'damaged' | 'sealed'
}

/** Lines of one step of time by level, in the order of `LOG_LEVELS`. */
export interface CountedStep {
  readonly startMs: number
  readonly lines: readonly number[]
}

/** What a search has found since its last page: as much as a page holds, or what a stretch of time was enough for. */
export interface SearchPage {
  /** In the wanted order. */
  readonly rows: readonly FoundRow[]
  readonly gaps: readonly SearchGap[]
  /** Up to this time (from it on, when it goes newest first) everything was looked at, Unix ms. */
  readonly atMs: number
  /** Bytes of lines that were looked at since the search began. */
  readonly lookedAtBytes: number
  /** What of the range was not looked at yet, as it is told when a search is given up; null for nothing. */
  readonly left: Unseen | null
  /** Everything was looked at. */
  readonly isDone: boolean
  /** With the last page of a search that counts: steps with lines, oldest first. */
  readonly steps: readonly CountedStep[] | null
}

/** A search under way. */
export interface LogSearch {
  /**
   * The next page; one at a time.
   * @throws EdgeError `STORE_FAILING` when the log cannot be read now
   */
  next(size: PageSize): Promise<SearchPage>
  /** Nobody wants more; a page that is being made is given up. */
  end(): void
}

/** Looks through the log lines that a node keeps, beside its other work and below it. */
export interface LogSearcher {
  /**
   * Begin a search; nothing is looked at before its first page is asked for.
   * @param by who asks: searches of different askers take turns
   */
  begin(request: SearchRequest, by: number): LogSearch
}
