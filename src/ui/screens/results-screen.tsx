import { useCallback } from 'react'
import { showKey } from '../../actions/keymap.ts'
import type { Console } from '../console.ts'
import { indexOfResult } from '../handlers/results.ts'
import { resultHeading, resultLine } from '../panes/results.ts'
import type { Line, Size } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import { Pane } from './pane.tsx'

/** Results of one node, a row each, following the newest or standing on one. */
export function ResultsScreen({
  console,
  size,
  nodeKey,
  rows,
}: {
  readonly console: Console
  readonly size: Size
  readonly nodeKey: string
  readonly rows: number
}) {
  const { store, look, keymap } = console.parts
  const draw = useCallback(
    (area: Size): Line[] => {
      const { results, asOf } = store.get()
      const { cursorSeq, abnormalOnly } = results
      const found = console.resultRows()
      if (found.length === 0) {
        const what = abnormalOnly ? ' no abnormal result is known of this time' : ' no result is known of this time'
        const node = asOf === 'now' ? console.view().nodes.find(({ key }) => key === nodeKey) : undefined
        // Who does not answer now cannot list anything: the way to what was is said instead of a bare "nothing".
        const back = keymap.keysOf('replay.back60').map(showKey)[0]
        const isAway = node !== undefined && node.state !== 'up' && back !== undefined
        const why = isAway ? `; the node is ${node.state}: ${back} goes back to what is kept of it` : ''
        return [line(look.theme).add(what, 'muted').rest(why, area.columns, 'warning').done()]
      }
      const room = Math.max(1, area.rows - 1)
      const at = indexOfResult(found, cursorSeq)
      const last = Math.min(found.length, Math.max(room, at + Math.ceil(room / 2)))
      const shown = found.slice(Math.max(0, last - room), last)
      const selected = found[at]
      return [
        resultHeading(look, area.columns),
        ...shown.map((row) => resultLine(row, look, area.columns, row === selected)),
      ]
    },
    [console, store, look, keymap, nodeKey],
  )
  const note = useCallback((): string => {
    const { results, asOf } = store.get()
    const count = console.resultRows().length
    const parts = [results.abnormalOnly ? 'abnormal alone' : 'all', `${count} rows`, 'enter shows the picture']
    if (asOf === 'now') parts.splice(2, 0, results.cursorSeq === null ? 'following' : 'standing, G follows')
    return parts.join(', ')
  }, [console, store])
  const title = `results of ${nodeKey}`
  return <Pane console={console} columns={size.columns} rows={rows} title={title} note={note} draw={draw} />
}
