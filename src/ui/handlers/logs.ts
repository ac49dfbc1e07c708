import { LOG_LEVELS } from '../../../protocol/records.ts'
import type { ActionHandlers } from '../../actions/run.ts'
import type { Console } from '../console.ts'
import { LOG_SINCE_MS, placeOf } from '../logs/choices.ts'
import { isLetGo } from '../logs/reader.ts'
import { openFind } from './log-input.ts'
import { logMoves } from './log-moves.ts'
import { backToLive, goToTime, standOn } from './log-places.ts'
import { logTakings } from './log-takings.ts'

/** What keys do on the logs screen; `pageRows` is how many lines it shows. */
export function logHandlers(console: Console, pageRows: () => number): ActionHandlers {
  const { store } = console.parts
  return {
    ...logMoves(console, pageRows),
    ...logTakings(console),
    ...rangeHandlers(console),
    'nav.enter': () => {
      const row = console.logs.current()
      if (row === null) return
      if (isLetGo(row)) {
        void goToTime(console, row.atMs, () => true)
        return
      }
      standOn(console, row)
      store.open({ name: 'node', key: row.key })
    },
    'nav.back': () => {
      const { search, filter, range } = store.get().logs
      if (search !== '') store.setLogs({ search: '' })
      else if (filter !== '') store.setLogs({ filter: '' })
      else if (range !== null) store.setLogs({ range: null })
      else if (console.logs.isThen() && store.get().replay === null) backToLive(console)
      else store.back()
    },
    'logs.search': () => openFind(console, 'search'),
    'logs.filter': () => openFind(console, 'filter'),
    'logs.source': () => {
      const row = console.logs.current()
      if (row?.kind !== 'line') return
      const others = store
        .get()
        .logs.filter.split(' ')
        .filter((word) => word !== '' && !word.startsWith('source:'))
      const isSet = others.join(' ') !== store.get().logs.filter.trim()
      store.setLogs({ filter: (isSet ? others : [`source:${row.source}`, ...others]).join(' ') })
    },
    'logs.allNodes': () => {
      const { stack } = store.get()
      const open = console.screen()
      if (open.name !== 'logs') return
      const row = console.logs.current()
      const keys = open.keys !== null ? null : row === null ? null : new Set([row.key])
      if (row !== null && store.get().logs.cursor !== null) standOn(console, row)
      store.set({ stack: [...stack.slice(0, -1), { name: 'logs', keys }] })
    },
    'logs.level': () => {
      const { minLevel } = store.get().logs
      store.setLogs({ minLevel: LOG_LEVELS[(LOG_LEVELS.indexOf(minLevel) + 1) % LOG_LEVELS.length] ?? 'info' })
    },
    'logs.wrap': () => store.setLogs({ wrap: !store.get().logs.wrap }),
    'logs.timestamps': () => {
      const next = { local: 'utc', utc: 'relative', relative: 'off', off: 'local' } as const
      store.setLogs({ time: next[store.get().logs.time] })
    },
    'logs.unfold': () => {
      const row = console.logs.current()
      if (row === null) return
      const toggled = new Set(store.get().logs.toggled)
      if (!toggled.delete(row.id)) toggled.add(row.id)
      // What is unfolded is to be read: it stays where it is.
      store.setLogs({ toggled, cursor: placeOf(row) })
    },
    'logs.unfoldAll': () => store.setLogs({ allUnfolded: !store.get().logs.allUnfolded, toggled: new Set() }),
    'view.pause': () => {
      // Of the past nothing new comes: there is only the way back to live.
      if (store.get().replay !== null) console.head.hold()
      else console.logs.setPaused(!store.get().logs.paused)
    },
  }
}

function rangeHandlers(console: Console): ActionHandlers {
  const { store } = console.parts
  const choose = (spanMs: number | null) => (): void => {
    store.setLogs({ range: spanMs === null ? null : { kind: 'last', spanMs }, cursor: null })
    if (spanMs === null) console.logs.live()
  }
  return Object.fromEntries(Object.entries(LOG_SINCE_MS).map(([action, spanMs]) => [action, choose(spanMs)]))
}
