import { LOG_LEVELS } from '../../../protocol/records.ts'
import type { ActionHandlers } from '../../actions/run.ts'
import type { LogRow } from '../../fleet/view.ts'
import type { Console } from '../console.ts'

/** What keys do on the logs screen; `pageRows` is how many lines it shows. */
export function logHandlers(console: Console, pageRows: () => number): ActionHandlers {
  const { store, followLogs } = console.parts
  const goTo = (row: LogRow | undefined): void => {
    if (row) store.setLogs({ cursorId: row.id })
  }
  const move = (delta: number) => (): void => {
    const { rows } = console.logRows()
    const at = indexOf(rows, store.get().logs.cursorId)
    goTo(rows[Math.max(0, Math.min(rows.length - 1, at + delta))])
  }
  const seek = (step: 1 | -1, wanted: (row: LogRow) => boolean) => (): void => {
    const { rows } = console.logRows()
    const { cursorId } = store.get().logs
    for (let at = indexOf(rows, cursorId) + step; at >= 0 && at < rows.length; at += step) {
      const row = rows[at]
      if (row && wanted(row)) {
        goTo(row)
        return
      }
    }
    console.toast(step === 1 ? 'no later line like that' : 'no earlier line like that')
  }
  const isError = (row: LogRow): boolean => row.kind === 'line' && (row.level === 'error' || row.level === 'fatal')
  const isLine = (row: LogRow): boolean => row.kind === 'line'
  const half = (): number => Math.max(1, Math.floor(pageRows() / 2))
  return {
    'nav.down': move(1),
    'nav.up': move(-1),
    'nav.pageDown': () => move(half())(),
    'nav.pageUp': () => move(-half())(),
    'nav.top': () => goTo(console.logRows().rows[0]),
    'nav.bottom': () => store.setLogs({ cursorId: null }),
    'nav.enter': () => {
      const { rows } = console.logRows()
      const row = rows[indexOf(rows, store.get().logs.cursorId)]
      if (row) store.open({ name: 'node', key: row.key })
    },
    'nav.back': () => {
      if (store.get().logs.contains !== '') store.setLogs({ contains: '' })
      else store.back()
    },
    'logs.level': () => {
      const { minLevel } = store.get().logs
      const next = LOG_LEVELS[(LOG_LEVELS.indexOf(minLevel) + 1) % LOG_LEVELS.length] ?? 'info'
      store.setLogs({ minLevel: next })
      followLogs(next === 'debug' ? 'debug' : 'info')
    },
    'logs.wrap': () => store.setLogs({ wrap: !store.get().logs.wrap }),
    'logs.timestamps': () => {
      const next = { local: 'utc', utc: 'off', off: 'local' } as const
      store.setLogs({ time: next[store.get().logs.time] })
    },
    'logs.follow': () => {
      const { rows } = console.logRows()
      const following = store.get().logs.cursorId === null
      store.setLogs({ cursorId: following ? (rows.at(-1)?.id ?? null) : null })
    },
    'view.pause': () => {
      // Of the past nothing new comes: there is only the way back to live.
      if (store.get().replay !== null) {
        console.head.hold()
        return
      }
      const paused = store.get().logs.pausedAtId !== null
      store.setLogs({ pausedAtId: paused ? null : (console.logRows().rows.at(-1)?.id ?? 0) })
    },
    'search.next': seek(1, isLine),
    'search.previous': seek(-1, isLine),
    'logs.nextError': seek(1, isError),
    'logs.previousError': seek(-1, isError),
  }
}

/** Place of a row by its id, or of what is nearest before it; the last row when nothing is chosen. */
function indexOf(rows: readonly LogRow[], id: number | null): number {
  if (id === null) return rows.length - 1
  const exact = rows.findIndex((row) => row.id === id)
  if (exact >= 0) return exact
  return Math.max(
    0,
    rows.findLastIndex((row) => row.id < id),
  )
}
