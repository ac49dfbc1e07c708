import { expect, it, vi } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import { type RolloutSurroundings, runRollout } from '../../../src/commands/rollout.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { RememberedRollouts } from '../../support/remembered-rollouts.ts'
import { planOf } from '../../support/rollout-plan.ts'

const undeclared = (): never => {
  throw new Error('nobody declared this call')
}

it('passes over what nobody who may has begun, and fails for a damaged journal once the others are shown', async () => {
  const service = new RememberedRollouts()
  const io = new CapturedIo()
  const place = {
    service,
    context: 'works',
    production: false,
    ask: null,
    select: undeclared,
    find: undeclared,
    brings: undeclared,
    readText: undeclared,
    nowMs: () => 61_000,
  } satisfies RolloutSurroundings
  const type = async (...words: string[]): Promise<unknown> => {
    const request = readCommandLine(['rollout', ...words], '1')
    if (request.kind !== 'rollout') throw new Error(`it asks for ${request.kind}`)
    return runRollout(request, place, io)
  }
  await service.start(planOf({ canary: ['press-1'] }), null)
  service.write('r9-foreign', { at: 1, term: 1, type: 'driver.took', holder: 'here' })
  expect(await type('list')).toBe('told')
  expect(io.out()).toMatch(/r7k2m +digits/)
  expect(io.err()).toContain('r9-foreign')
  expect(await type('pause')).toBe('told')
  expect(service.events('r7k2m').at(-1)).toMatchObject({ type: 'person.decided', decision: 'pause' })
  io.out()
  const damaged = new EdgeError('JOURNAL_FAILING', { message: 'it is damaged' })
  vi.spyOn(service, 'view').mockRejectedValueOnce(damaged)
  await expect(type('list')).rejects.toBe(damaged)
  expect(io.out()).toMatch(/r7k2m +digits/)
})
