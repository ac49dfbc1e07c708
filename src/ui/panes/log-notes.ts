import { showKey } from '../../actions/keymap.ts'
import { spaced } from '../../fleet/gap-text.ts'
import { parseLogFilter } from '../../fleet/log-filter-text.ts'
import { logMatch } from '../../fleet/log-match.ts'
import type { Console } from '../console.ts'
import type { Overlay } from '../console-store.ts'
import { formatAge } from '../format.ts'
import type { LogRange } from '../logs/choices.ts'
import type { Line } from '../terminal/line.ts'
import { truncate, widthOf } from '../terminal/text.ts'
import { line } from '../widgets/line-builder.ts'
import { timeText } from './log-lines.ts'

/** Classes in which nodes keep lines. */
const LOG_CLASSES = ['log', 'error']

/** What stands behind the title of the logs: what matters most first, as much of it as there is room for. */
export function logNote(console: Console, room: number): string {
  const { store } = console.parts
  const { logs, asOf } = store.get()
  const { rows, newer, letGo } = console.logs.rows()
  const parts = [`${logs.minLevel} and above`, `${spaced(rows.length)} lines`]
  if (logs.paused) {
    const lost = letGo > 0 ? ` (${spaced(letGo)} of them let go here)` : ''
    parts.unshift(`PAUSED, ${spaced(newer)} newer${lost}`)
  }
  if (asOf !== 'now') parts.unshift('up to this time')
  else if (console.logs.isThen()) parts.unshift(thenText(console))
  else if (!logs.paused)
    parts.push(logs.cursor === null ? 'following' : `standing, ${keyOf(console, 'nav.bottom')} follows`)
  const silent = asOf === 'now' ? silentNodes(console) : []
  if (silent.length > 0)
    parts.unshift(silent.length === 1 ? `${silent[0]} sends nothing` : `${silent.length} nodes send nothing`)
  if (logs.filter.trim() !== '') parts.push(`filter "${logs.filter.trim()}"`)
  if (logs.search !== '') parts.push(`${spaced(console.logs.matches())} match "${logs.search}"`)
  const range = rangeText(logs.range, console)
  if (range !== '') parts.push(range)
  if (logs.time === 'utc') parts.push('UTC')
  if (logs.mark !== null)
    parts.push(`mark at ${timeText(logs.mark.atMs, { time: zoneOf(console), nowMs: console.nowMs() })}`)
  if (console.logs.seeking !== null) parts.unshift(console.logs.seeking)
  let note = ''
  for (const part of parts) {
    const longer = note === '' ? part : `${note}, ${part}`
    if (widthOf(longer) > room) break
    note = longer
  }
  return note === '' ? truncate(parts[0] ?? '', room) : note
}

/** What there is before the first line that is held; null when nothing is to be said. */
export function edgeLine(console: Console, columns: number): Line | null {
  const { look, store } = console.parts
  if (store.get().replay !== null) return null
  const { pages } = console.logs
  const { rows } = console.logs.rows()
  const rule = look.ascii ? '--- ' : '┄┄┄ '
  const out = line(look.theme)
  const container = console.logs.container()
  const failed =
    container === null ? [...pages.failed.keys()] : [...pages.failed.keys()].map(() => container.place.label)
  if (pages.phase === 'older') {
    const back = pages.lookedBackToMs
    const far =
      back === null ? '' : `, looked back to ${timeText(back, { time: zoneOf(console), nowMs: console.nowMs() })}`
    const { lines, most } = pages.page
    // On a thin link a page takes a while.
    const come = lines === 0 ? '' : `, ${lines} of ${most} came`
    return out
      .rest(
        `${rule}reading older lines from ${container === null ? 'the nodes' : 'its node'}${come}${far} ${look.ascii ? '...' : '…'}`,
        columns,
        'info',
      )
      .done()
  }
  if (failed.length > 0) {
    const [first = ''] = failed
    const names = failed.length === 1 ? first : `${first} and ${failed.length - 1} more nodes`
    return out
      .rest(`${rule}older lines of ${names} are missing: ${[...pages.failed.values()][0] ?? ''}`, columns, 'warning')
      .done()
  }
  if (!pages.isAllOlder || rows.length === 0) return null
  const older = container !== null || letsGo(console) ? 'older lines are no longer kept' : 'no older lines'
  const begins = store.get().logs.range === null ? older : 'the range begins here'
  return out.rest(`${rule}${begins}`, columns, 'muted').done()
}

/** Whether a node of the screen says that it has let lines go. */
function letsGo(console: Console): boolean {
  const { fleet } = console.parts
  return [...(console.logs.keys() ?? fleet.keys())].some((key) => {
    const byClass = fleet.nodeDetail(key, 'now', console.nowMs())?.status?.store.byClass
    return LOG_CLASSES.some((name) => (byClass?.[name]?.evicted ?? 0) > 0)
  })
}

/** What stands behind the text that is typed. */
export function findHint(console: Console, find: Extract<Overlay, { name: 'find' }>): string {
  if (find.fault !== null) return find.fault
  const { rows } = console.logs.rows()
  if (find.mode === 'search') {
    const count = find.text === '' ? '' : `${console.logs.matches()} of ${rows.length} lines; `
    return `${count}enter keeps it, tab hides the rest instead`
  }
  const parsed = parseLogFilter(find.text)
  const passes = parsed.ok ? logMatch(parsed.filter) : null
  const shown = rows.filter((row) => row.kind === 'line' && passes?.(row) === true).length
  const count = find.text.trim() === '' ? '' : `${shown} of ${rows.length} lines here; `
  const enter = console.logs.container() === null ? 'enter asks the nodes' : 'enter hides the rest'
  return `${count}${enter}, tab only marks it; source:NAME field:NAME=VALUE`
}

/** Local time or UTC, whichever the lines are shown in. */
export function zoneOf(console: Console): 'local' | 'utc' {
  return console.parts.store.get().logs.time === 'utc' ? 'utc' : 'local'
}

/** Nodes of the screen that send no lines now, whatever the reason. */
function silentNodes(console: Console): string[] {
  // What a container writes comes from Kubernetes, however its node's daemon is.
  if (console.logs.container() !== null) return []
  const keys = console.logs.keys()
  const nodes = console.view().nodes.filter(({ key }) => keys === null || keys.has(key))
  return nodes.filter(({ state }) => state !== 'up').map(({ name }) => name)
}

function thenText(console: Console): string {
  const { logs } = console.parts.store.get()
  const atMs = logs.cursor?.atMs ?? console.logs.pages.toMs ?? 0
  // The first lines that are kept are gone to before it is known from when they are.
  const time = atMs <= 0 ? 'the first lines' : timeText(atMs, { time: zoneOf(console), nowMs: console.nowMs() })
  return `THEN ${time}, ${keyOf(console, 'replay.live')} is live again`
}

function rangeText(range: LogRange | null, console: Console): string {
  if (range === null) return ''
  if (range.kind === 'last') return `last ${formatAge(range.spanMs).replace(/ 0[smh]$/, '')}`
  const text = (atMs: number): string => timeText(atMs, { time: zoneOf(console), nowMs: console.nowMs() })
  return `${text(range.fromMs)} to ${range.toMs === null ? 'now' : text(range.toMs)}`
}

function keyOf(console: Console, action: 'nav.bottom' | 'replay.live'): string {
  return console.parts.keymap.keysOf(action).map(showKey)[0] ?? 'palette'
}
