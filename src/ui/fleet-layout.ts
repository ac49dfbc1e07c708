import type { Size } from './terminal/line.ts'

/** Smallest terminal that shows anything worth reading. */
export const SMALLEST: Size = { columns: 60, rows: 15 }

/** Heights of the fleet screen's parts in rows, the ruled title of a pane included; 0 = not shown. */
export interface FleetLayout {
  readonly table: number
  readonly charts: number
  readonly alerts: number
  readonly logs: number
  /** Alerts and logs stand side by side, alerts this wide; 0 = one above the other. */
  readonly alertColumns: number
}

const HEADER_ROWS = 2
const FOOTER_ROWS = 1
const WIDE_COLUMNS = 140

/**
 * Share the rows of a terminal: the table first gets what its nodes need, up to half of the room, then charts, alerts and logs,
 * and what is left over goes to the logs and the table.
 */
export function layoutFleet(size: Size, nodeCount: number, demo: boolean): FleetLayout {
  const room = size.rows - HEADER_ROWS - FOOTER_ROWS - (demo ? 1 : 0)
  const isWide = size.columns >= WIDE_COLUMNS
  const charts = room >= 17 ? Math.min(16, Math.max(6, Math.floor(room * 0.32))) : 0
  const least = isWide ? 4 : 7
  const table = Math.max(4, Math.min(nodeCount + 2, Math.max(5, room - charts - least - Math.floor(room * 0.12))))
  const rest = Math.max(0, room - table - charts)
  if (isWide) return { table, charts, alerts: rest, logs: rest, alertColumns: Math.floor(size.columns * 0.4) }
  const alerts = Math.min(rest, Math.max(3, Math.min(8, Math.floor(rest * 0.35))))
  return { table, charts, alerts, logs: rest - alerts, alertColumns: 0 }
}
