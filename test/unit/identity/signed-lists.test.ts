import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DenyList, revokedBy, signDenyList, verifyDenyList } from '../../../identity/deny-list.ts'
import { issueLeaf, LIFE_MS } from '../../../identity/issue.ts'
import { isSameKey, newKey, publicOf } from '../../../identity/keys.ts'
import { makeRequest, readRequest } from '../../../identity/request.ts'
import {
  signTrustBundle,
  type TrustBundle,
  verifyPinnedBundle,
  verifyTrustBundle,
} from '../../../identity/trust-bundle.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'

let ours: FleetAuthority
let other: FleetAuthority
beforeAll(async () => {
  ours = await FleetAuthority.create('acme')
  other = await FleetAuthority.create('acme')
})
afterAll(() => {
  ours[Symbol.dispose]()
  other[Symbol.dispose]()
})

const signer = (of: FleetAuthority) => ({ root: of.root.certificate, key: of.root.key })

describe('a trust bundle', () => {
  const next = (changes: Partial<TrustBundle> = {}): Omit<TrustBundle, 'signatures'> => {
    const { v, fleet, roots, distrusted } = ours.bundle
    return { v, fleet, version: 2, roots: [...roots, other.rootPem], distrusted, ...changes }
  }
  const read = (value: unknown, held: TrustBundle | null = ours.bundle) =>
    verifyTrustBundle(value, { fleet: 'acme', trusted: [ours.root.certificate], held })

  it('is taken when a root that is trusted already signed it, whoever else did', () => {
    expect(read(signTrustBundle(next(), [signer(other), signer(ours)]))).toMatchObject({ ok: true })
    expect(read(signTrustBundle(next(), [signer(other)]))).toMatchObject({ why: 'untrusted' })
    expect(read(ours.bundle)).toMatchObject({ ok: true })
  })

  it('is refused when anything in it was changed after it was signed', () => {
    const signed = signTrustBundle(next(), [signer(ours)])
    expect(read({ ...signed, version: 3 })).toMatchObject({ why: 'untrusted' })
    expect(read({ ...signed, roots: [other.rootPem] })).toMatchObject({ why: 'untrusted' })
    expect(read({ ...signed, roots: ['-----BEGIN CERTIFICATE-----AA-----END CERTIFICATE-----'] })).toMatchObject({
      why: 'damaged',
    })
    expect(read({ ...signed, more: 1 })).toMatchObject({ why: 'damaged' })
    const stolen = signed.signatures.map(({ signature }) => ({ root: other.pin, signature }))
    expect(read({ ...signed, signatures: stolen })).toMatchObject({ why: 'untrusted' })
  })

  it('never goes back, and is never two things at one version', () => {
    const held = signTrustBundle(next(), [signer(ours)])
    expect(read(ours.bundle, held)).toMatchObject({ why: 'older' })
    expect(read(signTrustBundle(next({ roots: [ours.rootPem] }), [signer(ours)]), held)).toMatchObject({ why: 'older' })
    expect(read(signTrustBundle(next({ fleet: 'other' }), [signer(ours)]))).toMatchObject({ why: 'other_fleet' })
  })

  it('is believed at first by its pin alone', () => {
    expect(verifyPinnedBundle(ours.bundle, { fleet: 'acme', pin: ours.pin })).toMatchObject({ ok: true })
    expect(verifyPinnedBundle(other.bundle, { fleet: 'acme', pin: ours.pin })).toMatchObject({ why: 'untrusted' })
    // The pinned root stands in it, and somebody else signed.
    const mixed = signTrustBundle(next(), [signer(other)])
    expect(verifyPinnedBundle(mixed, { fleet: 'acme', pin: ours.pin })).toMatchObject({ why: 'untrusted' })
    expect(verifyPinnedBundle(null, { fleet: 'acme', pin: ours.pin })).toMatchObject({ why: 'damaged' })
  })
})

describe('a deny list', () => {
  const list = (changes: Partial<DenyList> = {}, by = ours): DenyList => {
    const { v, fleet, version, issuedAt, serials, names } = { ...ours.denyList(), version: 5, ...changes }
    return signDenyList(
      { v, fleet, version, issuedAt, serials, names },
      { chain: [by.issuing.certificate], key: by.issuing.key },
    )
  }
  const read = (value: unknown, held: DenyList | null = null) => verifyDenyList(value, { trust: ours.trust(), held })
  const entry = { name: 'operator/mia', before: 7, why: 'left' }

  it('is taken when the issuing certificate of the fleet signed it', async () => {
    expect(read(list())).toMatchObject({ ok: true })
    expect(read(list({}, other))).toMatchObject({ why: 'untrusted' })
    expect(read({ ...list(), names: [entry] })).toMatchObject({ why: 'untrusted' })
    expect(read(list({ fleet: 'other' }))).toMatchObject({ why: 'other_fleet' })
    expect(read({ ...list(), chain: ['AAAA'] })).toMatchObject({ why: 'damaged' })
    const { serials, names, fleet, issuedAt } = list()
    const mia = await ours.operator('mia')
    const forged = signDenyList(
      { v: 1, fleet, version: 6, issuedAt, serials, names },
      { chain: mia.chain, key: mia.key },
    )
    expect(read(forged)).toMatchObject({ why: 'untrusted', msg: expect.stringContaining('no authority') })
  })

  it('never goes back, is one thing at one version, and may be signed anew', () => {
    const held = list({ names: [entry] })
    expect(read(list({ version: 4, issuedAt: held.issuedAt + 1 }), held)).toMatchObject({ why: 'older' })
    expect(read(list({ version: 6, issuedAt: held.issuedAt - 1 }), held)).toMatchObject({ why: 'older' })
    expect(read(list({ names: [], issuedAt: held.issuedAt + 1 }), held)).toMatchObject({ why: 'older' })
    expect(read(list({ names: [entry], issuedAt: held.issuedAt + 1 }), held)).toMatchObject({ ok: true })
    expect(read(list({ version: 6, names: [] }), held)).toMatchObject({ ok: true })
  })

  it('counts when its issuer was valid, so that an ended key gives no right back', () => {
    const over = Date.now() + LIFE_MS.issuing + 1000
    expect(read(list({ issuedAt: over }))).toMatchObject({ why: 'untrusted' })
  })

  it('hits what began before, by the latest of several entries', async () => {
    const mia = await ours.operator('mia')
    const begin = mia.certificate.validFromDate.getTime()
    const says = (...befores: number[]) =>
      revokedBy({ serials: [], names: befores.map((before) => ({ ...entry, before })) })(mia.certificate, mia.named)
    expect(says(begin)).toBeNull()
    expect(says(begin + 1000)).toContain('left')
    expect(says(begin + 1000, begin)).toContain('left')
    expect(says(begin, begin + 1000)).toContain('left')
    const bo = await ours.operator('bo')
    expect(revokedBy({ serials: [], names: [{ ...entry, before: Date.now() }] })(bo.certificate, bo.named)).toBeNull()
    expect(revokedBy(null)(mia.certificate, mia.named)).toBeNull()
  })
})

describe('a certificate request', () => {
  it('is believed when it is signed by the key it holds, and that is a key of a fleet', async () => {
    const key = newKey()
    const pem = await makeRequest(key)
    const bytes = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
    const framed = (der: Buffer) =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
    expect(await readRequest(`by hand\r\n${pem.replaceAll('\n', '\r\n')}`)).toMatchObject({ ok: true })
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(at) ^ 0x01, at)
      // The lengths around what is signed may be written in several ways; the key is the one that signed in any case.
      const read = await readRequest(framed(changed))
      expect(!read.ok || isSameKey(read.publicKey, key), `byte ${at}`).toBe(true)
    }
    expect(await readRequest(framed(bytes.subarray(0, 90)))).toMatchObject({ ok: false })
    expect(await readRequest('')).toMatchObject({ msg: 'this is no certificate signing request in PEM' })
    expect(await readRequest('x'.repeat(9000))).toMatchObject({ ok: false })
  })
})

describe('issuing', () => {
  const wish = (changes: object) => {
    const named = { kind: 'service', fleet: 'acme', name: 'nats' } as const
    return issueLeaf(ours.issuing, { named, publicKey: publicOf(newKey()), nowMs: Date.now(), ...changes })
  }

  it('refuses what nobody could check', async () => {
    await expect(wish({ dns: ['hub:4222'] })).rejects.toThrow(RangeError)
    await expect(wish({ dns: ['a,URI:edgedeck://acme/operator/x'] })).rejects.toThrow(RangeError)
    await expect(wish({ ips: ['1.2.3'] })).rejects.toThrow(RangeError)
    await expect(wish({ lifeMs: LIFE_MS.service + 1 })).rejects.toThrow(RangeError)
    await expect(wish({ lifeMs: Number.NaN })).rejects.toThrow(RangeError)
    await expect(wish({ nowMs: Date.now() + LIFE_MS.issuing })).rejects.toThrow('the issuing certificate is over')
  })

  it('never lets a certificate outlive who issued it', async () => {
    const late = await wish({ nowMs: Date.now() + LIFE_MS.issuing - 60_000 })
    expect(late.validToDate).toEqual(ours.issuing.certificate.validToDate)
    const early = await wish({ dns: ['hub', '*.example'], ips: ['::1'] })
    expect(early.subjectAltName).toContain('DNS:*.example')
  })
})
