import { useCallback } from 'react'
import type { Console } from '../console.ts'
import { pictureLines } from '../panes/picture.ts'
import { resultLine } from '../panes/results.ts'
import type { Line, Size } from '../terminal/line.ts'
import { Pane } from './pane.tsx'

/** The kept picture of one result as blocks, with the result over it. */
export function PictureScreen({
  console,
  size,
  of,
  rows,
}: {
  readonly console: Console
  readonly size: Size
  readonly of: { readonly key: string; readonly seq: number }
  readonly rows: number
}) {
  const { fleet, look, colour } = console.parts
  const draw = useCallback(
    (area: Size): Line[] => {
      const result = fleet.results({ key: of.key }).find(({ seq }) => seq === of.seq)
      const head = result === undefined ? [] : [resultLine(result, look, area.columns)]
      const room = { columns: area.columns, rows: area.rows - head.length }
      return [...head, ...pictureLines(console.picture.state, { ...look, colour }, room)]
    },
    [console, fleet, look, colour, of],
  )
  const title = `picture of result ${of.seq} of ${of.key}`
  return <Pane console={console} columns={size.columns} rows={rows} title={title} draw={draw} />
}
