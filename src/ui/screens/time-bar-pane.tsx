import { useCallback } from 'react'
import { showKey } from '../../actions/keymap.ts'
import type { ActionId } from '../../actions/table.ts'
import type { Console } from '../console.ts'
import { timeBarLines } from '../panes/time-bar.ts'
import type { Line, Size } from '../terminal/line.ts'
import { Pane } from './pane.tsx'

/** The time bar under a screen that shows the past: of the open node, of the one whose logs are open, else of all. */
export function TimeBarPane({
  console,
  columns,
  rows,
}: {
  readonly console: Console
  readonly columns: number
  readonly rows: number
}) {
  const draw = useCallback(
    (size: Size): Line[] => {
      const { store, replay, look, keymap } = console.parts
      const { asOf, spanMs } = store.get()
      if (asOf === 'now') return []
      const nowMs = console.nowMs()
      // The bar ends at now while the head is on it, else it goes with the head.
      const toMs = asOf >= nowMs - spanMs ? nowMs : asOf + spanMs / 2
      const fromMs = toMs - spanMs
      const { focus } = console.head.focus()
      const key = focus.length === 1 ? (focus[0] ?? null) : null
      const hint = hintText((action) => keymap.keysOf(action).map(showKey)[0])
      const of = key ?? 'all nodes'
      const reach = replay.reach(key, fromMs, toMs)
      return timeBarLines({ fromMs, toMs, headMs: asOf, nowMs, reach, of, hint }, look, size)
    },
    [console],
  )
  return <Pane console={console} columns={columns} rows={rows} draw={draw} everyMs={1000} />
}

function hintText(keyOf: (action: ActionId) => string | undefined): string {
  const hints: readonly (readonly [ActionId, string])[] = [
    ['replay.back60', '−1 min'],
    ['replay.forward60', '+1 min'],
    ['replay.slower', 'slower'],
    ['replay.faster', 'faster'],
    ['replay.earlierAlert', 'alert before'],
  ]
  return hints.flatMap(([action, word]) => (keyOf(action) === undefined ? [] : [`${keyOf(action)} ${word}`])).join('  ')
}
