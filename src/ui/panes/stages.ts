import type { StageView } from '../../fleet/view.ts'
import { formatCount, formatMs } from '../format.ts'
import type { Line } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'

const COLUMNS = 10

/** Latency by stage of the last ten seconds, one line a stage. */
export function stageLines(stages: readonly StageView[], look: Look): Line[] {
  const head = line(look.theme).cell(' stage', COLUMNS, 'header')
  for (const title of ['p50', 'p99', 'max', 'count']) head.cell(title, COLUMNS, 'header', 'right')
  const rows = stages.map((stage) => {
    const late = stage.stage === 'total' && (stage.p99Ms ?? 0) > 50
    return line(look.theme)
      .cell(` ${stage.stage}`, COLUMNS, stage.stage === 'total' ? 'text' : 'muted')
      .cell(formatMs(stage.p50Ms), COLUMNS, 'text', 'right')
      .cell(formatMs(stage.p99Ms), COLUMNS, late ? 'warning' : 'text', 'right')
      .cell(formatMs(stage.maxMs), COLUMNS, 'text', 'right')
      .cell(formatCount(stage.count), COLUMNS, 'text', 'right')
      .done()
  })
  return [head.done(), ...rows]
}
