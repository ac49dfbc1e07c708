import { fitText, widthOf } from '../ui/terminal/text.ts'

/** Forms that plain commands print in. */
export const OUTPUT_FORMATS = ['table', 'json', 'ndjson'] as const
/** @see OUTPUT_FORMATS */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]

/** Where a command writes; tests hand in their own. */
export interface CommandIo {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  /** The command ends early when this is aborted. */
  readonly signal: AbortSignal
}

/** One column of a printed table. */
export interface PrintedColumn<Row> {
  readonly title: string
  readonly align?: 'left' | 'right'
  text(row: Row): string
}

/** A table for a terminal or a pipe: every column as wide as its widest cell, nothing cut, no line ends in blanks. */
export function printTable<Row>(columns: readonly PrintedColumn<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => column.text(row)))
  const widths = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...cells.map((line) => widthOf(line[index] ?? ''))),
  )
  const titles = columns.map((column) => column.title)
  return [titles, ...cells]
    .map((line) => {
      const fitted = line.map((text, index) => fitText(text, widths[index] ?? 0, columns[index]?.align))
      return `${fitted.join('  ').trimEnd()}\n`
    })
    .join('')
}

/** Rows as JSON: one array for `json`, a line each for `ndjson`. */
export function printJson(rows: readonly unknown[], format: 'json' | 'ndjson'): string {
  if (format === 'json') return `${JSON.stringify(rows, null, 2)}\n`
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}
