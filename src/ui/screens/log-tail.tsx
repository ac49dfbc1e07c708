import { useMemo } from 'react'
import type { LogRow } from '../../fleet/view.ts'
import type { Console } from '../console.ts'
import { logLines, nothingYet } from '../panes/log-lines.ts'
import type { Line, Size } from '../terminal/line.ts'
import { Pane } from './pane.tsx'

/** What an operator wants to see in passing; the logs screen shows more or less. */
const TAIL_LEVEL = 'info'

/** The newest log lines of one node, or of all when `nodeKey` is null. */
export function LogTail({
  console,
  columns,
  rows,
  nodeKey,
}: {
  readonly console: Console
  readonly columns: number
  readonly rows: number
  readonly nodeKey: string | null
}) {
  const draw = useMemo(() => {
    // A row never changes, and most of them are still there at the next paint.
    const drawn = new WeakMap<LogRow, { readonly columns: number; readonly lines: readonly Line[] }>()
    return (size: Size) => {
      const { fleet, store, look } = console.parts
      const { asOf } = store.get()
      const found = fleet.logs({
        asOf,
        minLevel: TAIL_LEVEL,
        limit: size.rows,
        ...(nodeKey === null ? {} : { keys: new Set([nodeKey]) }),
      })
      if (found.length === 0) return [nothingYet(look, TAIL_LEVEL, asOf === 'now' ? 'now' : 'past')]
      const style = {
        columns: size.columns,
        time: 'local',
        nodeColumns: nodeKey === null ? 14 : 0,
        wrap: false,
        search: null,
        nowMs: asOf === 'now' ? console.nowMs() : asOf,
        selectedId: null,
      } as const
      return found.flatMap((row) => {
        const before = drawn.get(row)
        if (before?.columns === size.columns) return before.lines
        const lines = logLines(row, style, look)
        drawn.set(row, { columns: size.columns, lines })
        return lines
      })
    }
  }, [console, nodeKey])
  return <Pane console={console} columns={columns} rows={rows} title="log" draw={draw} />
}
