import { ROLLOUT_HEAD_ROWS } from '../panes/rollout-head.ts'

/** Heights of the parts of a rollout's screen in rows, the ruled title of a pane included; 0 = not shown. */
export interface RolloutLayout {
  readonly head: number
  readonly waves: number
  /** Figures as numbers, where there is no room for charts. */
  readonly figures: number
  readonly charts: number
  readonly nodes: number
  /** All other lists beside each other; 0 where only the one in focus is shown, in the place of the nodes. */
  readonly lists: number
  /** Width of the decisions beside gates and what is set aside; 0 = one over the other. */
  readonly decisionColumns: number
}

const FIGURE_ROWS = 5
const LEAST_LIST = 5
/** With fewer rows under the head one list at a time is shown. */
const ROOMY_ROWS = 24
const CHART_COLUMNS = 100
const BESIDE_COLUMNS = 100

/** Share the rows of a screen: the head first, which never scrolls, then waves, figures and lists. */
export function layoutRollout(rows: number, columns: number, waveCount: number): RolloutLayout {
  const head = Math.min(rows, ROLLOUT_HEAD_ROWS)
  const room = rows - head
  if (room < ROOMY_ROWS) {
    const waves = Math.max(0, Math.min(waveCount + 1, 4, room - LEAST_LIST))
    const figures = room - waves >= FIGURE_ROWS + LEAST_LIST ? FIGURE_ROWS : 0
    return { head, waves, figures, charts: 0, nodes: room - waves - figures, lists: 0, decisionColumns: 0 }
  }
  const waves = Math.min(waveCount + 1, Math.max(4, Math.floor(room * 0.16)))
  const charts = columns >= CHART_COLUMNS ? Math.min(14, Math.max(7, Math.floor(room * 0.24))) : 0
  const figures = charts === 0 ? FIGURE_ROWS : 0
  const rest = room - waves - charts - figures
  const lists = Math.floor(rest * 0.52)
  const decisionColumns = columns >= BESIDE_COLUMNS ? Math.floor(columns * 0.56) : 0
  return { head, waves, figures, charts, nodes: rest - lists, lists, decisionColumns }
}
