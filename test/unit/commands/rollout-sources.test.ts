import { expect, it } from 'vitest'
import { planText } from '../../../src/commands/rollout-plan.ts'
import { planOf } from '../../support/rollout-plan.ts'

const WAVES = { canary: ['press-1'] }

it('says where nodes have the package from, and that this console brings it there first', () => {
  const sources = [{ kind: 'nats', bucket: 'packages' }, { kind: 'link' }] as const
  const text = planText(planOf(WAVES, { sources }), true)
  expect(text).toContain('fetched     from the bucket packages of the bus, or as somebody brought it to the node\n')
  expect(text).toContain('it is brought there from here before anything begins')
  expect(planText(planOf(WAVES, { sources }))).not.toContain('from here')
})

it('says that staging waits for people where nobody else brings the package', () => {
  const sources = [{ kind: 'link' }] as const
  expect(planText(planOf(WAVES, { sources }))).toMatch(
    /fetched +only from who brings it .*until somebody does, staging waits/,
  )
})
