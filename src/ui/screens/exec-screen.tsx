import { useCallback, useSyncExternalStore } from 'react'
import { untrusted } from '../../../protocol/untrusted-text.ts'
import type { Console } from '../console.ts'
import { rowUnderCursor } from '../exec/exec-run.ts'
import { execOutput, execOutputLines, execRowLine } from '../panes/exec.ts'
import type { Line, Size } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import { Pane } from './pane.tsx'

/** Rows of the list over the output; what is alike is one row, so few are enough. */
const LIST_SHARE = 0.4
const LEAST_LIST_ROWS = 4

/** A command on many nodes: nodes that are alike a row each, and the output of the row under the cursor. */
export function ExecScreen({
  console,
  columns,
  rows,
}: {
  readonly console: Console
  readonly columns: number
  readonly rows: number
}) {
  const { store, look } = console.parts
  const isWide = useSyncExternalStore(store.subscribe, () => store.get().exec.isWide)
  const list = useCallback(
    (area: Size): Line[] => {
      const { run } = console.exec
      if (run === null) return [line(look.theme).add(' no command was run on nodes yet', 'muted').done()]
      if (run.fault !== null) return [line(look.theme).rest(` ${run.fault}`, area.columns, 'danger').done()]
      const all = run.rows()
      const selected = rowUnderCursor(all, store.get().exec.cursorId)
      const at = selected === null ? 0 : all.indexOf(selected)
      const room = area.rows - 1
      const first = Math.max(0, Math.min(at - Math.floor(room / 2), all.length - room))
      const shown = all.slice(first, first + room).map((row) => {
        const output = run.output(row)
        const firstLine = (row.kind === 'running' ? output.at(-1) : output[0]) ?? ''
        return execRowLine(row, { firstLine, selected: row === selected }, look, area.columns)
      })
      return [line(look.theme).add(' $ ', 'muted').rest(untrusted(run.command), area.columns).done(), ...shown]
    },
    [console, store, look],
  )
  const listNote = useCallback((): string => {
    const { run } = console.exec
    if (run === null) return ''
    const seconds = (run.tookMs(console.nowMs()) / 1000).toFixed(1)
    return `${run.counts()}, ${seconds} s`
  }, [console])
  const output = useCallback(
    (area: Size): Line[] => {
      const { run } = console.exec
      const row = run === null ? null : rowUnderCursor(run.rows(), store.get().exec.cursorId)
      if (run === null || row === null) return []
      const texts = execOutput(row, { command: run.command, output: run.output(row) }, look)
      if (texts.length === 0) return [line(look.theme).add(' no output', 'muted').done()]
      // What still runs shows what came last.
      if (row.kind === 'running') {
        return execOutputLines(texts.slice(-area.rows), look, area.columns).slice(-area.rows)
      }
      const first = Math.min(store.get().exec.scroll, Math.max(0, texts.length - 1))
      return execOutputLines(texts.slice(first, first + area.rows), look, area.columns).slice(0, area.rows)
    },
    [console, store, look],
  )
  const outputNote = useCallback((): string => {
    const { run } = console.exec
    const row = run === null ? null : rowUnderCursor(run.rows(), store.get().exec.cursorId)
    if (row === null) return ''
    const count = run?.output(row).length ?? 0
    const whose = row.keys.length > 3 ? `${row.keys.length} nodes` : row.keys.join(', ')
    const lines = count === 0 ? '' : `, ${count} ${count === 1 ? 'line' : 'lines'}`
    return `${whose}${lines}${isWide ? ', enter shows the list' : ''}`
  }, [console, store, isWide])
  const listRows = isWide ? 0 : Math.max(LEAST_LIST_ROWS, Math.floor(rows * LIST_SHARE))
  return (
    <>
      <Pane console={console} columns={columns} rows={listRows} title="command" note={listNote} draw={list} />
      <Pane console={console} columns={columns} rows={rows - listRows} title="output" note={outputNote} draw={output} />
    </>
  )
}
