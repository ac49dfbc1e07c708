import { expect, test } from 'vitest'
import { planLines } from '../../../../src/ui/panes/rollout-plan.ts'
import { planOf } from '../../../support/rollout/events.ts'
import { OWN_ITEM } from '../../../support/rollout/plans.ts'

test('of an undo a plan says first what it brings', () => {
  const plan = planOf(['n1', 'n2'], { item: OWN_ITEM, undoes: 'r0' })
  const [first, ...rest] = planLines(plan).map(({ text }) => text)
  expect(first).toBe("brings digits 0.9.0 of the node's folder again")
  const some = { ...plan, nodes: plan.nodes.map((node, n) => (n === 0 ? { ...node, item: plan.item } : node)) }
  expect(planLines(some)[0]?.text).toMatch(/again, and 1 node another version/)
  expect(planLines({ ...plan, undoes: null }).map(({ text }) => text)).toEqual(rest)
})
