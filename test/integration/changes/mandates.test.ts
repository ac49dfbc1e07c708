import { afterAll, beforeAll, expect, test } from 'vitest'
import { MANDATE_LIFE_MS, type Mandate } from '../../../protocol/change.ts'
import { DaemonHome, type EdgeDaemonProcess, type Served } from '../../support/edge-daemon.ts'
import { FleetAuthority, type IssuedIdentity } from '../../support/fleet-authority.ts'
import { clientSocket, joinFiles } from '../../support/joined-node.ts'
import { TestConsole } from '../../support/live-node.ts'
import { mandated, signedMandate } from '../../support/mandates.ts'
import { answerOf, signedCommand } from '../../support/rights-matrix.ts'
import { testItem } from '../../support/slot-moves.ts'

const NODE = { site: 'plant', name: 'n1' }
const DAY_MS = 86_400_000
/** A minute after the certificate of {@link miaThen} began. */
const signedAt = (): number => miaThen.certificate.validFromDate.getTime() + 60_000

let acme: FleetAuthority
let home: DaemonHome
let served: { daemon: EdgeDaemonProcess } & Served
let mia: IssuedIdentity
/** Mia with a certificate of three days ago, which has ended since. */
let miaThen: IssuedIdentity
let eve: IssuedIdentity
let controller: TestConsole
const sessions: TestConsole[] = []

beforeAll(async () => {
  acme = await FleetAuthority.create('acme', Date.now() - 10 * DAY_MS)
  home = new DaemonHome()
  const files = joinFiles(home.stateDir, await acme.node(NODE.site, NODE.name))
  eve = await acme.operator('eve')
  files.writeDeny(acme.deny({ names: [{ name: 'operator/eve', before: Date.now() + 5000, why: 'left' }] }))
  served = await home.serve()
  mia = await acme.operator('mia', { role: 'operator', sites: [NODE.site] })
  const then = { nowMs: Date.now() - 3 * DAY_MS }
  miaThen = await acme.operator('mia', { role: 'operator', sites: [NODE.site] }, then)
  expect(miaThen.certificate.validToDate.getTime()).toBeLessThan(Date.now())
  controller = await connect(await acme.controller())
})
afterAll(async () => {
  for (const session of sessions) session.close()
  await home[Symbol.asyncDispose]()
  acme[Symbol.dispose]()
})

async function connect(who: IssuedIdentity): Promise<TestConsole> {
  const session = await TestConsole.open(served.liveUrl, clientSocket(who))
  sessions.push(session)
  return session
}

/** What becomes of a stage that the controller sends with a mandate. */
async function staged(mandate: Mandate | undefined, args: Readonly<Record<string, unknown>> = {}) {
  return answerOf(controller, mandated('change.stage', mandate, args))
}

test.each<[string, RegExp, () => Mandate | undefined | Promise<Mandate>]>([
  ['none', /came without one/, () => undefined],
  ['one for another rollout', /it is for rollout r9/, () => signedMandate(mia, { rollout: 'r9' })],
  ['one for another node', /for the node plant\/n2/, () => signedMandate(mia, { node: 'n2' })],
  ['one for another site', /for the node elsewhere\/n1/, () => signedMandate(mia, { site: 'elsewhere' })],
  ['one for another item', /the mandate is for digits@3/, () => signedMandate(mia, { item: testItem('3') })],
  [
    'one for what the node was set up with',
    /the mandate is for digits@2 of the node's folder, not for digits@2/,
    () => signedMandate(mia, { item: { ...testItem('2'), origin: 'node' } }),
  ],
  [
    'one that is over',
    /it ended at/,
    () => signedMandate(miaThen, { issuedAt: signedAt(), notAfter: Date.now() - DAY_MS }),
  ],
  ['one of the future', /in the future/, () => signedMandate(mia, { issuedAt: Date.now() + DAY_MS })],
  [
    'one for ever',
    /longer than 31 days/,
    () => signedMandate(mia, { notAfter: Date.now() + MANDATE_LIFE_MS + DAY_MS }),
  ],
  ['one that was changed', /what was signed was changed/, () => ({ ...signedMandate(mia), item: testItem('3') })],
  [
    'one of a viewer',
    /has not the role operator/,
    async () => signedMandate(await acme.operator('ben', { role: 'viewer' })),
  ],
  [
    "one for a site that is not the signer's",
    /has not the site plant/,
    async () => signedMandate(await acme.operator('ann', { sites: ['elsewhere'] })),
  ],
  ['one of a controller', /only operators may sign/, async () => signedMandate(await acme.controller('us'))],
  [
    'one of another fleet',
    /./,
    async () => signedMandate(await (await FleetAuthority.create('other')).operator('mia')),
  ],
  ['one of who was shut out since', /left/, () => signedMandate(eve)],
])('a controller gets nowhere with %s', async (_what, msg, make) => {
  expect(await staged(await make())).toMatchObject({ code: 'MANDATE_INVALID', msg: expect.stringMatching(msg) })
})

test('a controller does what an operator gave it a mandate for, as often as it likes, and takes it back when it is over', async () => {
  const mandate = signedMandate(mia)
  for (const _ of [1, 2]) expect(await staged(mandate)).toMatchObject({ code: null })
  // Who signed it was somebody when it was signed.
  expect(await staged(signedMandate(miaThen, { issuedAt: signedAt(), notAfter: Date.now() + DAY_MS }))).toMatchObject({
    code: null,
  })
  expect(await staged(signedMandate(miaThen))).toMatchObject({ code: 'MANDATE_INVALID' })
  expect(await answerOf(controller, mandated('change.revert', signedMandate(mia, { rollout: 'r9' })))).toMatchObject({
    code: 'MANDATE_INVALID',
  })
  const over = signedMandate(miaThen, { issuedAt: signedAt(), notAfter: Date.now() - DAY_MS })
  for (const verb of ['change.revert', 'change.end'] as const) {
    expect(await answerOf(controller, mandated(verb, over))).toMatchObject({ code: null })
  }
  expect(await answerOf(controller, mandated('change.stage', mandate, { term: 0 }))).toMatchObject({
    code: 'COMMAND_REFUSED',
  })
})

test('an operator signs each step itself, and nobody else may come with a mandate alone', async () => {
  const session = await connect(mia)
  expect(await answerOf(session, mandated('change.end', signedMandate(mia)))).toMatchObject({
    code: 'SIGNATURE_MISSING',
  })
  const own = signedCommand(mia, NODE, { verb: 'change.end', args: { rollout: 'r1', term: 1 } })
  expect(await answerOf(session, own)).toMatchObject({ code: null })
  // A mandate is for rollouts, and opens nothing else.
  const other = { ...mandated('change.end', signedMandate(mia)), verb: 'fault.slow' }
  expect(await answerOf(controller, other)).toMatchObject({ code: 'SIGNATURE_MISSING' })
})

test('the audit names whose mandate a controller acts by', async () => {
  const session = await connect(await acme.operator('auditor'))
  session.send({ t: 'read', id: 'audit', topic: 'audit', fromMs: 0, toMs: Date.now() + 60_000, limit: 10_000 })
  await session.until(() => session.of('end').some(({ id }) => id === 'audit'))
  const written = session.of('rows').flatMap((frame) => (frame.topic === 'audit' ? frame.rows : []))
  expect(written).toContainEqual(
    expect.objectContaining({
      verb: 'change.stage',
      phase: 'intent',
      who: expect.objectContaining({ name: 'mia' }),
      carrier: expect.objectContaining({ name: 'eu' }),
    }),
  )
})
