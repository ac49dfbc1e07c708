import type { PageSize, SearchPage, SearchRequest } from '../../edge-daemon/search/contract.ts'
import { type Pages, pagesOf } from '../../edge-daemon/search/searches.ts'
import type { LogEngine } from '../../edge-daemon/store/engine.ts'
import { placesOf } from '../../edge-daemon/store/places.ts'
import { KeyRing, type StoreKeys } from '../../edge-daemon/store/seal.ts'
import { compileLogFilter } from '../../regex/log-matcher.ts'

/** A request for everything, with changes. */
export function everything(changes: Partial<SearchRequest> = {}): SearchRequest {
  const ends = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, afterSeq: 0, beforeSeq: Number.MAX_SAFE_INTEGER }
  return { filter: null, ...ends, newestFirst: false, stepMs: null, ...changes }
}

/** Begin a search of an engine's log without a thread. */
export function searchOf(request: SearchRequest, keys: StoreKeys | null = null): Pages {
  const compiled = compileLogFilter(request.filter ?? {})
  if (!compiled.ok) throw new Error(compiled.message)
  const matcher = request.filter === null ? null : compiled.matcher
  return pagesOf(request, { matcher, classes: ['error', 'log'], keys: new KeyRing(keys) })
}

/** What happens to the log while it is searched. */
export interface Meanwhile {
  /** Called between two steps; its answer ends the page, as if its time was up. */
  readonly atStep?: () => boolean
}

/** One page of a search. */
export function pageOf(
  pages: Pages,
  engine: LogEngine,
  size: PageSize,
  { atStep = () => false }: Meanwhile = {},
): SearchPage {
  let isUp = false
  const steps = pages.page(size, () => isUp)
  for (let step = steps.next(null); ; ) {
    if (step.done === true) return step.value
    const { value: request } = step
    if (request === null) isUp = atStep()
    step = steps.next(request === null ? null : placesOf(engine.source(), request))
  }
}

/** All pages of a search. */
export function allPages(pages: Pages, engine: LogEngine, size: PageSize, meanwhile: Meanwhile = {}): SearchPage[] {
  const all: SearchPage[] = []
  for (;;) {
    const page = pageOf(pages, engine, size, meanwhile)
    all.push(page)
    if (page.isDone) return all
    if (all.length > 100_000) throw new Error('the search does not end')
  }
}
