import type { ActionHandlers } from '../../actions/run.ts'
import type { Console } from '../console.ts'
import { openExecLine } from '../exec/exec-line.ts'
import { type ExecRow, rowUnderCursor } from '../exec/exec-run.ts'

/** What keys do wherever a command can be run on nodes from. */
export function execOpeners(console: Console): ActionHandlers {
  const { store } = console.parts
  return {
    'exec.open': () => {
      const { marked } = store.get().fleet
      const key = console.currentKey()
      const isOnFleet = console.screen().name === 'fleet'
      const keys = isOnFleet && marked.size > 0 ? [...marked] : key === null ? [] : [key]
      if (console.exec.run?.isOver === false) store.open({ name: 'exec' })
      else openExecLine(console, keys)
    },
    'exec.show': () => {
      if (console.exec.run === null) console.toast('no command was run on nodes yet')
      else store.open({ name: 'exec' })
    },
  }
}

/** What keys do while a command's outcomes are looked at; `pageRows` is how many rows the screen has. */
export function execHandlers(console: Console, pageRows: () => number): ActionHandlers {
  const { store } = console.parts
  const rows = (): readonly ExecRow[] => console.exec.run?.rows() ?? []
  const lineCount = (): number => {
    const row = rowUnderCursor(rows(), store.get().exec.cursorId)
    return row === null ? 0 : (console.exec.run?.output(row).length ?? 0)
  }
  const scroll = (lines: number): void => {
    store.setExec({ scroll: Math.max(0, Math.min(lineCount() - 1, store.get().exec.scroll + lines)) })
  }
  const move = (delta: number): void => {
    if (store.get().exec.isWide) scroll(delta)
    else {
      const all = rows()
      const at = all.findIndex(({ id }) => id === rowUnderCursor(all, store.get().exec.cursorId)?.id)
      const next = all[Math.max(0, Math.min(all.length - 1, at + delta))]
      if (next !== undefined) store.setExec({ cursorId: next.id, scroll: 0 })
    }
  }
  const half = (): number => Math.max(1, Math.floor(pageRows() / 2))
  return {
    'nav.down': () => move(1),
    'nav.up': () => move(-1),
    'nav.pageDown': () => scroll(half()),
    'nav.pageUp': () => scroll(-half()),
    'nav.top': () => (store.get().exec.isWide ? scroll(-Number.MAX_SAFE_INTEGER) : move(-rows().length)),
    'nav.bottom': () => (store.get().exec.isWide ? scroll(lineCount()) : move(rows().length)),
    'nav.enter': () => store.setExec({ isWide: !store.get().exec.isWide }),
    'nav.back': () => {
      if (store.get().exec.isWide) store.setExec({ isWide: false })
      else store.back()
    },
    'exec.open': () => {
      const { run } = console.exec
      if (run?.isOver === false) console.toast('it is still running')
      else
        openExecLine(
          console,
          (run?.nodes ?? []).map(({ key }) => key),
          run?.command,
        )
    },
    'exec.stop': () => console.exec.stop(),
  }
}
