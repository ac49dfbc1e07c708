import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { IdentityFolder } from '../../../src/identity/identity-source.ts'
import { FleetAuthority, type IssuedIdentity } from '../../support/fleet-authority.ts'
import { type HostileNodes, startHostileNodes } from '../../support/hostile-node.ts'
import { LinkProbe } from '../../support/link-probe.ts'

let fleet: FleetAuthority
let operator: IssuedIdentity
let hostile: HostileNodes
beforeAll(async () => {
  fleet = await FleetAuthority.create()
  operator = await fleet.operator('mia')
  const { keyPem, certPem } = await fleet.node('plant-a', 'n1')
  hostile = await startHostileNodes({ key: keyPem, cert: certPem, name: 'n1' })
})
afterAll(async () => {
  await hostile.stop()
  fleet[Symbol.dispose]()
})

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

/** A link to the node `n1`, whose certificate is good and whose conduct is not. */
function probe(habit: string): LinkProbe {
  const identity = new IdentityFolder(operator.dir, () => Date.now() * 1000)
  const made = new LinkProbe(hostile.urls[habit] ?? '', { identity, penalty: { minMs: 600_000, maxMs: 600_000 } })
  stops.push(() => made.link.stop())
  made.link.start()
  return made
}

test.each([
  ['bad-flood', 'FRAME_RATE'],
  ['bad-large', 'FRAME_TOO_LARGE'],
  ['bad-endless', 'FRAME_TOO_LARGE'],
  ['bad-json', 'FRAME_INVALID'],
])('a certificate lets nobody do more: %s ends as %s', async (habit, code) => {
  const link = probe(habit)
  await link.until(() => link.of('misbehaved').length > 0)
  expect(link.of('opened')[0]).toMatchObject({ certified: true })
  expect(link.of('misbehaved')[0]).toMatchObject({ code })
})

test('who calls itself by another name than its certificate is left alone, and said so', async () => {
  const link = probe('bad-liar')
  await link.until(() => link.of('closed').length + link.of('refused').length > 0)
  expect(link.of('misbehaved')).toMatchObject([{ message: 'it calls itself by another name than its certificate' }])
  expect(link.frames()).toEqual([])
  expect([...link.of('closed'), ...link.of('refused')][0]?.retryInMs).toBeGreaterThanOrEqual(300_000)
})
