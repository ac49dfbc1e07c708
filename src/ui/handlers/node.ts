import type { ActionHandlers } from '../../actions/run.ts'
import { moveCursor } from '../../fleet/cursor.ts'
import type { Console } from '../console.ts'
import { togglePause } from './fleet.ts'

/** What keys do on a node's screen: up and down go to its neighbours in the table. */
export function nodeHandlers(console: Console): ActionHandlers {
  const { store } = console.parts
  const step = (delta: number) => (): void => {
    const { stack } = store.get()
    const cursor = moveCursor({ key: console.currentKey(), row: 0 }, console.rows(), delta)
    if (cursor.key === null) return
    store.set({ stack: [...stack.slice(0, -1), { name: 'node', key: cursor.key }] })
    store.setFleet({ cursor })
  }
  return {
    'nav.down': step(1),
    'nav.up': step(-1),
    'nav.back': () => store.back(),
    'logs.open': () => {
      const key = console.currentKey()
      if (key !== null) store.open({ name: 'logs', keys: new Set([key]) })
    },
    'view.pause': () => togglePause(console),
  }
}
