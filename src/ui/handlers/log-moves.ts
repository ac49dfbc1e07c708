import type { ActionHandlers } from '../../actions/run.ts'
import type { LogRow } from '../../fleet/view.ts'
import type { Console } from '../console.ts'
import { logBars } from '../logs/bars.ts'
import { indexAt, placeOf } from '../logs/choices.ts'
import { errorsOf, isError, seekLine } from '../logs/finder.ts'
import { isLetGo } from '../logs/reader.ts'
import { backToLive, goToTime, standOn } from './log-places.ts'

/** What moves the cursor through log lines, on what is held and beyond. */
export function logMoves(console: Console, pageRows: () => number): ActionHandlers {
  const { store } = console.parts
  const move = (delta: () => number) => (): void => {
    const { rows } = console.logs.rows()
    const row = rows[Math.max(0, Math.min(rows.length - 1, indexAt(rows, store.get().logs.cursor) + delta()))]
    if (row !== undefined) standOn(console, row)
  }
  const half = (): number => Math.max(1, Math.floor(pageRows() / 2))
  const seeker = new Seeker(console)
  return {
    'nav.down': move(() => 1),
    'nav.up': move(() => -1),
    'nav.pageDown': move(half),
    'nav.pageUp': move(() => -half()),
    'nav.top': () => {
      const { range } = store.get().logs
      const isWhole =
        console.logs.pages.isAllOlder || console.logs.wish().nodes.length === 0 || store.get().replay !== null
      const first = console.logs.rows().rows[0]
      if (isWhole && first !== undefined) standOn(console, first)
      else void goToTime(console, range === null ? 0 : console.logs.wish().fromMs, () => true)
    },
    'nav.bottom': () => backToLive(console),
    'replay.live': () => {
      store.setLogs({ range: null })
      backToLive(console)
      console.head.live()
    },
    'logs.follow': () => {
      if (store.get().logs.cursor !== null || console.logs.isThen()) {
        backToLive(console)
        return
      }
      const row = console.logs.current()
      if (row !== null) standOn(console, row)
    },
    'search.next': () => seeker.match(1),
    'search.previous': () => seeker.match(-1),
    'logs.nextError': () => seeker.error(1),
    'logs.previousError': () => seeker.error(-1),
    'logs.laterBar': () => stepBar(console, 1),
    'logs.earlierBar': () => stepBar(console, -1),
    'logs.mark': () => {
      const row = console.logs.current()
      if (row === null) return
      const isSame = store.get().logs.mark?.id === row.id
      store.setLogs({ mark: isSame ? null : placeOf(row), cursor: placeOf(row) })
    },
    'logs.context': () => {
      const row = console.logs.current()
      const node = console.logs.wish().nodes.find(({ key }) => key === row?.key)
      if (row?.kind !== 'line' || row.seq === 0 || node === undefined) {
        console.toast('what stood around this line cannot be asked of its node')
        return
      }
      standOn(console, row)
      void console.logs.context.widen(row, node, { level: store.get().logs.minLevel })
    },
    'logs.toMark': () => {
      const { mark } = store.get().logs
      if (mark === null) {
        console.toast('no line is marked')
        return
      }
      const { rows } = console.logs.rows()
      const held = rows[indexAt(rows, mark)]
      if (held?.id === mark.id) standOn(console, held)
      else void goToTime(console, mark.atMs, (row) => row.key === mark.key)
    },
  }
}

/** Goes to the next row of a kind: among those that are held, else the nodes are asked for the nearest. */
class Seeker {
  readonly #console: Console
  #abort = new AbortController()

  constructor(console: Console) {
    this.#console = console
  }

  error(direction: 1 | -1): void {
    const { logs } = this.#console
    void this.#seek(direction, isError, errorsOf(logs.filter()), 'error')
  }

  match(direction: 1 | -1): void {
    const { logs } = this.#console
    const pattern = logs.search()
    if (pattern === null) {
      this.#console.toast('nothing is looked for: type it after /')
      return
    }
    const filter = logs.filter()
    // A filter has one pattern: where it has one, only the lines that are held can be looked through for another.
    const asked =
      filter.pattern === undefined
        ? { ...filter, pattern: pattern.text, ...(pattern.ignoreCase ? { ignoreCase: true } : {}) }
        : null
    void this.#seek(direction, (row) => logs.isMatch(row), asked, 'match')
  }

  async #seek(
    direction: 1 | -1,
    isWanted: (row: LogRow) => boolean,
    filter: ReturnType<typeof errorsOf> | null,
    what: 'error' | 'match',
  ): Promise<void> {
    const { logs, parts } = this.#console
    const { cursor } = parts.store.get().logs
    const { rows } = logs.rows()
    this.#abort.abort()
    // Whoever follows the end goes to the newest of them, with either key.
    const step = cursor === null ? -1 : direction
    let hole: LogRow | undefined
    for (let at = indexAt(rows, cursor) + (cursor === null ? 0 : step); at >= 0 && at < rows.length; at += step) {
      const row = rows[at]
      if (row !== undefined && isWanted(row)) {
        standOn(this.#console, row)
        return
      }
      if (row === undefined || !isLetGo(row)) continue
      // Before it lines are missing, and what is looked for may be among them.
      hole = step === 1 ? rows[at - 1] : row
      break
    }
    const none = `no ${step === 1 ? 'later' : 'earlier'} ${what} of ${logs.container() === null ? 'these nodes' : 'this container'}`
    if (filter === null || parts.store.get().replay !== null || (step === 1 && !logs.isThen() && hole === undefined)) {
      this.#console.toast(none)
      return
    }
    this.#abort = new AbortController()
    const { signal } = this.#abort
    logs.setSeeking(`looking for ${step === 1 ? 'a later' : 'an earlier'} ${what}`)
    const edge = hole ?? (step === 1 ? rows.at(-1) : rows[0])
    // The last line of a hole is as old as the row that stands for it.
    const beyond = hole !== undefined && step === -1 ? 0 : step
    const seek = { wish: logs.wish(), filter, fromMs: (edge?.atMs ?? parts.now()) + beyond, direction: step } as const
    const found = await seekLine(seek, parts.now, signal)
    if (!signal.aborted) logs.setSeeking(null)
    // Whoever went on meanwhile is not torn away.
    if (signal.aborted || parts.store.get().logs.cursor !== cursor || this.#console.screen().name !== 'logs') return
    if (found === null) {
      const silent = logs.pages.failed.size
      this.#console.toast(silent === 0 ? none : `${none}; ${silent} of them did not answer`)
      return
    }
    await goToTime(this.#console, found.atMs, (row) => row.key === found.key && isWanted(row))
  }
}

/** Go to the first line of the next bar of the histogram that has errors or warnings. */
function stepBar(console: Console, direction: 1 | -1): void {
  const { store } = console.parts
  const { bars, fromMs, stepMs } = logBars(console, console.logs.barsAcross)
  const atMs = store.get().logs.cursor?.atMs ?? console.nowMs() + stepMs
  let at = Math.floor((atMs - fromMs) / stepMs) + direction
  if (direction === -1) at = Math.min(at, bars.length - 1)
  for (; at >= 0 && at < bars.length; at += direction) {
    const bar = bars[at]
    if (bar === undefined || bar.errors + bar.warns === 0) continue
    const least = bar.errors > 0 ? isError : isWarn
    void goToTime(console, fromMs + at * stepMs, least)
    return
  }
  console.toast(`no ${direction === 1 ? 'later' : 'earlier'} error or warning in the histogram`)
}

function isWarn(row: LogRow): boolean {
  return row.kind === 'line' && (row.level === 'warn' || isError(row))
}
