import { useCallback } from 'react'
import type { Console } from '../console.ts'
import { rolloutUnderCursor } from '../handlers/rollouts.ts'
import { rolloutRows } from '../panes/rollout-list.ts'
import type { Line, Size } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import { Pane } from './pane.tsx'

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
      const fault = book.fault === null ? [] : [line(look.theme).rest(` ${book.fault}`, area.columns, 'danger').done()]
      if (entries.length === 0) {
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
