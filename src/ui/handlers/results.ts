import type { ActionHandlers } from '../../actions/run.ts'
import type { ResultView } from '../../fleet/view.ts'
import type { Console } from '../console.ts'

/** Kept results that are asked for when the list is opened. */
const BACKLOG = 300

/** Open the list of a node's results and follow them while it is open. */
export function openResults(console: Console, key: string): void {
  const { store } = console.parts
  store.setResults({ cursorSeq: null })
  store.open({ name: 'results', key })
  follow(console, key)
}

/** What keys do in the list of results; `pageRows` is how many it shows. */
export function resultHandlers(console: Console, pageRows: () => number): ActionHandlers {
  const { store } = console.parts
  const goTo = (row: ResultView | undefined): void => {
    if (row) store.setResults({ cursorSeq: row.seq })
  }
  const move = (delta: () => number) => (): void => {
    const rows = console.resultRows()
    const at = indexOfResult(rows, store.get().results.cursorSeq)
    goTo(rows[Math.max(0, Math.min(rows.length - 1, at + delta()))])
  }
  const half = (): number => Math.max(1, Math.floor(pageRows() / 2))
  return {
    'nav.down': move(() => 1),
    'nav.up': move(() => -1),
    'nav.pageDown': move(half),
    'nav.pageUp': move(() => -half()),
    'nav.top': () => goTo(console.resultRows()[0]),
    'nav.bottom': () => store.setResults({ cursorSeq: null }),
    'nav.enter': () => {
      const rows = console.resultRows()
      const row = rows[indexOfResult(rows, store.get().results.cursorSeq)]
      if (row === undefined) return
      if (row.seq === 0) {
        console.toast('its disk refused to keep this result, and its picture')
        return
      }
      store.open({ name: 'picture', key: row.key, seq: row.seq })
      void console.picture.open(row.key, row.seq)
    },
    'nav.back': () => {
      const screen = console.screen()
      if (screen.name === 'results') console.parts.link(screen.key)?.followResults(null)
      store.back()
    },
    'results.abnormal': () => {
      store.setResults({ abnormalOnly: !store.get().results.abnormalOnly, cursorSeq: null })
      const screen = console.screen()
      if (screen.name === 'results') follow(console, screen.key)
    },
    'view.pause': () => console.head.hold(),
  }
}

/** What keys do while a picture is looked at. */
export function pictureHandlers(console: Console): ActionHandlers {
  return {
    'nav.back': () => {
      console.picture.close()
      console.parts.store.back()
    },
    'picture.save': () => {
      void console.picture.save().then((told) => console.toast(told))
    },
  }
}

/** Place of a row by its sequence, or of what is nearest before it; the newest when nothing is chosen. */
export function indexOfResult(rows: readonly ResultView[], seq: number | null): number {
  if (seq === null) return rows.length - 1
  const exact = rows.findIndex((row) => row.seq === seq)
  return exact >= 0
    ? exact
    : Math.max(
        0,
        rows.findLastIndex((row) => row.seq < seq),
      )
}

function follow(console: Console, key: string): void {
  const { abnormalOnly } = console.parts.store.get().results
  console.parts.link(key)?.followResults({ abnormalOnly, backlog: BACKLOG })
}
