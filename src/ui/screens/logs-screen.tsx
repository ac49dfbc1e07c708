import { useCallback } from 'react'
import type { LogRow } from '../../fleet/view.ts'
import type { Console } from '../console.ts'
import { logLines, nothingYet } from '../panes/log-lines.ts'
import type { Line, Size } from '../terminal/line.ts'
import { Pane } from './pane.tsx'

const NODE_COLUMNS = 14

/** The logs of chosen nodes, following the end or standing on a line. */
export function LogsScreen({
  console,
  size,
  demo,
}: {
  readonly console: Console
  readonly size: Size
  readonly demo: boolean
}) {
  const { store, look } = console.parts
  const draw = useCallback(
    (area: Size): Line[] => {
      const { logs, asOf } = store.get()
      const { rows } = console.logRows()
      if (rows.length === 0)
        return [nothingYet(look, logs.minLevel, asOf === 'now' ? 'now' : 'past', logs.contains.trim())]
      const screen = console.screen()
      const single = screen.name === 'logs' && screen.keys?.size === 1
      const style = {
        columns: area.columns,
        time: logs.time,
        nodeColumns: single ? 0 : NODE_COLUMNS,
        wrap: logs.wrap,
        match: logs.contains.trim(),
        selectedId: logs.cursorId,
      }
      return windowAround(rows, logs.cursorId, area.rows, (row) => logLines(row, style, look))
    },
    [console, store, look],
  )
  const note = useCallback((): string => {
    const { logs, asOf } = store.get()
    const { rows, newer } = console.logRows()
    const parts = [`${logs.minLevel} and above`, `${rows.length} lines`]
    if (logs.contains !== '') parts.push(`with "${logs.contains}"`)
    if (logs.pausedAtId !== null) parts.push(`PAUSED, ${newer} newer`)
    else if (asOf !== 'now') parts.push('up to this time')
    else parts.push(logs.cursorId === null ? 'following' : 'standing, G follows')
    if (logs.time === 'utc') parts.push('UTC')
    return parts.join(', ')
  }, [console, store])
  const rows = size.rows - 3 - (demo ? 1 : 0)
  return <Pane console={console} columns={size.columns} rows={rows} title={titleOf(console)} note={note} draw={draw} />
}

function titleOf(console: Console): string {
  const screen = console.screen()
  const keys = screen.name === 'logs' ? screen.keys : null
  if (keys === null) return 'logs of all nodes'
  return keys.size > 3 ? `logs of ${keys.size} nodes` : `logs of ${[...keys].join(', ')}`
}

/** Lines of the rows that fill the screen and hold the cursor in sight; following shows the end. */
function windowAround(
  rows: readonly LogRow[],
  cursorId: number | null,
  height: number,
  draw: (row: LogRow) => Line[],
): Line[] {
  const at = cursorId === null ? rows.length - 1 : rows.findLastIndex((row) => row.id <= cursorId)
  const below = cursorId === null ? 0 : Math.min(rows.length - 1 - at, Math.floor(height / 2))
  const lines: Line[] = []
  let last = Math.min(rows.length - 1, at + below)
  if (last + 1 < height) last = Math.min(rows.length, height) - 1
  for (let index = last; index >= 0 && lines.length < height; index -= 1) {
    const row = rows[index]
    if (row) lines.unshift(...draw(row))
  }
  return lines.slice(Math.max(0, lines.length - height))
}
