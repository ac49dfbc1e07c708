import { othersIn } from '../../fleet/others.ts'
import type { NodeDetail } from '../../fleet/view.ts'
import { formatAge } from '../format.ts'
import { fitText } from '../terminal/text.ts'
import type { Fact, FactGroup } from './facts.ts'

/** Names in the label's column; a longer one goes on in the value. */
const LABEL_COLUMNS = 12

/** Who else is at a node, since when, and what each changed last; no group where nobody is. Ages are by the node's clock. */
export function othersGroup({ status }: NodeDetail): FactGroup[] {
  const others = othersIn(status)
  if (others.length === 0) return []
  const at = status?.at ?? 0
  const facts = others.map(({ who, kind, role, route, since, last, left, shells }): Fact => {
    const fits = fitText(who, LABEL_COLUMNS).trimEnd() === who
    const as = kind === 'operator' ? role : kind === who ? null : kind
    const by = last?.by === undefined ? '' : ` for ${last.by}`
    const ago = last === undefined || left !== undefined ? '' : ` ${formatAge(at - last.at)} ago`
    const did = last === undefined ? [] : [`${last.verb}${by}${ago}`]
    const stay = left === undefined ? `here ${formatAge(at - since)}` : `left ${formatAge(at - left)} ago`
    const inShell =
      shells === undefined || left !== undefined
        ? []
        : [`${shells.open === 1 ? 'shell' : `${shells.open} shells`} for ${formatAge(at - shells.since)}`]
    const through = route === 'nats' ? ['through NATS'] : []
    const value = [...(fits ? [] : [who]), ...(as === null ? [] : [as]), ...through, ...inShell, ...did, stay].join(
      ', ',
    )
    return {
      label: fits ? who : fitText(who, LABEL_COLUMNS),
      value,
      token: last === undefined && shells === undefined ? 'text' : 'warning',
    }
  })
  const more = status?.moreSessions ?? 0
  return [
    {
      title: 'Also at this node',
      facts: more === 0 ? facts : [...facts, { label: 'more', value: `${more} sessions` }],
    },
  ]
}
