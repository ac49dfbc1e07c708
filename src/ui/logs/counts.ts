import type { LogFilter } from '../../../protocol/log-filter.ts'
import { isAtLeast } from '../../../protocol/log-filter.ts'
import { LOG_LEVELS } from '../../../protocol/records.ts'
import type { LogRow } from '../../fleet/view.ts'
import type { SearchedNode } from '../../link/log-search-contract.ts'
import { tallyLogs } from '../../link/log-tally.ts'
import type { BarsState, LogBar, LogBars } from '../panes/log-histogram.ts'

/** What is counted. */
export interface CountsWish {
  readonly nodes: readonly SearchedNode[]
  readonly filter: LogFilter
  /** First and last time, Unix ms on our clock; the first is where a step begins. */
  readonly fromMs: number
  readonly toMs: number
  readonly stepMs: number
  /** Whether the range ends now and goes on. */
  readonly isLive: boolean
}

/** A count is asked for anew after so long, and no more often than ten times what the last one took, ms. */
const AGAIN_MS = 15_000
const ERROR = LOG_LEVELS.indexOf('error')
const WARN = LOG_LEVELS.indexOf('warn')

interface Counted {
  readonly mark: string
  readonly bars: readonly LogBar[]
  readonly fromMs: number
  readonly knownFromMs: number
  /** What is from later is counted here. */
  readonly untilMs: number
  /** Whether warnings are counted too. */
  readonly hasWarns: boolean
}

/**
 * Errors and warnings over time for the histogram: counted by the nodes now and then, and here of what came since. Errors are
 * counted first, for nodes know where they are; warnings take a look at every line.
 */
export class LogCounts {
  readonly #changed: () => void
  readonly #now: () => number
  #counted: Counted | null = null
  #asked: { readonly mark: string; readonly atMs: number; readonly abort: AbortController } | null = null
  #againMs = 0
  /** What no node counted when it was last asked. */
  #uncounted: string | null = null

  constructor(parts: { readonly changed: () => void; readonly now: () => number }) {
    this.#changed = parts.changed
    this.#now = parts.now
  }

  /** What is known now of a wish; asks the nodes where it is not, or not any more. `rows` are those that came live. */
  bars(wish: CountsWish, rows: readonly LogRow[]): LogBars {
    const mark = JSON.stringify([
      wish.nodes.map(({ key }) => key),
      wish.filter,
      wish.stepMs,
      wish.isLive || wish.fromMs,
    ])
    if (this.#asked?.mark !== mark) void this.#ask(mark, wish)
    else if (wish.isLive && this.#now() >= this.#againMs) void this.#ask(mark, wish)
    const bars = emptyBars(wish)
    const counted = this.#counted?.mark === mark ? this.#counted : null
    const shift = counted === null ? 0 : Math.round((counted.fromMs - wish.fromMs) / wish.stepMs)
    for (const [at, bar] of (counted?.bars ?? []).entries()) {
      const to = bars[at + shift]
      if (to !== undefined) Object.assign(to, bar)
    }
    const untilMs = counted?.untilMs ?? wish.fromMs
    addRows(bars, rows, wish, untilMs)
    const heldFromMs = rows[0]?.atMs ?? null
    const { fromMs, stepMs } = wish
    return { fromMs, stepMs, bars, knownFromMs: counted?.knownFromMs ?? heldFromMs, ...this.#states(mark, wish) }
  }

  /** Stop counting. */
  stop(): void {
    this.#asked?.abort.abort()
    this.#asked = null
    this.#counted = null
  }

  #states(mark: string, { filter }: CountsWish): Pick<LogBars, 'errorsAre' | 'warnsAre'> {
    const counted = this.#counted?.mark === mark ? this.#counted : null
    const missing: BarsState = this.#uncounted === mark ? 'not counted' : 'counting'
    const warnsAre: BarsState = counted?.hasWarns === true ? 'counted' : missing
    return {
      errorsAre: counted === null ? missing : 'counted',
      warnsAre: isAtLeast(filter.level ?? 'debug', 'error') ? 'left out' : warnsAre,
    }
  }

  async #ask(mark: string, wish: CountsWish): Promise<void> {
    this.#asked?.abort.abort()
    const abort = new AbortController()
    const beganMs = this.#now()
    this.#asked = { mark, atMs: beganMs, abort }
    this.#againMs = Number.POSITIVE_INFINITY
    const level = wish.filter.level ?? 'debug'
    const levels = isAtLeast(level, 'error') ? [level] : (['error', 'warn'] as const)
    for (const least of levels) {
      const filter = { ...wish.filter, level: least }
      const { fromMs, stepMs } = wish
      const untilMs = Math.min(wish.toMs, this.#now())
      const tally = await tallyLogs(wish.nodes, { fromMs, toMs: wish.toMs, stepMs, filter }, abort.signal)
      if (abort.signal.aborted) return
      const before = this.#counted?.mark === mark ? this.#counted : null
      const bars = tally.steps.map(({ lines, startMs }) => ({
        errors: (lines[ERROR] ?? 0) + (lines[ERROR + 1] ?? 0),
        // Until the warnings are counted too, those of the last time stand.
        warns: least === 'error' ? warnsAt(before, startMs, stepMs) : (lines[WARN] ?? 0),
      }))
      if (tally.failures.size < wish.nodes.length) {
        const hasWarns = least !== 'error' || before?.hasWarns === true
        this.#counted = { mark, bars, fromMs, knownFromMs: tally.knownFromMs, untilMs, hasWarns }
        this.#uncounted = null
      } else this.#uncounted = mark
      this.#changed()
    }
    const tookMs = this.#now() - beganMs
    this.#againMs = this.#now() + Math.max(AGAIN_MS, 10 * tookMs)
  }
}

type CountedRange = Pick<CountsWish, 'fromMs' | 'toMs' | 'stepMs'>
type CountingBar = { errors: number; warns: number }

/** Errors and warnings of rows that are held, where nobody counts what is not. */
export function barsOfRows(rows: readonly LogRow[], range: CountedRange): LogBars {
  const bars = emptyBars(range)
  addRows(bars, rows, range, range.fromMs - 1)
  const { fromMs, stepMs } = range
  return { fromMs, stepMs, bars, knownFromMs: rows[0]?.atMs ?? null, errorsAre: 'counted', warnsAre: 'counted' }
}

function emptyBars({ fromMs, toMs, stepMs }: CountedRange): CountingBar[] {
  return Array.from({ length: Math.max(1, Math.round((toMs - fromMs) / stepMs)) }, () => ({ errors: 0, warns: 0 }))
}

/** Count the rows behind a time; rows rise in time. */
function addRows(bars: CountingBar[], rows: readonly LogRow[], { fromMs, stepMs }: CountedRange, untilMs: number) {
  for (let at = rows.length - 1; at >= 0; at -= 1) {
    const row = rows[at]
    if (row === undefined || row.atMs <= untilMs) break
    const bar = bars[Math.floor((row.atMs - fromMs) / stepMs)]
    if (row.kind !== 'line' || bar === undefined || !isAtLeast(row.level, 'warn')) continue
    if (isAtLeast(row.level, 'error')) bar.errors += 1
    else bar.warns += 1
  }
}

function warnsAt(before: Counted | null, startMs: number, stepMs: number): number {
  return before?.bars[Math.round((startMs - before.fromMs) / stepMs)]?.warns ?? 0
}
