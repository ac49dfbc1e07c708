import { execFileSync } from 'node:child_process'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newKey } from '../../../identity/keys.ts'
import { makeRequest } from '../../../identity/request.ts'
import { newNonce } from '../../../identity/signing.ts'
import { readPem, verifyChain } from '../../../identity/verify.ts'
import { LOGIN_NAMESPACE, type LoginRequest, loginText } from '../../../protocol/enrolment.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { ControllerHome, given, LocalController, refused } from '../../support/fleet-controller.ts'

let home: ControllerHome
let controller: LocalController
let operatorsFile: string

/** Lines of `operators.yaml` for somebody with the key of this name. */
function operator(name: string, keyName: string, more = ''): string {
  const key = readFileSync(join(home.dir, `${keyName}.pub`), 'utf8').trim()
  return `  - { name: ${name}, role: operator, permissions: [data], sites: [plant-a], keys: ["${key}"]${more} }\n`
}

beforeAll(async () => {
  home = await ControllerHome.create()
  for (const name of ['mia', 'eve']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(home.dir, name)])
  }
  operatorsFile = join(home.dir, 'operators.yaml')
  writeFileSync(operatorsFile, `operators:\n${operator('mia', 'mia')}`)
  home.configure({ operators: { file: operatorsFile }, limits: { refusalsPerMin: 1000 } })
  controller = await new LocalController(home).start()
})

afterAll(async () => {
  await controller[Symbol.asyncDispose]()
  home[Symbol.dispose]()
})

/** A login as `ssh-keygen` signs it; `change` is what is sent instead of what was signed. */
async function login(
  name: string,
  keyName: string,
  wish: { fleet?: string; namespace?: string; at?: number; change?: Partial<LoginRequest> } = {},
) {
  const { fleet = 'acme', namespace = LOGIN_NAMESPACE, at = Date.now(), change = {} } = wish
  const body = { name, csr: await makeRequest(newKey()), at, nonce: newNonce() }
  const signature = execFileSync('ssh-keygen', ['-Y', 'sign', '-q', '-n', namespace, '-f', join(home.dir, keyName)], {
    input: loginText(body, fleet),
    stdio: ['pipe', 'pipe', 'ignore'],
  }).toString()
  return controller.client.post('/v1/login', { ...body, signature, ...change })
}

test('an operator gets the certificate of a shift with the rights of the file', async () => {
  const [leaf, ...others] = readPem(given(await login('mia', 'mia')).certificate)
  if (leaf === undefined) throw new Error('no certificate')
  const trust = home.authority.trust()
  expect(verifyChain([leaf, ...others], { trust, nowMs: Date.now(), use: 'client' })).toMatchObject({
    ok: true,
    named: { kind: 'operator', name: 'mia', rights: { role: 'operator', permissions: ['data'], sites: ['plant-a'] } },
  })
  expect(leaf.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(12 * 3_600_000)
})

test('nobody else gets one, and is told no more than that', async () => {
  const answers = [
    await login('mia', 'eve'),
    await login('eve', 'eve'),
    await login('mia', 'mia', { namespace: 'git' }),
    await login('mia', 'mia', { fleet: 'other' }),
    await login('mia', 'mia', { change: { csr: await makeRequest(newKey()) } }),
    await login('mia', 'mia', { change: { at: Date.now() + 60_000 } }),
    await login('mia', 'mia', { change: { signature: 'none' } }),
  ]
  expect(answers.map(refused)).toEqual(Array(7).fill('LOGIN_REFUSED'))
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
  // The log says who it was said to be, from where, and why not.
  const logged = controller.events('login.refused')
  expect(logged).toHaveLength(7)
  for (const line of logged)
    expect(line).toMatchObject({ name: expect.stringMatching(/^(?:mia|eve)$/), address: '127.0.0.1' })
  expect(logged[1]).toMatchObject({ name: 'eve', msg: 'there is no such operator' })
  const late = await login('mia', 'mia', { at: Date.now() - 360_000 })
  expect([refused(late), late.text]).toEqual(['LOGIN_REFUSED', expect.stringContaining('set the clock')])
})

test('the file is read again when it changes; with a fault the last good one stays in force', async () => {
  appendFileSync(operatorsFile, operator('eve', 'eve'))
  await eventually(async () => (await login('eve', 'eve')).status === 200)
  appendFileSync(operatorsFile, '  - { name: tom }\n')
  await eventually(() => controller.events('operators.faulty').length > 0)
  expect(controller.events('operators.faulty')[0]?.msg).toContain('operators.yaml:4')
  given(await login('eve', 'eve'))
  writeFileSync(operatorsFile, `operators:\n${operator('mia', 'mia')}`)
  await eventually(async () => (await login('eve', 'eve')).status === 403)
})

test('who was revoked logs in again only when an admin says since when that is over', async () => {
  home.revoke('operator/mia')
  await eventually(async () => refused(await login('mia', 'mia')) === 'IDENTITY_REVOKED')
  const since = new Date(Date.now() + 2000).toISOString()
  writeFileSync(operatorsFile, `operators:\n${operator('mia', 'mia', `, since: "${since}"`)}`)
  await eventually(async () => (await login('mia', 'mia')).status === 200)
  const [leaf] = readPem(given(await login('mia', 'mia')).certificate)
  const verdict = verifyChain([leaf as never, home.authority.issuing], {
    trust: home.authority.trust(),
    nowMs: Date.now() + 2000,
    use: 'client',
  })
  expect(verdict).toMatchObject({ ok: true })
})
