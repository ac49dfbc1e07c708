import type { RecordClass } from '../../protocol/subjects.ts'
import type { LogMatcher } from '../../regex/log-matcher.ts'
import type { KeyRing } from '../store/seal.ts'
import type { PageSize, SearchRequest } from './contract.ts'
import { LogTally } from './log-tally.ts'
import { type PageSteps, SearchRun } from './search-run.ts'

/** Classes that log lines are kept under, those that go up first: there are fewest of them. */
const CLASSES: readonly RecordClass[] = ['error', 'log']

/** Something that is searched page by page. */
export interface Pages {
  /** @see SearchRun.page */
  page(size: PageSize, isTimeUp: () => boolean): PageSteps
}

/** What a request asks for: lines in order, or counts. */
export function pagesOf(request: SearchRequest, matcher: LogMatcher | null, keys: KeyRing): Pages {
  const { stepMs, fromMs } = request
  if (stepMs === null) return new SearchRun({ request, matcher, classes: CLASSES, keys, count: null })
  const tally = new LogTally({ fromMs, stepMs })
  return new TallyRun(request, matcher, keys, tally)
}

/** Counts lines, a class after the other: no order has to be kept between them. */
class TallyRun implements Pages {
  readonly #tally: LogTally
  readonly #runs: SearchRun[]
  #lookedAtBytes = 0

  constructor(request: SearchRequest, matcher: LogMatcher | null, keys: KeyRing, tally: LogTally) {
    this.#tally = tally
    this.#runs = CLASSES.map(
      (one) => new SearchRun({ request, matcher, classes: [one], keys, count: (line) => tally.add(line) }),
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
