import type { ActionHandlers } from '../../actions/run.ts'
import { nextSort } from '../../fleet/arrange.ts'
import { type Cursor, moveCursor, settleCursor } from '../../fleet/cursor.ts'
import type { Console } from '../console.ts'
import { openLogs } from './log-places.ts'
import { openResults } from './results.ts'

/** Rows keep their order for so long after the cursor moved. */
const HOLD_ORDER_MS = 2000

/** What keys do on the fleet screen; `pageRows` is how many rows its table shows. */
export function fleetHandlers(console: Console, pageRows: () => number): ActionHandlers {
  const { store } = console.parts
  const go = (target: (cursor: Cursor, rows: ReturnType<Console['rows']>) => Cursor) => (): void => {
    const cursor = target(store.get().fleet.cursor, console.rows())
    store.setFleet({ cursor, holdOrderUntilMs: console.nowMs() + HOLD_ORDER_MS })
  }
  const by = (delta: () => number) => go((cursor, rows) => moveCursor(cursor, rows, delta()))
  const half = (): number => Math.max(1, Math.floor(pageRows() / 2))
  return {
    'nav.down': by(() => 1),
    'nav.up': by(() => -1),
    'nav.pageDown': by(half),
    'nav.pageUp': by(() => -half()),
    'nav.top': go((_cursor, rows) => moveCursor({ key: null, row: 0 }, rows, 0)),
    'nav.bottom': go((_cursor, rows) => moveCursor({ key: null, row: rows.length - 1 }, rows, 0)),
    'nav.enter': () => {
      const key = console.currentKey()
      if (key !== null) store.open({ name: 'node', key })
    },
    'nav.back': () => {
      if (store.get().fleet.filter !== '') store.setFleet({ filter: '' })
      else if (store.get().fleet.marked.size > 0) store.setFleet({ marked: new Set() })
      else console.head.live()
    },
    'results.open': () => {
      const key = console.currentKey()
      if (key !== null) openResults(console, key)
    },
    'node.mark': () => {
      const { cursor, marked } = store.get().fleet
      const { key } = settleCursor(cursor, console.rows())
      if (key === null) return
      const next = new Set(marked)
      if (!next.delete(key)) next.add(key)
      store.setFleet({
        marked: next,
        cursor: moveCursor(cursor, console.rows(), 1),
        holdOrderUntilMs: console.nowMs() + HOLD_ORDER_MS,
      })
    },
    'logs.open': () => {
      const { marked } = store.get().fleet
      const key = console.currentKey()
      const keys = marked.size > 0 ? marked : key === null ? null : new Set([key])
      openLogs(console, keys)
    },
    'view.sort': () => {
      const sort = nextSort(store.get().fleet.sort)
      store.setFleet({ sort, holdOrderUntilMs: 0 })
    },
    'view.pause': () => console.head.hold(),
  }
}
