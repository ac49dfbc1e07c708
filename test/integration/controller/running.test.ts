import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newKey, publicOf } from '../../../identity/keys.ts'
import { newNatsKey } from '../../../identity/nats-key.ts'
import { makeRequest } from '../../../identity/request.ts'
import { readPem } from '../../../identity/verify.ts'
import { CONTROLLER_PATHS, type TimeAnswer } from '../../../protocol/enrolment.ts'
import { newSeeds } from '../../../src/nats-accounts/accounts.ts'
import { issuerOf } from '../../../src/nats-accounts/issuer.ts'
import { openAuthority } from '../../../src/pki/authority-folder.ts'
import { rotateIssuing } from '../../../src/pki/rotate.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { ControllerHome, given, LocalController, PASSPHRASE, refused } from '../../support/fleet-controller.ts'

let home: ControllerHome
let controller: LocalController

beforeAll(async () => {
  home = await ControllerHome.create()
  const issuer = join(home.dir, 'issuer.json')
  const facts = { fleet: 'acme', sites: ['plant'], servers: ['tls://hub.example:4222'] }
  writeFileSync(issuer, JSON.stringify(issuerOf(newSeeds(), facts, ['node', 'operator'])), { mode: 0o600 })
  home.configure({ nats: { issuer } })
  controller = await new LocalController(home).start()
})

afterAll(async () => {
  await controller[Symbol.asyncDispose]()
  home[Symbol.dispose]()
})

/** Join with a key for NATS too. */
async function joinBus(site: string, node: string) {
  const natsKey = newNatsKey().publicKey
  const body = { token: home.token(site, node), csr: await makeRequest(newKey()), natsKey }
  return { natsKey, answer: given(await controller.client.post(CONTROLLER_PATHS.join, body)) }
}

test('a node that sends a key for NATS gets credentials for its own name, which end with its certificate', async () => {
  const { natsKey, answer } = await joinBus('plant', 'press-4.local')
  expect(answer.nats?.servers).toEqual(['tls://hub.example:4222'])
  const [, payload = ''] = answer.nats?.jwt.split('.') ?? []
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string; name: string; exp: number }
  expect(claims).toMatchObject({ sub: natsKey, name: expect.stringMatching(/^plant\.press-4/) })
  expect(claims.exp * 1000).toBe(readPem(answer.certificate)[0]?.validToDate.getTime())
  // A site that the bus does not hold costs the credentials and not the identity, and the log says why.
  const other = await joinBus('elsewhere', 'n1')
  expect(other.answer.nats).toBeUndefined()
  expect(controller.events('nats.failed')).toMatchObject([{ name: 'node/elsewhere/n1' }])
})

test('a changed issuing certificate is taken over while it runs, and renews what the old one issued', async () => {
  const key = newKey()
  const before = given(await controller.client.join(home.token('plant', 'oven'), key))
  const rotated = await rotateIssuing(home.authority, {
    rootPassphrase: PASSPHRASE,
    issuingPassphrase: PASSPHRASE,
    distrust: null,
    nowMs: Date.now(),
  })
  const signer = async (): Promise<string | undefined> => {
    const { text } = await controller.client.ask(`${CONTROLLER_PATHS.time}?nonce=${'A'.repeat(22)}`)
    return (JSON.parse(text) as TimeAnswer).chain[1]
  }
  await eventually(async () => (await signer()) === rotated.issuing.raw.toString('base64'))
  const after = given(await controller.client.renew(before.certificate, key))
  expect(readPem(after.certificate)[1]?.raw.equals(rotated.issuing.raw)).toBe(true)
  // The listener shows a certificate of the new one, and a token may replace a name by the new key alone.
  const strict = { rejectUnauthorized: true, ca: rotated.rootsPem() }
  expect((await controller.client.ask(CONTROLLER_PATHS.trust, strict)).status).toBe(200)
  const stale = home.token('plant', 'oven', { replace: false })
  expect(refused(await controller.client.join(stale))).toBe('NAME_TAKEN')
})

test('a name that was certified at the command line is taken, and its key renews here', async () => {
  const key = newKey()
  const named = { kind: 'node', fleet: 'acme', site: 'plant', node: 'cellar' } as const
  const opened = openAuthority(home.authority.dir)
  const issuing = opened.unlockIssuing(PASSPHRASE)
  const { chainPem } = await opened.issue(issuing, { named, publicKey: publicOf(key), nowMs: Date.now() }, 'pki')
  expect(refused(await controller.client.join(home.token('plant', 'cellar')))).toBe('NAME_TAKEN')
  given(await controller.client.renew(chainPem, key))
})
