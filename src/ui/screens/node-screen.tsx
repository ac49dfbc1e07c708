import { Box } from 'ink'
import { useCallback, useSyncExternalStore } from 'react'
import { showKey } from '../../actions/keymap.ts'
import type { Console } from '../console.ts'
import { formatAge } from '../format.ts'
import { alertLines } from '../panes/alerts.ts'
import { factLines } from '../panes/facts.ts'
import { nodeFacts } from '../panes/node-facts.ts'
import { nodeHeadline } from '../panes/node-headline.ts'
import { resultLine } from '../panes/results.ts'
import { stageLines } from '../panes/stages.ts'
import type { Line, Size } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import { ChartPanes } from './chart-panes.tsx'
import { LogTail } from './log-tail.tsx'
import { Pane } from './pane.tsx'

const STAGE_ROWS = 7
/** What is older than this is no result of the time that is looked at. */
const RESULTS_BEFORE_MS = 30_000
const STAGE_COLUMNS = 52

/** One node in depth. What does not fit gives way from the bottom: log, charts, then the last facts. */
export function NodeScreen({
  console,
  size,
  nodeKey,
  demo,
}: {
  readonly console: Console
  readonly size: Size
  readonly nodeKey: string
  readonly demo: boolean
}) {
  const { fleet, look, store, keymap } = console.parts
  const isPast = useSyncExternalStore(store.subscribe, () => store.get().replay !== null)
  const { columns } = size
  const detail = useCallback(
    () => fleet.nodeDetail(nodeKey, store.get().asOf, console.nowMs()),
    [fleet, nodeKey, store, console],
  )
  const headline = useCallback(
    (area: Size): Line[] => {
      const found = detail()
      return found === null ? [] : nodeHeadline(found, look, area)
    },
    [detail, look],
  )
  const stages = useCallback((): Line[] => stageLines(detail()?.stages ?? [], look), [detail, look])
  const alerts = useCallback(
    (area: Size): Line[] => {
      const found = detail()
      const nothing = found?.node.state === 'unknown' ? 'no alert is known of this time' : 'nothing fires'
      return alertLines(found?.alerts ?? [], console.view().asOfMs, look, area, 0, nothing)
    },
    [detail, console, look],
  )
  const facts = useCallback(
    (area: Size): Line[] => {
      const found = detail()
      if (found === null) return []
      const lines = factLines(nodeFacts(found, console.nowMs(), isPast), look, area.columns)
      return lines.slice(clampScroll(store.get().nodeScroll, lines.length, area.rows))
    },
    [detail, console, look, store, isPast],
  )
  const results = useCallback(
    (area: Size): Line[] => {
      const { asOf } = store.get()
      const rows =
        asOf === 'now'
          ? []
          : fleet.results({ key: nodeKey, fromMs: asOf - RESULTS_BEFORE_MS, toMs: asOf, limit: area.rows })
      if (rows.length > 0) return rows.map((row) => resultLine(row, look, area.columns))
      return [line(look.theme).add(' no result is known of the half minute before', 'muted').done()]
    },
    [fleet, store, nodeKey, look],
  )
  const resultsNote = useCallback((): string => {
    const open = keymap.keysOf('results.open').map(showKey)[0]
    return `up to this time${open === undefined ? '' : `, ${open} lists them and opens pictures`}`
  }, [keymap])
  const age = useCallback((): string => {
    const found = detail()
    if (found === null || found.node.state === 'up' || found.node.ageMs === null) return ''
    return `last known, ${formatAge(found.node.ageMs)} ago`
  }, [detail])
  const factsNote = useCallback((): string => {
    const more = keymap.keysOf('nav.pageDown').map(showKey)[0]
    const scrolls = more === undefined ? '' : `${more} scrolls`
    return [age(), scrolls].filter((part) => part !== '').join(', ')
  }, [age, keymap])
  const stagesNote = useCallback((): string => age() || 'last 10 s', [age])
  const room = size.rows - 3 - (demo ? 1 : 0)
  const headRows = 2
  const isRoomy = columns >= STAGE_COLUMNS + 40
  const topRows = Math.min(STAGE_ROWS, Math.max(0, room - headRows))
  // Of the past each result can be looked at; live they would only run through.
  const resultRows = isPast ? resultRowsOf(room - headRows - topRows) : 0
  const below = room - headRows - topRows - resultRows
  const factRows = Math.max(0, Math.min(below, columns >= 150 ? 26 : columns >= 118 ? 30 : 46))
  const logRows = below - factRows >= 12 ? Math.floor((below - factRows) / 2) : Math.max(0, below - factRows)
  const chartRows = below - factRows - logRows
  return (
    <>
      <Pane console={console} columns={columns} rows={headRows} draw={headline} />
      <Box height={topRows}>
        <Pane
          console={console}
          columns={isRoomy ? STAGE_COLUMNS : columns}
          rows={topRows}
          title="inference stages"
          note={stagesNote}
          draw={stages}
        />
        {isRoomy && <Box width={1} />}
        {isRoomy && (
          <Pane console={console} columns={columns - STAGE_COLUMNS - 1} rows={topRows} title="alerts" draw={alerts} />
        )}
      </Box>
      {resultRows > 0 && (
        <Pane console={console} columns={columns} rows={resultRows} title="results" note={resultsNote} draw={results} />
      )}
      <Pane console={console} columns={columns} rows={factRows} title="node" note={factsNote} draw={facts} />
      {chartRows > 0 && <ChartPanes console={console} columns={columns} rows={chartRows} nodeKey={nodeKey} />}
      <LogTail console={console} columns={columns} rows={logRows} nodeKey={nodeKey} />
    </>
  )
}

function resultRowsOf(room: number): number {
  if (room < 7) return 0
  return Math.max(4, Math.min(12, Math.floor(room / 3)))
}

/** Scrolled as far as was asked, but never past the last line. */
function clampScroll(scroll: number, lines: number, rows: number): number {
  return Math.max(0, Math.min(scroll, lines - rows))
}
