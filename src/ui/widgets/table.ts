import type { Line, Span } from '../terminal/line.ts'
import { fitText, widthOf } from '../terminal/text.ts'
import type { Theme, Token } from '../theme.ts'

/** What one cell of a table shows. */
export interface TableCell {
  readonly text: string
  readonly token?: Token
}

/** One column of a table of rows of type `R`. */
export interface TableColumn<R> {
  readonly id: string
  readonly title: string
  /** The lower, the longer it stays when the table gets narrow; equal ranks go from the right. */
  readonly rank: number
  /** Fewest columns in which it is worth showing; a column that does not get them is hidden. Not below its title. */
  readonly minColumns: number
  /** Columns that it would like; what is left over goes to columns in order of rank until each has this. */
  readonly idealColumns?: number
  readonly align?: 'left' | 'right'
  readonly cell: (row: R) => TableCell
}

/** A column that is shown, and how wide. */
export interface PlacedColumn<R> {
  readonly column: TableColumn<R>
  readonly columns: number
}

/** How a row is drawn. */
export interface RowLook {
  readonly selected?: boolean
  readonly marked?: boolean
  /** Lies over every cell of the row, such as `stale`. */
  readonly over?: Token
}

/** How a table is drawn. */
export interface TableLook {
  readonly theme: Theme
  readonly ascii: boolean
  /** Columns of the whole table; every line is exactly that wide. */
  readonly columns: number
}

const GAP = 1
/** Columns of the markers at the left: the cursor and the mark. */
export const MARKER_COLUMNS = 2

/**
 * Choose the columns that fit a width and how wide each is. Columns are hidden whole, the highest rank first, and never
 * cut; the order stays that of the list. The column of the lowest rank is always shown, even if it must be narrower.
 */
export function placeColumns<R>(all: readonly TableColumn<R>[], totalColumns: number): PlacedColumn<R>[] {
  const room = Math.max(0, totalColumns - MARKER_COLUMNS)
  const byRank = all
    .map((column, order) => ({ column, order }))
    .sort((a, b) => a.column.rank - b.column.rank || a.order - b.order)
  const chosen: { column: TableColumn<R>; order: number; columns: number }[] = []
  let used = 0
  for (const { column, order } of byRank) {
    const least = leastColumns(column)
    const gap = chosen.length === 0 ? 0 : GAP
    if (chosen.length > 0 && used + gap + least > room) break
    const columns = Math.min(least, room)
    chosen.push({ column, order, columns })
    used += gap + columns
  }
  for (const entry of chosen) {
    const wish = Math.max(0, (entry.column.idealColumns ?? 0) - entry.columns)
    const extra = Math.min(wish, room - used)
    entry.columns += Math.max(0, extra)
    used += Math.max(0, extra)
  }
  return chosen.sort((a, b) => a.order - b.order).map(({ column, columns }) => ({ column, columns }))
}

/** The heading of a table; the sorted column carries an arrow when there is room for it. */
export function headerLine<R>(
  placed: readonly PlacedColumn<R>[],
  look: TableLook,
  sorted?: { readonly id: string; readonly descending: boolean },
): Line {
  const style = look.theme.style('header')
  const texts = placed.map(({ column, columns }) => {
    const arrow = sorted?.descending ? (look.ascii ? 'v' : '↓') : look.ascii ? '^' : '↑'
    const withArrow = sorted?.id === column.id && widthOf(column.title) < columns
    return fitText(withArrow ? column.title + arrow : column.title, columns, column.align)
  })
  return [{ text: fitText(' '.repeat(MARKER_COLUMNS) + texts.join(' '.repeat(GAP)), look.columns), style }]
}

/**
 * One row. The selected one has a marker glyph and its look over the whole width, so that it is known without colour
 * too. Text that is too long ends in `…`; a number never does: it is replaced by `#` marks when it does not fit.
 */
export function rowLine<R>(placed: readonly PlacedColumn<R>[], row: R, look: TableLook, how: RowLook = {}): Line {
  const { theme } = look
  const onTop: Token[] = [...(how.over ? [how.over] : []), ...(how.selected ? (['selection'] as const) : [])]
  const cursor = how.selected ? (look.ascii ? '>' : '▶') : ' '
  const mark = how.marked ? (look.ascii ? '*' : '●') : ' '
  const spans: Span[] = [
    { text: cursor, style: theme.style('accent', ...onTop) },
    { text: mark, style: theme.style('marked', ...onTop) },
  ]
  let used = MARKER_COLUMNS
  for (const [index, { column, columns }] of placed.entries()) {
    const cell = column.cell(row)
    if (index > 0) {
      spans.push({ text: ' '.repeat(GAP), style: theme.style('text', ...onTop) })
      used += GAP
    }
    spans.push({
      text: cellText(cell.text, columns, column.align ?? 'left'),
      style: theme.style(cell.token ?? 'text', ...onTop),
    })
    used += columns
  }
  if (used < look.columns) spans.push({ text: ' '.repeat(look.columns - used), style: theme.style('text', ...onTop) })
  return spans
}

/** A number that lost digits would lie, so one that does not fit is shown as `##`. */
function cellText(text: string, columns: number, align: 'left' | 'right'): string {
  if (align === 'right' && widthOf(text) > columns) return '#'.repeat(columns)
  return fitText(text, columns, align)
}

function leastColumns<R>(column: TableColumn<R>): number {
  return Math.max(column.minColumns, widthOf(column.title))
}
