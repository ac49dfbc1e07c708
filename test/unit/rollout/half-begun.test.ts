import { afterAll, beforeAll, expect, test } from 'vitest'
import { readIdentityFolder } from '../../../src/identity/identity-folder.ts'
import type { Journal } from '../../../src/rollout/contract.ts'
import { FleetRollouts } from '../../../src/rollout/fleet-rollouts.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { planOf } from '../../support/rollout-plan.ts'

let authority: FleetAuthority
beforeAll(async () => {
  authority = await FleetAuthority.create()
})
afterAll(() => authority?.[Symbol.dispose]())

const undeclared = (): never => {
  throw new Error('nobody declared this call')
}

/** Takes the start of a rollout and refuses all behind it. */
const FULL: Journal = {
  list: undeclared,
  read: undeclared,
  follow: undeclared,
  append: (_rollout, _event, lastSeq) =>
    lastSeq === 0 ? Promise.resolve({ ok: true, seq: 1 }) : Promise.reject(new Error('the disk is full')),
}

test('a rollout whose mandates cannot be written down is said to stand, with how to go on or to end it', async () => {
  const { dir } = await authority.operator('mia')
  const rollouts = new FleetRollouts({
    journal: FULL,
    leases: { take: undeclared, look: undeclared },
    targetOf: undeclared,
    decide: undeclared,
    plan: undeclared,
    signer: () => readIdentityFolder(dir),
    judge: () => null,
    holder: 'mia at bastion-1',
  })
  await expect(rollouts.start(planOf({ canary: ['press-1'] }, { rollout: 'r1' }), null)).rejects.toMatchObject({
    code: 'JOURNAL_FAILING',
    message: expect.stringMatching(/^the rollout r1 stands in the journal, .*the disk is full/),
    next: ['drive it from here: edgedeck rollout drive r1', 'or end it: edgedeck rollout abort r1'],
  })
})
