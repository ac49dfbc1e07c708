import { Box } from 'ink'
import { useCallback, useMemo, useSyncExternalStore } from 'react'
import { settleCursor } from '../../fleet/cursor.ts'
import type { Console } from '../console.ts'
import { layoutFleet } from '../fleet-layout.ts'
import { alertLines } from '../panes/alerts.ts'
import { fleetTable, visibleRows } from '../panes/fleet-table.ts'
import { RowMemo } from '../panes/row-memo.ts'
import type { Size } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import { ChartPanes } from './chart-panes.tsx'
import { LogTail } from './log-tail.tsx'
import { Pane } from './pane.tsx'

/** Every node a row, problems first; latency, bandwidth, alerts and the log below. */
export function FleetScreen({ console, size }: { readonly console: Console; readonly size: Size }) {
  const { fleet, look, store, demo } = console.parts
  const { columns } = size
  const nodeCount = useSyncExternalStore(console.subscribe, () => fleet.keys().length)
  const layout = layoutFleet(size, nodeCount, demo !== null)
  const memo = useMemo(() => new RowMemo(), [])
  const table = useCallback(
    (area: Size) => {
      const { cursor, marked, sort } = store.get().fleet
      const rows = console.rows()
      const table = { rows, cursorKey: settleCursor(cursor, rows).key, marked, sort }
      const lines = fleetTable(table, look, area, memo)
      console.attention.rowsInSight(visibleRows(table, area).map(({ key }) => key))
      if (rows.length > 0) return lines
      // Without a list of nodes they are found on the bus.
      const why = fleet.keys().length === 0 ? 'no node was heard on the bus yet' : 'no node matches the filter'
      return [...lines, line(look.theme).add(`  ${why}`, 'muted').done()]
    },
    [console, store, fleet, look, memo],
  )
  const tableNote = useCallback(() => {
    const { sort, filter, marked } = store.get().fleet
    const shown = console.rows().length
    const parts = [sort === 'problems' ? 'problems first' : `by ${sort}`]
    if (filter !== '') parts.push(`filter "${filter}" shows ${shown} of ${fleet.keys().length}`)
    if (marked.size > 0) parts.push(`${marked.size} marked`)
    return parts.join(', ')
  }, [console, store, fleet])
  const alerts = useCallback(
    (area: Size) => {
      const { alerts, asOfMs, totals } = console.view()
      // Of a time that nobody kept it is not said that nothing fired.
      const nothing = totals.byState.unknown > 0 ? 'no alert is known of this time' : 'nothing fires'
      return alertLines(alerts, asOfMs, look, area, undefined, nothing)
    },
    [console, look],
  )
  const alertColumns = layout.alertColumns === 0 ? columns : layout.alertColumns
  return (
    <>
      <Pane console={console} columns={columns} rows={layout.table} title="nodes" note={tableNote} draw={table} />
      {layout.charts > 0 && <ChartPanes console={console} columns={columns} rows={layout.charts} nodeKey={null} />}
      <Box flexDirection={layout.alertColumns === 0 ? 'column' : 'row'}>
        <Pane console={console} columns={alertColumns} rows={layout.alerts} title="alerts" draw={alerts} />
        {layout.alertColumns > 0 && <Box width={1} />}
        <LogTail
          console={console}
          columns={layout.alertColumns === 0 ? columns : columns - alertColumns - 1}
          rows={layout.logs}
          nodeKey={null}
        />
      </Box>
    </>
  )
}
