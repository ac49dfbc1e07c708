import { useCallback } from 'react'
import type { LogLine, LogRow } from '../../fleet/view.ts'
import type { Console } from '../console.ts'
import { logBars } from '../logs/bars.ts'
import { indexAt } from '../logs/choices.ts'
import { barsAcross, histogramLines, histogramRows } from '../panes/log-histogram.ts'
import { type LogStyle, logLines, nothingYet } from '../panes/log-lines.ts'
import { edgeLine, logNote } from '../panes/log-notes.ts'
import { type LogWindow, logWindow } from '../panes/log-window.ts'
import type { Line, Size } from '../terminal/line.ts'
import { widthOf } from '../terminal/text.ts'
import { Pane } from './pane.tsx'

/** Widest column of node names, and the part of the screen that it may take. */
const MOST_NAME_COLUMNS = 24
const NAME_SHARE = 0.2
/** From this width on, times tell thousandths of a second. */
const PRECISE_COLUMNS = 100

/** The logs of chosen nodes: a histogram of what is wrong, and the lines, following the end or standing on one of them. */
export function LogsScreen({
  console,
  size,
  demo,
}: {
  readonly console: Console
  readonly size: Size
  readonly demo: boolean
}) {
  const rows = size.rows - 3 - (demo ? 1 : 0)
  const barRows = histogramRows(size.rows)
  const draw = useCallback(
    (area: Size): Line[] => {
      const height = Math.max(1, area.rows - barRows)
      const seen = logPane(console, { columns: area.columns, rows: height })
      if (barRows === 0) return [...seen.lines]
      const bars = histogramPane(console, { columns: area.columns, rows: barRows }, seen)
      return [...bars, ...seen.lines]
    },
    [console, barRows],
  )
  const note = useCallback((room: number) => logNote(console, room), [console])
  const isPast = useCallback(() => console.logs.isThen(), [console])
  return (
    <Pane
      console={console}
      columns={size.columns}
      rows={rows}
      title={titleOf(console)}
      note={note}
      isPast={isPast}
      draw={draw}
    />
  )
}

/** The lines, and a word at the edge where they end. */
function logPane(console: Console, area: Size): LogWindow {
  const { store, look } = console.parts
  const { logs, asOf } = store.get()
  const { rows } = console.logs.rows()
  const edge = edgeLine(console, area.columns)
  if (rows.length === 0) {
    console.logs.sees(0, -1, area.rows)
    const isReading = asOf === 'now' && console.logs.pages.phase !== 'idle'
    const when = isReading ? 'reading' : asOf === 'now' && !console.logs.isThen() ? 'now' : 'past'
    const empty = nothingYet(look, logs.minLevel, when, logs.filter.trim())
    return { lines: edge === null || isReading ? [empty] : [edge, empty], first: -1, last: -1 }
  }
  const cursor = logs.cursor === null ? null : indexAt(rows, logs.cursor)
  const selectedId = cursor === null ? null : (rows[cursor]?.id ?? null)
  const style = styleOf(console, area.columns, selectedId)
  const window = logWindow(rows, cursor, area.rows, (row) => linesAround(console, row, style))
  console.logs.sees(window.first, window.last, area.rows)
  if (window.first > 0 || edge === null) return window
  // The word stands over the first line: it takes the place of a blank one, or of the last.
  return { ...window, lines: [edge, ...window.lines].slice(0, area.rows) }
}

/** A row, and what is open around it. */
function linesAround(console: Console, row: LogRow, style: LogStyle): Line[] {
  const { look } = console.parts
  const around = console.logs.context.around(row.id)
  if (around === null) return logLines(row, style, look)
  const beside = (other: LogRow): Line[] =>
    logLines(other, { ...style, isContext: true, selectedId: style.selectedId ?? -1 }, look)
  return [...around.before.flatMap(beside), ...logLines(row, style, look), ...around.after.flatMap(beside)]
}

function styleOf(console: Console, columns: number, selectedId: number | null): LogStyle {
  const { store, fleet } = console.parts
  const { logs, asOf } = store.get()
  const keys = console.logs.keys()
  const names = keys === null ? fleet.keys() : [...keys]
  const widest = Math.max(4, ...names.map(widthOf))
  return {
    columns,
    time: logs.time,
    precise: columns >= PRECISE_COLUMNS,
    nowMs: asOf === 'now' ? console.nowMs() : asOf,
    nodeColumns: names.length === 1 ? 0 : Math.min(widest, MOST_NAME_COLUMNS, Math.floor(columns * NAME_SHARE)),
    wrap: logs.wrap,
    search: console.logs.search(),
    selectedId,
    markedId: logs.mark?.id ?? null,
    isUnfolded: (row: LogLine) => logs.toggled.has(row.id) !== logs.allUnfolded,
  }
}

/** Errors and warnings over the chosen range, or over the last hour. */
function histogramPane(console: Console, area: Size, seen: LogWindow): Line[] {
  const { store, look } = console.parts
  const { logs, asOf } = store.get()
  const { rows } = console.logs.rows()
  const nowMs = asOf === 'now' ? console.nowMs() : asOf
  console.logs.barsAcross = barsAcross(area.columns)
  const bars = logBars(console, console.logs.barsAcross)
  const [first, last] = [rows[seen.first], rows[seen.last]]
  const shown = first === undefined || last === undefined ? null : { fromMs: first.atMs, toMs: last.atMs }
  const zone = logs.time === 'utc' ? 'utc' : 'local'
  return histogramLines({ bars, shown, cursorMs: logs.cursor?.atMs ?? null, nowMs, zone }, look, area)
}

function titleOf(console: Console): string {
  const container = console.logs.container()
  if (container !== null) return `log of ${container.place.label} on ${container.key}`
  const keys = console.logs.keys()
  if (keys === null) return 'logs of all nodes'
  return keys.size > 3 ? `logs of ${keys.size} nodes` : `logs of ${[...keys].join(', ')}`
}
