import { Box } from 'ink'
import { useCallback } from 'react'
import { showKey } from '../../actions/keymap.ts'
import type { Console } from '../console.ts'
import { formatAge } from '../format.ts'
import { alertLines } from '../panes/alerts.ts'
import { factLines } from '../panes/facts.ts'
import { nodeFacts } from '../panes/node-facts.ts'
import { nodeHeadline } from '../panes/node-headline.ts'
import { stageLines } from '../panes/stages.ts'
import type { Line, Size } from '../terminal/line.ts'
import { ChartPanes } from './chart-panes.tsx'
import { LogTail } from './log-tail.tsx'
import { Pane } from './pane.tsx'

const STAGE_ROWS = 7
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
    (area: Size): Line[] => alertLines(detail()?.alerts ?? [], console.view().asOfMs, look, area, 0),
    [detail, console, look],
  )
  const facts = useCallback(
    (area: Size): Line[] => {
      const found = detail()
      if (found === null) return []
      const lines = factLines(nodeFacts(found, console.nowMs()), look, area.columns)
      return lines.slice(clampScroll(store.get().nodeScroll, lines.length, area.rows))
    },
    [detail, console, look, store],
  )
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
  const below = room - headRows - topRows
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
      <Pane console={console} columns={columns} rows={factRows} title="node" note={factsNote} draw={facts} />
      {chartRows > 0 && <ChartPanes console={console} columns={columns} rows={chartRows} nodeKey={nodeKey} />}
      <LogTail console={console} columns={columns} rows={logRows} nodeKey={nodeKey} />
    </>
  )
}

/** Scrolled as far as was asked, but never past the last line. */
function clampScroll(scroll: number, lines: number, rows: number): number {
  return Math.max(0, Math.min(scroll, lines - rows))
}
