import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestOf, isSignedBy } from '../../../identity/signing.ts'
import { signedText } from '../../../protocol/envelope.ts'
import { runWhoami } from '../../../src/commands/whoami.ts'
import { readIdentityFolder } from '../../../src/identity/identity-folder.ts'
import { IdentityFolder } from '../../../src/identity/identity-source.ts'
import { SIGNED_FOR_MS } from '../../../src/identity/operator-identity.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { FleetAuthority, type IssuedIdentity } from '../../support/fleet-authority.ts'

let acme: FleetAuthority
beforeAll(async () => {
  acme = await FleetAuthority.create('acme')
})
afterAll(() => acme[Symbol.dispose]())

test('reads who the operator is, and signs as them', async () => {
  const mia = await acme.operator('mia', { role: 'operator', permissions: ['data'], sites: ['plant-a', '仓库'] })
  const identity = readIdentityFolder(mia.dir)
  expect(identity).toMatchObject({
    name: 'mia',
    fleet: 'acme',
    rights: { role: 'operator', permissions: ['data'], sites: ['plant-a', '仓库'] },
    untilMs: mia.certificate.validToDate.getTime(),
  })
  const wish = { node: { site: 'plant-a', name: 'n1' }, verb: 'resend', args: { b: 1, a: [null] }, why: null }
  const envelope = identity?.sign({ ...wish, nowMs: 1_800_000_000_000.4 })
  if (envelope === undefined) throw new Error('nothing was signed')
  expect(envelope).toMatchObject({ args: digestOf({ a: [null], b: 1 }), issuedAt: 1_800_000_000_000 })
  expect(envelope.expiresAt - envelope.issuedAt).toBe(SIGNED_FOR_MS)
  expect(isSignedBy(signedText(envelope), envelope.signature, mia.certificate.publicKey)).toBe(true)
})

test.each<[string, (dir: string, other: IssuedIdentity) => void, RegExp]>([
  ['a key that others can read', (dir) => chmodSync(join(dir, 'key.pem'), 0o640), /run "chmod 600 .*key\.pem"/],
  ['the key of somebody else', (dir, other) => cpSync(other.keyFile, join(dir, 'key.pem')), /does not belong to/],
  ['no key', (dir) => rmSync(join(dir, 'key.pem')), /key\.pem is missing/],
  ['no trust', (dir) => rmSync(join(dir, 'trust.json')), /trust\.json: the trust bundle is damaged/],
  [
    'a certificate that is none',
    (dir) => writeFileSync(join(dir, 'cert.pem'), 'x'),
    /not the certificate of an operator/,
  ],
  [
    'a deny list that was changed',
    (dir) => forge(join(dir, 'deny.json')),
    /deny\.json: the signature of the deny list/,
  ],
])('refuses a folder with %s', async (_what, spoil, told) => {
  const [mia, other] = [await acme.operator('mia'), await acme.operator('ben')]
  spoil(mia.dir, other)
  const read = (): unknown => readIdentityFolder(mia.dir)
  expect(read).toThrow(expect.objectContaining({ code: 'IDENTITY_UNUSABLE' }))
  const state = new IdentityFolder(mia.dir).current()
  expect(state).toMatchObject({ kind: 'none', reason: expect.stringMatching(told) })
})

test('is nobody where nobody logged in, and somebody as soon as they do', async () => {
  const dir = mkdtempSync(join(acme.dir, 'nobody-'))
  let nowMs = 0
  const folder = new IdentityFolder(dir, () => nowMs)
  expect(folder.current()).toEqual({ kind: 'none', reason: expect.stringContaining('edgedeck login') })
  cpSync((await acme.operator('mia')).dir, dir, { recursive: true })
  nowMs += 1000
  expect(folder.current()).toMatchObject({ kind: 'held', identity: { name: 'mia' } })
})

test('edgedeck whoami prints who one is and until when, and says when that is over', async () => {
  const issued = await acme.operator('mia', { role: 'operator', permissions: [], sites: ['plant-a'] })
  const identity = new IdentityFolder(issued.dir)
  const untilMs = issued.certificate.validToDate.getTime()
  const ask = (nowMs: number, format: 'table' | 'json' = 'table') => {
    const io = new CapturedIo()
    return { counts: runWhoami({ context: 'acme', identity, format, nowMs }, io), io }
  }
  const now = ask(untilMs - 1)
  expect(now.counts).toBe(true)
  expect(now.io.out()).toMatch(
    /^CONTEXT +FLEET +NAME +ROLE +PERMISSIONS +SITES +UNTIL\nacme +acme +mia +operator +none +plant-a +2/,
  )
  const late = ask(untilMs, 'json')
  expect(late.counts).toBe(false)
  expect(JSON.parse(late.io.out())).toMatchObject([{ name: 'mia', ended: true, sites: ['plant-a'] }])
  expect(late.io.err()).toContain('edgedeck login')
  const nobody = { context: 'lab', identity: new IdentityFolder('/nonexistent'), format: 'table', nowMs: 0 } as const
  expect(() => runWhoami(nobody, new CapturedIo())).toThrow(expect.objectContaining({ code: 'IDENTITY_MISSING' }))
})

/** A list with another entry under the old signature. */
function forge(file: string): void {
  const list = acme.denyList()
  writeFileSync(file, JSON.stringify({ ...list, names: [{ name: 'node/plant-a/n1', before: 1, why: '' }] }))
}
