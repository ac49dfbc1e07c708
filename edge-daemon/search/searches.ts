import type { RecordClass } from '../../protocol/subjects.ts'
import type { LogMatcher } from '../../regex/log-matcher.ts'
import type { KeyRing } from '../store/seal.ts'
import type { PageSize, SearchRequest } from './contract.ts'
import { LogTally } from './log-tally.ts'
import { type PageSteps, SearchRun } from './search-run.ts'

/** Something that is searched page by page. */
export interface Pages {
  /** @see SearchRun.page */
  page(size: PageSize, isTimeUp: () => boolean): PageSteps
}

/** What a request is carried out with. */
export interface SearchMeans {
  /** Null for every line. */
  readonly matcher: LogMatcher | null
  /** Where lines that pass may be. */
  readonly classes: readonly RecordClass[]
  readonly keys: KeyRing
}

/** What a request asks for: lines in order, or counts. */
export function pagesOf(request: SearchRequest, means: SearchMeans): Pages {
  return request.stepMs === null ? new SearchRun({ ...means, request, count: null }) : new TallyRun(request, means)
}

/** Counts lines, a class after the other: no order has to be kept between them. */
class TallyRun implements Pages {
  readonly #tally: LogTally
  readonly #runs: SearchRun[]
  #lookedAtBytes = 0

  constructor(request: SearchRequest, means: SearchMeans) {
    const tally = new LogTally({ fromMs: request.fromMs, stepMs: request.stepMs ?? 1 })
    this.#tally = tally
    this.#runs = means.classes.map(
      (one) => new SearchRun({ ...means, request, classes: [one], count: (line) => tally.add(line) }),
    )
  }

  *page(size: PageSize, isTimeUp: () => boolean): PageSteps {
    const [run, next] = this.#runs
    if (run === undefined) throw new Error('everything was counted')
    const page = yield* run.page(size, isTimeUp)
    const lookedAtBytes = this.#lookedAtBytes + page.lookedAtBytes
    if (!page.isDone) return { ...page, lookedAtBytes }
    this.#lookedAtBytes = lookedAtBytes
    this.#runs.shift()
    const isDone = next === undefined
    return { ...page, lookedAtBytes, isDone, steps: isDone ? this.#tally.steps() : null }
  }
}
