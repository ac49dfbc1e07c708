import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyDenyList } from '../../../identity/deny-list.ts'
import { newKey, publicOf } from '../../../identity/keys.ts'
import { isSignedBy } from '../../../identity/signing.ts'
import { verifyPinnedBundle } from '../../../identity/trust-bundle.ts'
import { readPem, verifyChain } from '../../../identity/verify.ts'
import {
  enrolmentAnswerSchema,
  type JoinToken,
  joinTokenText,
  MAX_HOLD_SEC,
  readJoinToken,
  timeAnswerSchema,
  timeText,
} from '../../../protocol/enrolment.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { ControllerHome, given, LocalController, PASSPHRASE, refused } from '../../support/fleet-controller.ts'

const DAY_MS = 86_400_000

let home: ControllerHome
let controller: LocalController

beforeAll(async () => {
  home = await ControllerHome.create()
  home.configure({
    sites: ['plant-a', 'plant-b'],
    limits: { refusalsPerMin: 1000 },
    metrics: { listen: '127.0.0.1:0' },
  })
  controller = await new LocalController(home).start()
})

afterAll(async () => {
  await controller[Symbol.asyncDispose]()
  home[Symbol.dispose]()
})

/** A token with something in it changed. */
function changed(text: string, change: Partial<JoinToken>): string {
  return joinTokenText({ ...(readJoinToken(text) as JoinToken), ...change })
}

describe('a node that joins', () => {
  test('gets a certificate for its name that the pin of the token leads to', async () => {
    const token = home.token('plant-a', 'press-1')
    const { f: fleet, p: pin } = readJoinToken(token) as JoinToken
    const key = newKey()
    const answer = enrolmentAnswerSchema.parse(given(await controller.client.join(token, key)))
    const trust = verifyPinnedBundle(answer.trust, { fleet, pin })
    if (!trust.ok) throw new Error(trust.msg)
    const chain = readPem(answer.certificate)
    const believed = { fleet, roots: trust.roots, revoked: () => null }
    const verdict = verifyChain(chain, { trust: believed, nowMs: Date.now(), use: 'client' })
    expect(verdict).toMatchObject({ ok: true, named: { kind: 'node', site: 'plant-a', node: 'press-1' } })
    const lifeDays = ((chain[0]?.validToDate.getTime() ?? 0) - Date.now()) / DAY_MS
    expect(lifeDays).toBeGreaterThan(29.9)
    expect(verifyDenyList(answer.deny, { trust: believed, held: null })).toMatchObject({ ok: true })
    expect(answer.controllers).toEqual(['https://127.0.0.1:5444'])
  })

  test('may ask again with the same key, and no other key may use the token', async () => {
    const token = home.token('plant-a', 'press-2')
    const key = newKey()
    given(await controller.client.join(token, key))
    given(await controller.client.join(token, key))
    expect(refused(await controller.client.join(token))).toBe('TOKEN_USED')
    const [event] = controller.events('join.refused').slice(-1)
    expect(event).toMatchObject({ code: 'TOKEN_USED', site: 'plant-a', node: 'press-2', address: '127.0.0.1' })
    expect(event?.usedBy).not.toBe(event?.key)
  })

  test('is one of two that use a token at once', async () => {
    const token = home.token('plant-a', 'press-3')
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => controller.client.join(token)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status !== 200).map(refused)).toEqual(Array(5).fill('TOKEN_USED'))
  })

  test('is refused with a token that ended, was changed, cut off or made up', async () => {
    const nowMs = Date.now()
    const late = home.token('plant-a', 'late', { nowMs: nowMs - 20_000, ttlMs: 10_000 })
    expect(refused(await controller.client.join(late))).toBe('TOKEN_EXPIRED')
    const token = home.token('plant-a', 'press-4')
    const wrong: Partial<JoinToken>[] = [
      { s: 'plant-b' },
      { s: 'plant-c' },
      { n: 'press-5' },
      { f: 'other' },
      { k: 'A'.repeat(43) },
      { p: 'A'.repeat(43) },
    ]
    for (const change of wrong) {
      expect([change, refused(await controller.client.join(changed(token, change)))]).toEqual([change, 'TOKEN_INVALID'])
    }
    expect(refused(await controller.client.join(token.slice(0, -5)))).toBe('TOKEN_INVALID')
    const { text } = await controller.client.post('/v1/join', { token, csr: 'no request' })
    expect(text).toContain('REQUEST_MALFORMED')
    // None of that used it up.
    given(await controller.client.join(token))
  })

  test('takes a taken name only by a token of an admin, and the key before counts no more', async () => {
    const old = newKey()
    const before = given(await controller.client.join(home.token('plant-b', 'cam'), old))
    expect(refused(await controller.client.join(home.token('plant-b', 'cam')))).toBe('NAME_TAKEN')
    // Whoever can only write into the state folder cannot let a token replace a name.
    const forged = home.token('plant-b', 'cam', { replace: false })
    expect(refused(await controller.client.join(forged))).toBe('NAME_TAKEN')
    const next = newKey()
    const token = home.token('plant-b', 'cam', { replace: true })
    const after = given(await controller.client.join(token, next))
    const [gone] = readPem(before.certificate)
    const denied = after.deny as { serials: { serial: string; why: string }[] }
    expect(denied.serials).toContainEqual(expect.objectContaining({ serial: gone?.serialNumber }))
    expect(refused(await controller.client.renew(before.certificate, old))).toBe('IDENTITY_REVOKED')
    given(await controller.client.renew(after.certificate, next))
    given(await controller.client.join(token, next))
  })
})

describe('a node that renews', () => {
  test('gets a new certificate for its key, up to 90 days after the end of the last one', async () => {
    const key = newKey()
    const first = given(await controller.client.join(home.token('plant-a', 'oven'), key))
    given(await controller.client.renew(first.certificate, key))
    try {
      controller.shiftMs = (30 + 89) * DAY_MS
      const late = given(await controller.client.renew(first.certificate, key))
      expect(readPem(late.certificate)[0]?.publicKey.equals(readPem(first.certificate)[0]?.publicKey as never)).toBe(
        true,
      )
      controller.shiftMs = (30 + 91) * DAY_MS
      const tooLate = await controller.client.renew(first.certificate, key)
      expect(refused(tooLate)).toBe('IDENTITY_REFUSED')
      expect(tooLate.text).toContain('91 days ago')
    } finally {
      controller.shiftMs = 0
    }
  })

  test('is refused without its key, for another key, and by a certificate of another fleet', async () => {
    controller.shiftMs = 122 * DAY_MS
    const key = newKey()
    const nowMs = Date.now() + controller.shiftMs
    const { certificate } = given(await controller.client.join(home.token('plant-a', 'saw', { nowMs }), key))
    expect(refused(await controller.client.renew(certificate, key, newKey()))).toBe('IDENTITY_REFUSED')
    expect(refused(await controller.client.renew(certificate, newKey(), key))).toBe('IDENTITY_REFUSED')
    using other = await ControllerHome.create()
    const issuing = other.authority.unlockIssuing(PASSPHRASE)
    const named = { kind: 'node', fleet: 'acme', site: 'plant-a', node: 'saw' } as const
    const stranger = await other.authority.issue(issuing, { named, publicKey: publicOf(key), nowMs }, 'pki')
    expect(refused(await controller.client.renew(stranger.chainPem, key))).toBe('IDENTITY_REFUSED')
    expect(refused(await controller.client.renew('no certificate', key))).toBe('REQUEST_MALFORMED')
  })

  test('is refused once it was revoked, and may join again by an admin', async () => {
    const key = newKey()
    const nowMs = () => Date.now() + controller.shiftMs
    const { certificate } = given(await controller.client.join(home.token('plant-a', 'lathe', { nowMs: nowMs() }), key))
    home.revoke('node/plant-a/lathe', nowMs())
    await eventually(async () => (await controller.client.renew(certificate, key)).status === 403)
    expect(refused(await controller.client.renew(certificate, key))).toBe('IDENTITY_REVOKED')
    expect(refused(await controller.client.join(home.token('plant-a', 'lathe', { nowMs: nowMs() }), key))).toBe(
      'NAME_TAKEN',
    )
    const token = home.token('plant-a', 'lathe', { nowMs: nowMs(), replace: true })
    given(await controller.client.join(token, newKey()))
  })
})

describe('what everybody is told', () => {
  test('the deny list comes as soon as it changes, and 304 when it does not', async () => {
    const key = newKey()
    const nowMs = Date.now() + controller.shiftMs
    const { certificate } = given(await controller.client.join(home.token('plant-a', 'watcher', { nowMs }), key))
    const who = { certificate, key }
    const held = JSON.parse((await controller.client.deny('', who)).text) as { version: number }
    const quiet = await controller.client.deny(`?after=${held.version}&hold=1`, who)
    expect(quiet).toMatchObject({ status: 304, text: '' })
    const waiting = controller.client.deny(`?after=${held.version}`, who)
    const page = async () => (await fetch(`http://127.0.0.1:${controller.metricsPort}/metrics`)).text()
    await eventually(async () => (await page()).includes('edgectl_deny_waiting 1'))
    home.revoke('operator/mia', nowMs)
    const startMs = performance.now()
    const { text } = await waiting
    // Long before it is answered because nothing happened.
    expect(performance.now() - startMs).toBeLessThan(MAX_HOLD_SEC * 800)
    expect(JSON.parse(text)).toMatchObject({ version: held.version + 1 })
    expect((await controller.client.ask('/v1/deny')).status).toBe(403)
  })

  test('a signed time for a nonce, by the key of a controller', async () => {
    const askedAt = Date.now() + controller.shiftMs
    const { text } = await controller.client.ask('/v1/time?nonce=q83vASNFZ4mrze8BI0VniQ')
    const time = timeAnswerSchema.parse(JSON.parse(text))
    const chain = time.chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
    const trust = home.authority.trust()
    expect(verifyChain(chain, { trust, nowMs: time.at, use: 'server' })).toMatchObject({
      ok: true,
      named: { kind: 'controller', name: 'controller' },
    })
    expect(isSignedBy(timeText(time), time.signature, chain[0]?.publicKey as never)).toBe(true)
    expect(time.at).toBeGreaterThanOrEqual(askedAt)
    expect(time.at).toBeLessThanOrEqual(Date.now() + controller.shiftMs)
    expect((await controller.client.ask('/v1/time?nonce=short')).status).toBe(400)
  })

  test('health, readiness and counts; counts only to members, or on loopback', async () => {
    expect((await controller.client.ask('/healthz')).status).toBe(200)
    expect((await controller.client.ask('/readyz')).status).toBe(200)
    expect((await controller.client.ask('/metrics')).status).toBe(403)
    const plain = await fetch(`http://127.0.0.1:${controller.metricsPort}/metrics`)
    const page = await plain.text()
    expect(page).toMatch(/edgectl_given_total\{work="join"\} [1-9]/)
    expect(page).toMatch(/edgectl_refused_total\{work="join",reason="TOKEN_USED"\} [1-9]/)
    expect(page).toMatch(/edgectl_certificate_ends_in_seconds\{certificate="issuing"\} \d+/)
    expect((await fetch(`http://127.0.0.1:${controller.metricsPort}/v1/trust`)).status).toBe(404)
  })

  test('a clock that went back gives nothing out and says why', async () => {
    const shiftMs = controller.shiftMs
    try {
      controller.shiftMs = -DAY_MS
      const answer = await controller.client.join(home.token('plant-a', 'back'))
      expect([answer.status, refused(answer)]).toEqual([503, 'CONTROLLER_FAILING'])
      expect((await controller.client.ask('/readyz')).text).toContain('the clock says')
    } finally {
      controller.shiftMs = shiftMs
    }
  })

  test('the listener shows a certificate that Node believes for its address, by TLS 1.3 alone', async () => {
    const answer = await controller.client.ask('/v1/trust', {
      rejectUnauthorized: true,
      ca: home.authority.rootsPem(),
      minVersion: 'TLSv1.3',
    })
    expect(answer.status).toBe(200)
    await expect(controller.client.ask('/v1/trust', { maxVersion: 'TLSv1.2' })).rejects.toThrow()
  })
})
