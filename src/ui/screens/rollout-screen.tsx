import { Box } from 'ink'
import { useCallback, useSyncExternalStore } from 'react'
import { showKey } from '../../actions/keymap.ts'
import type { Console } from '../console.ts'
import type { RolloutList } from '../console-store.ts'
import { comparisonChart, figureLines } from '../panes/rollout-figures.ts'
import { rolloutHead } from '../panes/rollout-head.ts'
import { asideLines, decisionLines, gateLines, nodeLines, waveLines } from '../panes/rollout-lists.ts'
import type { RolloutFacts } from '../rollouts/facts.ts'
import { layoutRollout } from '../rollouts/layout.ts'
import type { Line, Size } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import { Pane } from './pane.tsx'

const TITLES: Readonly<Record<RolloutList, string>> = {
  nodes: 'nodes',
  decisions: 'decisions',
  gates: 'gates',
  aside: 'set aside',
}

/** One rollout: what it is, waits for and can be told never scrolls; waves, figures and lists under it. */
export function RolloutScreen({
  console,
  columns,
  rows,
  id,
}: {
  readonly console: Console
  readonly columns: number
  readonly rows: number
  readonly id: string
}) {
  const { store, look, keymap } = console.parts
  const desk = console.rollouts
  const focus = useSyncExternalStore(store.subscribe, () => store.get().rollouts.focus)
  const waveCount = useSyncExternalStore(console.subscribe, () => desk.book.entry(id)?.state.waves.length ?? 1)
  const layout = layoutRollout(rows, columns, waveCount)
  /** Draw what is known, or say that nothing is yet. */
  const known = useCallback(
    (draw: (facts: RolloutFacts, area: Size) => Line[]) =>
      (area: Size): Line[] => {
        const facts = desk.facts(id)
        if (facts !== null) return draw(facts, area)
        return [
          line(look.theme)
            .rest(` ${desk.book.faultOf(id) ?? desk.book.fault ?? 'reading its journal …'}`, area.columns, 'muted')
            .done(),
        ]
      },
    [desk, id, look],
  )
  const head = useCallback(
    (area: Size) => known((facts) => rolloutHead(facts, keymap, look, area.columns))(area),
    [known, keymap, look],
  )
  const waves = useCallback((area: Size) => known((facts) => waveLines(facts, look, area))(area), [known, look])
  const figures = useCallback(
    (area: Size) =>
      known((facts) => figureLines(desk.book.entry(id)?.figures.points ?? [], facts.limits, look, area.columns))(area),
    [known, desk, id, look],
  )
  const nodes = useCallback(
    (area: Size) =>
      known((facts) => {
        const all = desk.rows(id)
        const cursorKey = store.get().rollouts.focus === 'nodes' ? desk.cursorKey(id) : null
        console.attention.rowsInSight(all.slice(0, MOST_ATTENDED).map(({ key }) => key))
        if (all.length === 0) return [line(look.theme).add(' no node matches the filter', 'muted').done()]
        return nodeLines(all, { cursorKey, nowMs: facts.nowMs }, look, area)
      })(area),
    [known, desk, id, look, store, console],
  )
  const scrollOf = useCallback(
    (list: RolloutList): number => (store.get().rollouts.focus === list ? store.get().rollouts.scroll : 0),
    [store],
  )
  const decisions = useCallback(
    (area: Size) =>
      known(() => decisionLines(desk.book.entry(id)?.decisions ?? [], scrollOf('decisions'), look, area))(area),
    [known, desk, id, look, scrollOf],
  )
  const gates = useCallback(
    (area: Size) => known((facts) => gateLines(facts, scrollOf('gates'), look, area))(area),
    [known, look, scrollOf],
  )
  const aside = useCallback(
    (area: Size) => known((facts) => asideLines(facts.aside, facts.nowMs, scrollOf('aside'), look, area))(area),
    [known, look, scrollOf],
  )
  const draws = { nodes, decisions, gates, aside }
  const noteOf = useCallback(
    (list: RolloutList) => (): string => {
      const facts = desk.facts(id)
      const { rollouts } = store.get()
      const tab = keymap.keysOf('rollout.focus').map(showKey)[0]
      const here = rollouts.focus === list && tab !== undefined ? `keys move here, ${tab} goes on` : ''
      return [facts === null ? '' : noteText(list, facts, desk.rows(id).length, rollouts.filter), here]
        .filter((part) => part !== '')
        .join('; ')
    },
    [desk, id, store, keymap],
  )
  const pane = (list: RolloutList, width: number, height: number) => (
    <Pane
      key={list}
      console={console}
      columns={width}
      rows={height}
      title={TITLES[list]}
      note={noteOf(list)}
      draw={draws[list]}
    />
  )
  const rightColumns = layout.decisionColumns === 0 ? columns : columns - layout.decisionColumns - 1
  const upper = Math.ceil(layout.lists / 2)
  return (
    <>
      <Pane console={console} columns={columns} rows={layout.head} draw={head} />
      <Pane console={console} columns={columns} rows={layout.waves} title="waves" draw={waves} />
      <Pane
        console={console}
        columns={columns}
        rows={layout.figures}
        title="changed nodes beside others"
        draw={figures}
      />
      {layout.charts > 0 && <Comparison console={console} columns={columns} rows={layout.charts} id={id} />}
      {layout.lists === 0 ? pane(focus, columns, layout.nodes) : pane('nodes', columns, layout.nodes)}
      {layout.lists > 0 && layout.decisionColumns > 0 && (
        <Box>
          {pane('decisions', layout.decisionColumns, layout.lists)}
          <Box width={1} />
          <Box flexDirection="column">
            {pane('gates', rightColumns, upper)}
            {pane('aside', rightColumns, layout.lists - upper)}
          </Box>
        </Box>
      )}
      {layout.lists > 0 &&
        layout.decisionColumns === 0 &&
        pane(focus === 'nodes' ? 'decisions' : focus, columns, layout.lists)}
    </>
  )
}

/** Nodes that tell every second because they are looked at here. */
const MOST_ATTENDED = 60

function noteText(list: RolloutList, { nodes, verdict, aside }: RolloutFacts, shown: number, filter: string): string {
  switch (list) {
    case 'nodes':
      return filter === '' ? `${nodes.length}, worst first` : `filter "${filter}" shows ${shown} of ${nodes.length}`
    case 'decisions':
      return 'newest first'
    case 'gates':
      return verdict === null ? '' : verdict.wave
    case 'aside':
      return String(aside.length)
  }
}

/** Changed nodes beside those that are not, over time. */
function Comparison({
  console,
  columns,
  rows,
  id,
}: {
  readonly console: Console
  readonly columns: number
  readonly rows: number
  readonly id: string
}) {
  const width = Math.floor((columns - 2) / 3)
  return (
    <Box>
      <ComparisonPane console={console} columns={width} rows={rows} id={id} which="failed" title="failed" />
      <Box width={1} />
      <ComparisonPane console={console} columns={width} rows={rows} id={id} which="slow" title="over 50 ms" />
      <Box width={1} />
      <ComparisonPane
        console={console}
        columns={columns - 2 * width - 2}
        rows={rows}
        id={id}
        which="p99"
        title="p99 of 10 s"
      />
    </Box>
  )
}

function ComparisonPane({
  console,
  columns,
  rows,
  id,
  which,
  title,
}: {
  readonly console: Console
  readonly columns: number
  readonly rows: number
  readonly id: string
  readonly which: Parameters<typeof comparisonChart>[0]
  readonly title: string
}) {
  const draw = useCallback(
    (area: Size): Line[] => {
      const points = console.rollouts.book.entry(id)?.figures.points ?? []
      const limits = console.rollouts.facts(id)?.limits ?? { failedPct: 0, slowPct: 0 }
      return comparisonChart(which, points, limits, console.parts.look, area)
    },
    [console, id, which],
  )
  return <Pane console={console} columns={columns} rows={rows} title={title} draw={draw} />
}
