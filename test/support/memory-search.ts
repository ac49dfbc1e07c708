import type { LiveRow } from '../../edge-daemon/live/contract.ts'
import type { LogSearch, LogSearcher, PageSize, SearchPage, SearchRequest } from '../../edge-daemon/search/contract.ts'
import { LogTally } from '../../edge-daemon/search/log-tally.ts'
import { compileLogFilter } from '../../regex/log-matcher.ts'

/** Searches rows in memory, with the contract of the searcher; a test sees what was begun and may hold pages back. */
export class MemorySearch implements LogSearcher {
  readonly begun: SearchRequest[] = []
  readonly ended: SearchRequest[] = []
  /** Called before each page. */
  beforePage: () => Promise<void> = () => Promise.resolve()
  readonly #rows: () => readonly LiveRow[]

  constructor(rows: () => readonly LiveRow[]) {
    this.#rows = rows
  }

  begin(request: SearchRequest): LogSearch {
    this.begun.push(request)
    let at = 0
    let found: readonly LiveRow[] = []
    return {
      next: async (size: PageSize): Promise<SearchPage> => {
        await this.beforePage()
        if (at === 0) found = this.#found(request)
        const rows = request.stepMs === null ? found.slice(at, at + size.rows) : []
        at += rows.length
        const isDone = request.stepMs !== null || at >= found.length
        const atMs = found[at - 1]?.timestamp ?? request.fromMs
        return { rows, gaps: [], atMs, lookedAtBytes: 0, left: null, isDone, steps: this.#steps(request, found) }
      },
      end: () => void this.ended.push(request),
    }
  }

  #steps({ fromMs, stepMs }: SearchRequest, found: readonly LiveRow[]): SearchPage['steps'] {
    if (stepMs === null) return null
    const tally = new LogTally({ fromMs, stepMs })
    for (const { timestamp, line } of found) tally.add({ timestamp, level: JSON.parse(line).level })
    return tally.steps()
  }

  #found({ filter, fromMs, toMs, afterSeq, beforeSeq, newestFirst }: SearchRequest): LiveRow[] {
    const compiled = compileLogFilter(filter ?? {})
    if (!compiled.ok) throw new Error(compiled.message)
    const found = this.#rows().filter(
      ({ seq, timestamp, line }) =>
        seq > afterSeq &&
        seq < beforeSeq &&
        timestamp >= fromMs &&
        timestamp <= toMs &&
        compiled.matcher.matches(JSON.parse(line)),
    )
    return newestFirst ? found.reverse() : found
  }
}
