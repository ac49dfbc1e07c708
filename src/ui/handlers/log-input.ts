import { parseLogFilter } from '../../fleet/log-filter-text.ts'
import { readPattern } from '../../fleet/log-pattern.ts'
import { parseTime } from '../../fleet/time-text.ts'
import type { Console } from '../console.ts'
import type { Overlay } from '../console-store.ts'
import { goToTime, standOn } from './log-places.ts'

type Find = Extract<Overlay, { name: 'find' }>

/** Begin to type what to look for in logs: to mark it where it stands, or to hide all else. */
export function openFind(console: Console, mode: Find['mode']): void {
  const { store } = console.parts
  const { search, filter } = store.get().logs
  store.set({ overlay: { name: 'find', mode, text: mode === 'search' ? search : filter, fault: null, before: search } })
}

/** The text is another one. What is searched is marked while it is typed; a filter is asked of the nodes when it is whole. */
export function typeFind(console: Console, find: Find, text: string): void {
  const { store } = console.parts
  const fault = faultOf(find.mode, text)
  store.set({ overlay: { ...find, text, fault } })
  if (find.mode === 'search' && fault === null) store.setLogs({ search: text })
}

/** Search with what was typed as a filter, or the other way round. */
export function toggleFind(console: Console, find: Find): void {
  const { store } = console.parts
  const mode = find.mode === 'search' ? 'filter' : 'search'
  store.set({ overlay: { ...find, mode, fault: faultOf(mode, find.text) } })
  store.setLogs({ search: mode === 'search' && faultOf(mode, find.text) === null ? find.text : find.before })
}

/** Keep what was typed, unless it is wrong. */
export function acceptFind(console: Console, find: Find): void {
  const { store } = console.parts
  if (find.fault !== null) return
  store.set({ overlay: null })
  const text = find.text.trim()
  if (find.mode === 'filter') {
    store.setLogs({ filter: text })
    return
  }
  store.setLogs({ search: text })
  const row = console.logs.current()
  if (text === '' || row === null || console.logs.isMatch(row)) return
  const { rows } = console.logs.rows()
  const at = rows.indexOf(row)
  const found =
    rows.slice(0, at).findLast((other) => console.logs.isMatch(other)) ??
    rows.slice(at + 1).find((other) => console.logs.isMatch(other))
  if (found === undefined) console.toast(`no line that is held matches "${text}"; N looks on the nodes`)
  else standOn(console, found)
}

/** Leave it as it was. */
export function cancelFind(console: Console, find: Find): void {
  const { store } = console.parts
  store.set({ overlay: null })
  store.setLogs({ search: find.before })
}

/** Go to a typed time, or show a typed range (`10:00..10:30`, `-2h..`); answers what is wrong with it, null when nothing is. */
export function goToTyped(console: Console, text: string): string | null {
  const nowMs = console.nowMs()
  const { store } = console.parts
  const range = /^(.*?)\.\.(.*)$/.exec(text)
  if (range === null) {
    const parsed = parseTime(text, nowMs)
    if (!parsed.ok) return parsed.message
    if (parsed.atMs > nowMs) return 'that time is yet to come'
    void goToTime(console, parsed.atMs, () => true)
    return null
  }
  const [from, to] = [
    parseTime(range[1] ?? '', nowMs),
    (range[2] ?? '').trim() === '' ? null : parseTime(range[2] ?? '', nowMs),
  ]
  if (!from.ok) return from.message
  if (to !== null && !to.ok) return to.message
  const toMs = to === null || to.atMs >= nowMs ? null : to.atMs
  if (from.atMs > (toMs ?? nowMs)) return 'the range ends before it begins'
  store.setLogs({ range: { kind: 'between', fromMs: from.atMs, toMs }, cursor: null })
  return null
}

function faultOf(mode: Find['mode'], text: string): string | null {
  if (text.trim() === '') return null
  const read = mode === 'search' ? readPattern(text) : parseLogFilter(text)
  return read.ok ? null : read.message
}
