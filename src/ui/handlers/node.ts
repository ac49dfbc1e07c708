import type { ActionHandlers } from '../../actions/run.ts'
import { moveCursor } from '../../fleet/cursor.ts'
import type { Console } from '../console.ts'
import { openLogs } from './log-places.ts'
import { openResults } from './results.ts'

/** Lines that half a page of facts moves. */
const SCROLL_LINES = 8
/** No terminal has fewer rows than need this. */
const MOST_SCROLL_LINES = 48

/** What keys do on a node's screen: up and down go to its neighbours in the table. */
export function nodeHandlers(console: Console): ActionHandlers {
  const { store } = console.parts
  const step = (delta: number) => (): void => {
    const { stack } = store.get()
    const cursor = moveCursor({ key: console.currentKey(), row: 0 }, console.rows(), delta)
    if (cursor.key === null) return
    store.set({ stack: [...stack.slice(0, -1), { name: 'node', key: cursor.key }], nodeScroll: 0 })
    store.setFleet({ cursor })
  }
  const scroll = (direction: 1 | -1) => (): void => {
    store.set({
      nodeScroll: Math.max(0, Math.min(MOST_SCROLL_LINES, store.get().nodeScroll + direction * SCROLL_LINES)),
    })
  }
  return {
    'nav.down': step(1),
    'nav.up': step(-1),
    'nav.pageDown': scroll(1),
    'nav.pageUp': scroll(-1),
    'nav.back': () => store.back(),
    'logs.open': () => {
      const key = console.currentKey()
      if (key !== null) openLogs(console, new Set([key]))
    },
    'results.open': () => {
      const key = console.currentKey()
      if (key !== null) openResults(console, key)
    },
    'view.pause': () => console.head.hold(),
  }
}
