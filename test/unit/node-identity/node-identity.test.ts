import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadConfig } from '../../../edge-daemon/config/load.ts'
import { IdentityFiles } from '../../../edge-daemon/identity/files.ts'
import { withNamesOf } from '../../../edge-daemon/identity/names-in-force.ts'
import { NodeIdentity } from '../../../edge-daemon/identity/node-identity.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { joinedNode, joinFiles } from '../../support/joined-node.ts'

const DAY_MS = 86_400_000
let authority: FleetAuthority

beforeAll(async () => {
  authority = await FleetAuthority.create('acme', Date.now() - 50 * DAY_MS)
})
afterAll(() => authority[Symbol.dispose]())

async function files(): Promise<IdentityFiles> {
  const issued = await authority.node('plant', 'n1')
  return joinFiles(`${issued.dir}/state`, issued)
}

test('a node without a certificate has not joined', () => {
  expect(NodeIdentity.load(new IdentityFiles('/nowhere'))).toBeNull()
})

test.each<[what: string, harm: (files: IdentityFiles) => void, says: RegExp]>([
  ['a key that others can read', (its) => chmodSync(its.path('key.pem'), 0o640), /read by other users.*|chmod 600/],
  ['no key', (its) => writeFileSync(its.path('key.pem'), '', { mode: 0o600 }), /key\.pem cannot be used/],
  [
    'a certificate cut off',
    (its) => writeFileSync(its.path('cert.pem'), readFileSync(its.path('cert.pem'), 'utf8').slice(0, 300)),
    /cert\.pem cannot be used/,
  ],
  ['a bundle that is no JSON', (its) => writeFileSync(its.path('trust.json'), '{'), /trust\.json cannot be used/],
  [
    'a deny list that was altered',
    (its) =>
      writeFileSync(
        its.path('deny.json'),
        readFileSync(its.path('deny.json'), 'utf8').replace('"version":0', '"version":7'),
      ),
    /deny\.json cannot be used.*signature/,
  ],
])('refuses %s', async (_what, harm, says) => {
  const its = await files()
  harm(its)
  expect(() => NodeIdentity.load(its)).toThrow(says)
})

test('refuses a key that is not the certificate’s, and certificates of others', async () => {
  const its = await files()
  const other = await authority.node('plant', 'n2')
  writeFileSync(its.path('key.pem'), other.keyPem)
  expect(() => NodeIdentity.load(its)).toThrow(/not for the key/)
  const person = await authority.operator('mia')
  expect(() => NodeIdentity.load(joinFiles(`${person.dir}/state`, person))).toThrow(/not for a server|no node/)
})

test('goes on with a clock file that is damaged: what was signed says how late it is at least', async () => {
  const its = await files()
  writeFileSync(its.path('clock.json'), 'x')
  const identity = NodeIdentity.load(its, { wallMs: () => 0 })
  expect(identity?.nowMs()).toBeGreaterThan(Date.now() - 10 * 60_000)
})

test('takes only what is newer, signed and its own, and keeps it', async () => {
  const identity = await joinedNode(authority)
  const { files: its } = identity
  const first = authority.denyList()
  expect(identity.takeDeny(first)).toEqual({ ok: true })
  const second = authority.deny({ names: [{ name: 'operator/eve', before: 1, why: 'left' }] })
  expect(identity.takeDeny(second)).toEqual({ ok: true })
  expect(identity.takeDeny(first)).toMatchObject({ ok: false, msg: expect.stringContaining('version') })
  expect(identity.takeDeny({ ...second, names: [] })).toMatchObject({ ok: false })
  using stranger = await FleetAuthority.create()
  expect(identity.takeDeny(stranger.denyList())).toMatchObject({ ok: false })
  expect(identity.takeTrust(stranger.bundle)).toMatchObject({ ok: false })
  expect(identity.takeCertificate((await authority.node('plant', 'n1')).certPem)).toMatchObject({
    ok: false,
    msg: expect.stringContaining('another key'),
  })
  expect(identity.takeCertificate((await authority.node('plant', 'n2', { key: identity.key })).certPem)).toMatchObject({
    ok: false,
    msg: expect.stringContaining('plant/n2'),
  })
  expect(NodeIdentity.load(its)?.deny?.version).toBe(second.version)
})

test('a clock that is 40 days behind heals from what the fleet signed, and stays healed over a restart', async () => {
  const issued = await authority.node('plant', 'n3', { nowMs: Date.now() - 29 * DAY_MS })
  const its = joinFiles(`${issued.dir}/state`, issued)
  writeFileSync(its.path('deny.json'), JSON.stringify(authority.denyList(Date.now() - 29 * DAY_MS)))
  const wallMs = () => Date.now() - 40 * DAY_MS
  const identity = NodeIdentity.load(its, { wallMs })
  if (identity === null) throw new Error('not joined')
  expect(Math.abs(identity.nowMs() - (Date.now() - 29 * DAY_MS))).toBeLessThan(10 * 60_000)
  const mia = await authority.operator('mia')
  expect(identity.judgeChain(mia.chain)).toMatchObject({ ok: true })
  // Whoever is of another fleet cannot set it.
  using stranger = await FleetAuthority.create('acme', Date.now())
  const before = identity.nowMs()
  expect(identity.judgeChain((await stranger.operator('eve', {}, { nowMs: Date.now() })).chain)).toMatchObject({
    ok: false,
  })
  expect(identity.nowMs()).toBe(before)
  const again = NodeIdentity.load(its, { wallMs })
  expect(again?.nowMs()).toBeGreaterThan(Date.now() - 2 * 3_600_000)
})

test('a clock that is 40 days ahead and was compared with nobody refuses, and says that it may be the one that is wrong', async () => {
  const identity = await joinedNode(authority, { clocks: { wallMs: () => Date.now() + 40 * DAY_MS } })
  const mia = await authority.operator('mia')
  expect(identity.judgeChain(mia.chain)).toMatchObject({
    ok: false,
    why: 'expired',
    msg: expect.stringContaining('may be the one that is wrong'),
  })
  identity.clock.confirm(Date.now())
  expect(identity.judgeChain(mia.chain)).toMatchObject({ ok: true })
})

test('the certificate names the node; another configured name is refused with a cure', () => {
  const identity = { site: 'plant', node: 'n1' }
  const read = (text: string) => loadConfig({ file: { name: 'f.yaml', text }, env: {}, flags: {} })
  const { config, entries } = withNamesOf(identity, read(''))
  expect(config.node).toEqual({ name: 'n1', site: 'plant' })
  expect(entries.find(({ path }) => path === 'node.name')).toMatchObject({ value: 'n1', origin: 'certificate' })
  expect(withNamesOf(identity, read('node: {name: n1, site: plant}')).config.node.name).toBe('n1')
  expect(() => withNamesOf(identity, read('node: {name: n2}'))).toThrow(/node\.name is n2 \(f\.yaml:1\).*says n1/)
  expect(withNamesOf(null, read('node: {name: n2}')).config.node.name).toBe('n2')
})
