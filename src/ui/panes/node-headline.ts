import type { NodeDetail } from '../../fleet/view.ts'
import { formatAge, UNKNOWN } from '../format.ts'
import type { Line, Size } from '../terminal/line.ts'
import { line } from '../widgets/line-builder.ts'
import { type Look, severityMark, stateMark } from './look.ts'

/** Two lines: who the node is and how it stands; then what is wrong with it, faults that were set on purpose first. */
export function nodeHeadline(detail: NodeDetail, look: Look, size: Size): Line[] {
  const { node, identity, status } = detail
  const { glyph, token } = stateMark(node.state, look)
  const out = line(look.theme)
    .add(` ${node.name}`, 'title')
    .add(`  ${node.site ?? UNKNOWN}  `, 'muted')
  out.add(`${glyph} ${node.state}`, token)
  if (node.state !== 'up' && node.ageMs !== null) out.add(` for ${formatAge(node.ageMs)}`, token)
  if (identity !== null) {
    // On the node's own clock, and only while it says so: a node that is silent may have died. In the past it may have been
    // another start of the daemon that ran.
    const running =
      node.state === 'up' && status !== null && status.at >= identity.startedAt
        ? `, running for ${formatAge(status.at - identity.startedAt)}`
        : ''
    out.rest(`   edge-daemon ${identity.version}${running}`, size.columns, 'muted')
  }
  const faults = Object.entries(status?.faults ?? {})
  const second = line(look.theme).add(' ')
  for (const [name, value] of faults) second.add(`FAULT SET: ${name} ${value} ms`, 'danger').add('  ')
  if (node.reason !== null) second.rest(`${node.reason}  `, size.columns, 'warning')
  for (const condition of node.conditions) {
    // Faults are told above.
    if (condition.code === 'fault_in_force') continue
    if (second.columns >= size.columns - 8) break
    second.rest(`${condition.msg}  `, size.columns, severityMark(condition.severity, look).token)
  }
  for (const alert of detail.alerts) {
    if (second.columns >= size.columns - 8) break
    // What the reason says already is not said twice.
    if (alert.msg === node.reason) continue
    second.rest(`${alert.msg}  `, size.columns, severityMark(alert.severity, look).token)
  }
  if (second.columns === 1) second.add('nothing is wrong with it', 'muted')
  return [out.done(), second.done()]
}
