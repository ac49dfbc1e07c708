import type { AlertView } from '../../fleet/view.ts'
import { formatAge } from '../format.ts'
import type { Line, Size } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import { type Look, severityMark } from './look.ts'

/** What fires, worst first; the last line tells how many did not fit. `nodeColumns` 0 leaves the node's name out. */
export function alertLines(
  alerts: readonly AlertView[],
  nowMs: number,
  look: Look,
  size: Size,
  nodeColumns = 14,
  nothing = 'nothing fires',
): Line[] {
  if (alerts.length === 0) return [line(look.theme).add(` ${nothing}`, 'muted').done()]
  const fits = alerts.length <= size.rows ? alerts.length : Math.max(0, size.rows - 1)
  const lines = alerts.slice(0, fits).map((alert) => {
    const { glyph, token } = severityMark(alert.severity, look)
    const out = line(look.theme).add(`${glyph} `, token)
    if (nodeColumns > 0) out.cell(alert.name, nodeColumns, 'text').add(' ')
    return out
      .cell(formatAge(nowMs - alert.sinceMs), 7, 'muted', 'right')
      .add('  ')
      .rest(alert.msg, size.columns, token)
      .done()
  })
  if (fits < alerts.length && size.rows > 0) {
    lines.push(
      line(look.theme)
        .add(` and ${alerts.length - fits} more`, 'muted')
        .done(),
    )
  }
  return lines
}
