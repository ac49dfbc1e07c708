import { useCallback } from 'react'
import { untrusted } from '../../../protocol/untrusted-text.ts'
import type { Console } from '../console.ts'
import { rolloutUnderCursor } from '../handlers/rollouts.ts'
import type { Look } from '../panes/look.ts'
import { rolloutRows } from '../panes/rollout-list.ts'
import type { RolloutBook } from '../rollouts/book.ts'
import type { Line, Size } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import { Pane } from './pane.tsx'

/** What is wrong with the journal as a whole, or how many of its rollouts cannot be read and how it is told why of one. */
function faultLines(book: RolloutBook, { theme }: Look, columns: number): Line[] {
  if (book.fault !== null) return [line(theme).rest(` ${book.fault}`, columns, 'danger').done()]
  const [first, ...others] = book.unread()
  if (first === undefined) return []
  const many = others.length === 0 ? '1 cannot be read' : `${others.length + 1} cannot be read`
  return [
    line(theme)
      .rest(` ${many}; see edgedeck rollout explain ${untrusted(first)}`, columns, 'warning')
      .done(),
  ]
}

/** The rollouts of the fleet, newest first. */
export function RolloutsScreen({
  console,
  columns,
  rows,
}: {
  readonly console: Console
  readonly columns: number
  readonly rows: number
}) {
  const { look } = console.parts
  const { book } = console.rollouts
  const draw = useCallback(
    (area: Size): Line[] => {
      const entries = book.entries()
      const fault = faultLines(book, look, area.columns)
      if (entries.length === 0) {
        if (book.count > 0 && book.unread().length === book.count) return fault
        const nothing = book.count === 0 ? ' nothing was rolled out yet' : ' reading the journal …'
        return [...fault, line(look.theme).add(nothing, 'muted').done()]
      }
      const size = { ...area, rows: area.rows - fault.length }
      const selected = rolloutUnderCursor(console)
      return [...fault, ...rolloutRows(entries, { cursorId: selected?.id ?? null, nowMs: console.nowMs() }, look, size)]
    },
    [console, book, look],
  )
  const note = useCallback((): string => {
    const running = book.running().length
    const all = book.entries().length
    return `${running === 0 ? 'none runs' : `${running} running`}, ${all} in all, enter opens one`
  }, [book])
  return <Pane console={console} columns={columns} rows={rows} title="rollouts" note={note} draw={draw} />
}
