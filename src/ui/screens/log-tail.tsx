import { useCallback } from 'react'
import type { Console } from '../console.ts'
import { logLines } from '../panes/log-lines.ts'
import type { Size } from '../terminal/line.ts'
import { Pane } from './pane.tsx'

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
  const draw = useCallback(
    (size: Size) => {
      const { fleet, store, look } = console.parts
      const { asOf, logs } = store.get()
      const found = fleet.logs({
        asOf,
        minLevel: logs.minLevel,
        limit: size.rows,
        ...(nodeKey === null ? {} : { keys: new Set([nodeKey]) }),
      })
      const style = {
        columns: size.columns,
        time: 'local',
        nodeColumns: nodeKey === null ? 14 : 0,
        wrap: false,
        match: '',
        selectedId: null,
      } as const
      return found.flatMap((row) => logLines(row, style, look))
    },
    [console, nodeKey],
  )
  return <Pane console={console} columns={columns} rows={rows} title="log" draw={draw} />
}
