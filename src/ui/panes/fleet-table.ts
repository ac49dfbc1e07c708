import type { NodeSort } from '../../fleet/arrange.ts'
import { currentFigure } from '../../fleet/current-figure.ts'
import type { NodeView } from '../../fleet/view.ts'
import {
  formatAge,
  formatByteRate,
  formatCount,
  formatMs,
  formatPct,
  formatRate,
  formatSaved,
  UNKNOWN,
} from '../format.ts'
import type { Line, Size } from '../terminal/line.ts'
import { widthOf } from '../terminal/text.ts'
import type { Token } from '../theme.ts'
import { headerLine, placeColumns, rowLine, type TableColumn } from '../widgets/table.ts'
import { type Look, stateMark } from './look.ts'
import { RowMemo } from './row-memo.ts'

/** How the table of nodes is read. */
export interface FleetTable {
  readonly rows: readonly NodeView[]
  readonly cursorKey: string | null
  readonly marked: ReadonlySet<string>
  readonly sort: NodeSort
}

/** Column that a sort is by, and whether its largest value comes first. */
const SORTED: Partial<Record<NodeSort, { readonly id: string; readonly descending: boolean }>> = {
  name: { id: 'name', descending: false },
  site: { id: 'site', descending: false },
  state: { id: 'state', descending: true },
  cpu: { id: 'cpu', descending: true },
  memory: { id: 'mem', descending: true },
  rate: { id: 'rate', descending: true },
  p99: { id: 'p99', descending: true },
  raw: { id: 'raw', descending: true },
  up: { id: 'up', descending: true },
  saved: { id: 'saved', descending: false },
  backlog: { id: 'backlog', descending: true },
  age: { id: 'age', descending: true },
}

/**
 * The table of nodes: a heading and the rows around the cursor. Columns that do not fit are hidden whole. Of a node that is
 * stale or offline the figures of the moment are not known; what it told last of its backlog and model stands, with its age. Give it the same
 * `memo` at every paint, and rows that look as before are the same lines.
 */
export function fleetTable(table: FleetTable, look: Look, size: Size, memo = new RowMemo()): Line[] {
  const how = { theme: look.theme, ascii: look.ascii, columns: size.columns }
  const placed = placeColumns(
    columnsFor(
      widthsOf(table.rows),
      look,
      table.rows.some((row) => row.insecure || row.route === 'nats'),
    ),
    size.columns,
  )
  const shape = placed.map(({ column, columns }) => `${column.id} ${columns}`).join()
  const rows = visibleRows(table, size).map((node) => {
    const over: Token | null = node.state === 'stale' ? 'stale' : node.state === 'offline' ? 'offline' : null
    const selected = node.key === table.cursorKey
    const marked = table.marked.has(node.key)
    return memo.line(node, [look, size.columns, shape, selected, marked], () =>
      rowLine(placed, node, how, { selected, marked, ...(over === null ? {} : { over }) }),
    )
  })
  memo.end()
  return [headerLine(placed, how, SORTED[table.sort]), ...rows]
}

/** The rows that are in sight, around the cursor. */
export function visibleRows(
  { rows, cursorKey }: Pick<FleetTable, 'rows' | 'cursorKey'>,
  size: Size,
): readonly NodeView[] {
  const visible = Math.max(0, size.rows - 1)
  const cursorRow = Math.max(
    0,
    rows.findIndex((row) => row.key === cursorKey),
  )
  const first = firstRow(cursorRow, visible, rows.length)
  return rows.slice(first, first + visible)
}

/** First row shown so that the cursor is in sight, with room on both sides where there is. */
export function firstRow(cursorRow: number, visible: number, count: number): number {
  return Math.max(0, Math.min(cursorRow - Math.floor(visible / 2), count - visible))
}

/** Columns of the widest name, site and model. */
interface Widths {
  readonly name: number
  readonly site: number
  readonly model: number
  /** 0 while nobody else is at any node: then there is no such column. */
  readonly others: number
  /** 0 while no node tells of a change: then there is no such column. */
  readonly change: number
}

function widthsOf(rows: readonly NodeView[]): Widths {
  return {
    name: widest(rows.map((row) => row.name)),
    // Many nodes share a site, and nearly all a model.
    site: widest(new Set(rows.map((row) => row.site ?? UNKNOWN))),
    model: widest(new Set(rows.map((row) => row.model ?? UNKNOWN))),
    others: rows.every((row) => row.others === null) ? 0 : widest(rows.map(othersText)),
    change: rows.every((row) => row.change === null) ? 0 : widest(rows.map((row) => row.change ?? '')),
  }
}

function widest(texts: Iterable<string>): number {
  let columns = 4
  for (const text of texts) columns = Math.max(columns, widthOf(text))
  return columns
}

/** Who else is at a node, and what they did a moment ago: `mia +1`, `mia resend`. */
function othersText({ others, othersAct }: NodeView): string {
  return [others, othersAct].filter((part) => part !== null).join(' ')
}

function columnsFor(widths: Widths, look: Look, hasLink: boolean): TableColumn<NodeView>[] {
  const number = (
    id: string,
    title: string,
    rank: number,
    minColumns: number,
    cell: (node: NodeView) => string,
    token: (node: NodeView) => Token = () => 'text',
  ): TableColumn<NodeView> => ({
    id,
    title,
    rank,
    minColumns,
    align: 'right',
    cell: (node) => ({ text: cell(node), token: token(node) }),
  })
  const over =
    (limit: number, of: (node: NodeView) => number | null) =>
    (node: NodeView): Token =>
      (of(node) ?? 0) > limit ? 'warning' : 'text'
  return [
    {
      id: 'name',
      title: 'NODE',
      rank: 0,
      minColumns: Math.min(20, widths.name),
      idealColumns: Math.min(32, widths.name),
      cell: (node) => ({ text: node.name }),
    },
    {
      id: 'site',
      title: 'SITE',
      rank: 8,
      minColumns: Math.min(16, widths.site),
      idealColumns: Math.min(20, widths.site),
      cell: (node) => ({ text: node.site ?? UNKNOWN, token: 'muted' }),
    },
    {
      id: 'state',
      title: 'STATE',
      rank: 1,
      minColumns: 14,
      cell: (node) => ({
        text: stateText(node, look),
        token: node.misbehaves === null ? stateMark(node.state, look).token : 'danger',
      }),
    },
    // Only where there is something to be told, and then whatever else gives way.
    ...(hasLink ? [linkColumn] : []),
    ...(widths.others === 0 ? [] : [othersColumn(widths.others)]),
    ...(widths.change === 0 ? [] : [changeColumn(widths.change)]),
    number(
      'cpu',
      'CPU',
      6,
      6,
      (node) => formatPct(currentFigure(node, 'cpuPct')),
      over(80, (node) => currentFigure(node, 'cpuPct')),
    ),
    number(
      'mem',
      'MEM',
      9,
      6,
      (node) => formatPct(currentFigure(node, 'memPct')),
      over(90, (node) => currentFigure(node, 'memPct')),
    ),
    number('rate', 'INF/s', 4, 6, (node) => formatRate(currentFigure(node, 'inferencesPerSec'))),
    number('p50', 'P50', 10, 8, (node) => formatMs(currentFigure(node, 'p50Ms'))),
    number(
      'p99',
      'P99',
      2,
      8,
      (node) => formatMs(currentFigure(node, 'p99Ms')),
      over(50, (node) => currentFigure(node, 'p99Ms')),
    ),
    number('raw', 'RAW IN', 11, 10, (node) => formatByteRate(currentFigure(node, 'rawBytesPerSec'))),
    number('up', 'SENT UP', 5, 10, (node) => formatByteRate(currentFigure(node, 'upBytesPerSec'))),
    number('saved', 'SAVED', 7, 8, (node) => formatSaved(currentFigure(node, 'savedPct'))),
    number(
      'backlog',
      'BACKLOG',
      3,
      7,
      (node) => formatCount(node.backlogRecords),
      over(0, (node) => node.backlogRecords),
    ),
    {
      id: 'model',
      title: 'MODEL',
      rank: 12,
      minColumns: 12,
      idealColumns: Math.min(24, widths.model),
      cell: (node) => ({ text: node.model ?? UNKNOWN, token: 'muted' }),
    },
    number('age', 'AGE', 13, 7, (node) => formatAge(node.ageMs)),
  ]
}

const linkColumn: TableColumn<NodeView> = {
  id: 'link',
  title: 'LINK',
  rank: 1,
  minColumns: 12,
  idealColumns: 14,
  cell: (node) => (node.insecure ? { text: 'insecure', token: 'danger' } : { text: routeText(node), token: 'muted' }),
}

/** Which way a node is reached, and how far it is, in whole milliseconds, so that nothing of it is cut: `bus 84 ms`. */
function routeText({ route, rttMs }: NodeView): string {
  if (route === null) return ''
  return `${route === 'nats' ? 'bus' : 'direct'}${rttMs === null ? '' : ` ${rttMs < 1 ? '<1' : Math.round(rttMs)} ms`}`
}

/** Somebody else is no figure among others: it stays when most of them go, and says who acts before it is cut. */
function othersColumn(widest: number): TableColumn<NodeView> {
  return {
    id: 'others',
    title: 'ALSO HERE',
    rank: 2,
    minColumns: Math.min(18, widest),
    idealColumns: Math.min(26, widest),
    cell: (node) => ({ text: othersText(node), token: node.othersAct === null ? 'muted' : 'warning' }),
  }
}

/** What is changed on a node matters more than its figures while it is: it goes after the latency, and names its phase before it is cut. */
function changeColumn(widest: number): TableColumn<NodeView> {
  return {
    id: 'change',
    title: 'CHANGE',
    rank: 2,
    minColumns: Math.min(16, widest),
    idealColumns: Math.min(34, widest),
    cell: (node) => ({ text: node.change ?? '', token: changeToken(node) }),
  }
}

function changeToken({ changePhase }: NodeView): Token {
  if (changePhase === 'failed' || changePhase === 'reverted') return 'danger'
  return changePhase === null || changePhase === 'probation' || changePhase === 'reverting' ? 'warning' : 'info'
}

/**
 * State as glyph, word and, when data is old, its age: `● up`, `◐ stale 4s`, `✗ offline 2m`. A node that floods or breaks
 * the protocol is called so instead, whatever it says of itself.
 */
function stateText(node: NodeView, look: Look): string {
  const { glyph } = stateMark(node.state, look)
  if (node.misbehaves !== null) return `${glyph} ${node.misbehaves === 'floods' ? 'floods' : 'bad frames'}`
  if (node.state === 'up') {
    const { critical, warning } = node.alerts
    const alerts = critical + warning
    return alerts === 0 ? `${glyph} up` : `${glyph} up, ${alerts} alert${alerts === 1 ? '' : 's'}`
  }
  const age = node.ageMs === null ? '' : ` ${formatAge(node.ageMs).split(' ')[0]}`
  return `${glyph} ${node.state}${age}`
}
