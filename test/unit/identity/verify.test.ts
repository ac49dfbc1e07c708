import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { fingerprintOf } from '../../../identity/fingerprint.ts'
import { makeIssuing, makeRoot } from '../../../identity/issue.ts'
import { newKey, publicOf } from '../../../identity/keys.ts'
import { namedBy, type Trust, type Verdict, verifyChain, verifyIssuer } from '../../../identity/verify.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { AUTHORITY, LEAF, OpensslAuthority, type OpensslCertificate } from '../../support/openssl-authority.ts'

const DAY_MS = 86_400_000
const NODE = 'subjectAltName=URI:edgedeck://acme/node/plant-a/press-4'

let openssl: OpensslAuthority
let root: OpensslCertificate
let issuing: OpensslCertificate
let ours: FleetAuthority

beforeAll(async () => {
  openssl = new OpensslAuthority()
  root = openssl.make('acme root', AUTHORITY)
  issuing = openssl.make('acme issuing', AUTHORITY, { issuer: root })
  ours = await FleetAuthority.create()
})
afterAll(() => {
  openssl[Symbol.dispose]()
  ours[Symbol.dispose]()
})

function trustIn(...roots: readonly OpensslCertificate[]): Trust {
  return { roots: roots.map(({ certificate }) => certificate), fleet: 'acme', revoked: () => null }
}

/** What is said of a chain of openssl's below its root, now, as a client. */
function judge(chain: readonly OpensslCertificate[], trust = trustIn(root), nowMs = Date.now()): Verdict {
  const certificates = chain.map(({ certificate }) => certificate)
  return verifyChain(certificates, { trust, nowMs, use: 'client' })
}

function leaf(
  extensions: readonly string[] = [...LEAF, NODE],
  issuer = issuing,
  commonName = 'leaf',
): OpensslCertificate {
  return openssl.make(commonName, extensions, { issuer })
}

describe('a chain made by openssl', () => {
  it('is believed when it leads to a root, in whatever order it comes and with whatever else', () => {
    const node = leaf()
    const named = { kind: 'node', fleet: 'acme', site: 'plant-a', node: 'press-4' }
    expect(judge([node, issuing])).toMatchObject({ ok: true, named })
    const stray = openssl.make('stray', AUTHORITY)
    for (const order of [
      [node, issuing, root],
      [node, root, stray, issuing],
      [node, stray, issuing, stray],
    ]) {
      expect(judge(order)).toMatchObject({ ok: true, named })
    }
    expect(judge([])).toMatchObject({ why: 'untrusted' })
    expect(judge([node])).toMatchObject({ why: 'untrusted', msg: 'the certificate is not from this fleet' })
  })

  it('is not believed by its own word, nor below another root of the same name', () => {
    const twin = openssl.make('acme root', AUTHORITY)
    const below = openssl.make('acme issuing', AUTHORITY, { issuer: twin })
    expect(judge([openssl.make('self', [...LEAF, NODE])])).toMatchObject({ why: 'untrusted' })
    expect(judge([leaf([...LEAF, NODE], below), below, twin])).toMatchObject({ why: 'untrusted' })
    // With both roots of one name believed, each chain finds its own.
    for (const by of [issuing, below]) {
      expect(judge([leaf([...LEAF, NODE], by), below, issuing], trustIn(twin, root))).toMatchObject({ ok: true })
    }
  })

  it('counts in its time only, by the clock that is asked', () => {
    const node = leaf()
    const at = (days: number) => judge([node, issuing], trustIn(root), Date.now() + days * DAY_MS)
    expect(at(19)).toMatchObject({ ok: true })
    expect(at(21)).toMatchObject({
      ok: false,
      why: 'expired',
      msg: expect.stringMatching(/^the certificate ended at /),
    })
    expect(at(-1)).toMatchObject({ ok: false, why: 'not_yet_valid', msg: expect.stringMatching(/valid from/) })
  })

  it.each([
    ['is for servers only', ['basicConstraints=CA:FALSE', 'extendedKeyUsage=serverAuth', NODE], 'not for a client'],
    ['does not say what it is for', ['basicConstraints=CA:FALSE', NODE], 'not for a client'],
    ['is an authority', [...AUTHORITY, 'extendedKeyUsage=clientAuth', NODE], 'not for a client'],
    ['has a key that may not sign', [...LEAF, 'keyUsage=critical,keyAgreement', NODE], 'not for a client'],
    ['has no name', LEAF, 'names nobody'],
    [
      'has two names',
      [...LEAF, `${NODE},URI:edgedeck://acme/operator/mia?role=admin&permissions=&sites=*`],
      'names nobody',
    ],
    ['has a name and one of another kind', [...LEAF, `${NODE},URI:spiffe://acme/press-4`], 'names nobody'],
    [
      'has a name that is not encoded',
      [...LEAF, 'subjectAltName=URI:edgedeck://acme/node/plant a/press-4'],
      'names nobody',
    ],
    [
      'has its name as a host name',
      [...LEAF, 'subjectAltName=DNS:edgedeck://acme/node/plant-a/press-4'],
      'names nobody',
    ],
    [
      'hides a name in a host name',
      [...LEAF, 'subjectAltName=@alt', '[alt]', 'DNS.1=x\\, URI:edgedeck://acme/node/a/b'],
      'names nobody',
    ],
  ])('is not believed for one that %s', (_what, extensions, msg) => {
    expect(judge([leaf(extensions), issuing])).toMatchObject({
      ok: false,
      why: 'misused',
      msg: expect.stringContaining(msg),
    })
  })

  it('is not believed by the name in its subject', () => {
    const node = leaf(LEAF, issuing, 'edgedeck:\\/\\/acme\\/node\\/plant-a\\/press-4')
    expect(node.certificate.subject).toContain('edgedeck://acme/node/plant-a/press-4')
    expect(judge([node, issuing])).toMatchObject({ why: 'misused' })
  })

  it('is not believed when it is of another fleet below the same root', () => {
    const other = leaf([...LEAF, 'subjectAltName=URI:edgedeck://other/node/plant-a/press-4'])
    expect(judge([other, issuing])).toEqual({
      ok: false,
      why: 'untrusted',
      msg: 'the certificate is from the fleet other',
    })
  })

  it('is not believed through somebody who may not sign', () => {
    const node = leaf()
    expect(judge([leaf([...LEAF, NODE], node), node, issuing])).toMatchObject({ why: 'untrusted' })
    const silent = openssl.make('silent', ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,digitalSignature'], {
      issuer: root,
    })
    expect(judge([leaf([...LEAF, NODE], silent), silent])).toMatchObject({ why: 'untrusted' })
    const judged = { trust: trustIn(root), nowMs: Date.now() }
    expect(verifyIssuer([silent.certificate], judged)).toMatchObject({ why: 'misused' })
    const old = openssl.make('old', [], { issuer: root })
    expect(judge([leaf([...LEAF, NODE], old), old])).toMatchObject({ why: 'untrusted' })
  })

  it('is not believed when it is longer than an authority above allows', () => {
    const narrow = openssl.make('narrow', ['basicConstraints=critical,CA:TRUE,pathlen:0'], { issuer: root })
    expect(judge([leaf([...LEAF, NODE], narrow), narrow])).toMatchObject({ ok: true })
    const further = openssl.make('further', AUTHORITY, { issuer: narrow })
    expect(judge([leaf([...LEAF, NODE], further), further, narrow])).toEqual({
      ok: false,
      why: 'untrusted',
      msg: 'the certificate is further from its root than that allows',
    })
    const deep = openssl.make('deep', AUTHORITY, { issuer: issuing })
    const deeper = openssl.make('deeper', AUTHORITY, { issuer: deep })
    expect(judge([leaf([...LEAF, NODE], deep), deep, issuing])).toMatchObject({ ok: true })
    expect(judge([leaf([...LEAF, NODE], deeper), deeper, deep, issuing])).toMatchObject({ why: 'untrusted' })
  })

  it('is not believed when a critical extension is not understood, in the leaf or above', () => {
    const strange = '1.2.3.4=critical,ASN1:UTF8String:only on Sundays'
    expect(judge([leaf([...LEAF, NODE, strange]), issuing])).toMatchObject({ why: 'untrusted' })
    expect(judge([leaf([...LEAF, NODE, strange.replace('critical,', '')]), issuing])).toMatchObject({ ok: true })
    const bound = openssl.make('bound', [...AUTHORITY, 'nameConstraints=critical,excluded;DNS:example'], {
      issuer: root,
    })
    expect(judge([leaf([...LEAF, NODE], bound), bound])).toMatchObject({ why: 'untrusted' })
  })

  it('takes the good one of two ways to a root', () => {
    // The same issuing key below two roots, as while roots are changed.
    const next = openssl.make('acme root 2', AUTHORITY)
    const crossed = openssl.make('acme issuing', AUTHORITY, { issuer: next, key: issuing })
    const node = leaf()
    for (const roots of [[root], [next], [root, next], [next, root]]) {
      expect(judge([node, issuing, crossed], trustIn(...roots)), `${roots.length}`).toMatchObject({ ok: true })
      expect(judge([node, crossed, issuing], trustIn(...roots))).toMatchObject({ ok: true })
    }
    const bad = openssl.make('acme issuing', [...AUTHORITY, '1.2.3.4=critical,ASN1:NULL'], {
      issuer: root,
      key: issuing,
    })
    expect(judge([node, bad, issuing])).toMatchObject({ ok: true })
    expect(judge([node, bad])).toMatchObject({ why: 'untrusted' })
  })

  it('costs little whatever is sent along', () => {
    const node = leaf(
      [...LEAF, NODE],
      openssl.make('acme issuing', AUTHORITY, { issuer: openssl.make('x', AUTHORITY) }),
    )
    // Many that could be the issuer by name, and sign each other in circles.
    const crowd = Array.from({ length: 14 }, () => openssl.make('acme issuing', AUTHORITY, { key: issuing }))
    const found = leaf()
    const verified = vi.spyOn(X509Certificate.prototype, 'verify')
    try {
      expect(judge([node, ...crowd])).toMatchObject({ why: 'untrusted' })
      expect(judge([found, ...crowd])).toMatchObject({ why: 'untrusted' })
      expect(verified.mock.calls.length).toBeLessThanOrEqual(50)
    } finally {
      verified.mockRestore()
    }
  })

  it('is not believed with any byte of it changed', async () => {
    const { raw } = leaf().certificate
    let read = 0
    for (let at = 0; at < raw.length; at += 1) {
      const changed = Buffer.from(raw)
      changed.writeUInt8(changed.readUInt8(at) ^ 0x04, at)
      let certificate: X509Certificate
      try {
        certificate = new X509Certificate(changed)
      } catch {
        continue
      }
      read += 1
      const verdict = verifyChain([certificate, issuing.certificate], {
        trust: trustIn(root),
        nowMs: Date.now(),
        use: 'client',
      })
      expect(verdict.ok, `byte ${at}`).toBe(false)
    }
    expect(read).toBeGreaterThan(100)
  })
})

describe('a chain of our own authority', () => {
  const at = (trust = ours.trust(), nowMs = Date.now()) => ({ trust, nowMs, use: 'client' as const })

  it('is believed by openssl too', async () => {
    const node = await ours.node('plant-a', 'press-4')
    const args = [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-CAfile',
      ours.rootFile,
      '-untrusted',
      node.certFile,
      node.certFile,
    ]
    expect(execFileSync('openssl', args, { encoding: 'utf8' })).toContain(': OK')
  })

  it('counts no more once its serial, its name or who issued it is taken back', async () => {
    using authority = await FleetAuthority.create()
    const [press, mia] = [await authority.node('plant-a', 'press-4'), await authority.operator('mia')]
    const now = () => ({ trust: authority.trust(), nowMs: Date.now(), use: 'client' as const })
    expect(verifyChain(press.chain, now()).ok && verifyChain(mia.chain, now()).ok).toBe(true)
    const distrusted = { ...authority.trust(), distrusted: [fingerprintOf(authority.issuing.certificate)] }
    expect(verifyChain(press.chain, at(distrusted))).toMatchObject({ why: 'revoked' })

    authority.deny({ serials: [{ serial: press.certificate.serialNumber, until: Date.now() + DAY_MS, why: 'stolen' }] })
    expect(verifyChain(press.chain, now())).toEqual({
      ok: false,
      why: 'revoked',
      msg: 'the certificate was revoked: stolen',
    })
    expect(verifyChain((await authority.node('plant-a', 'press-4')).chain, now())).toMatchObject({ ok: true })
    const before = Math.floor(Date.now() / 1000) * 1000
    authority.deny({ names: [{ name: 'operator/mia', before, why: 'left' }] })
    expect(verifyChain(mia.chain, now())).toEqual({ ok: false, why: 'revoked', msg: 'operator/mia was revoked: left' })
    expect(verifyChain((await authority.operator('mia')).chain, now())).toMatchObject({ ok: true })
  })

  it('is not believed by another fleet, nor by another root of the same name', async () => {
    using other = await FleetAuthority.create('other')
    using twin = await FleetAuthority.create('acme')
    const press = await ours.node('plant-a', 'press-4')
    expect(verifyChain(press.chain, at(other.trust()))).toMatchObject({ why: 'untrusted' })
    expect(verifyChain([...press.chain, ours.root.certificate], at(twin.trust()))).toMatchObject({ why: 'untrusted' })
  })

  it('does not count as an authority', async () => {
    const press = await ours.node('plant-a', 'press-4')
    const judged = { trust: ours.trust(), nowMs: Date.now() }
    expect(verifyIssuer([ours.issuing.certificate], judged)).toBeNull()
    expect(verifyIssuer(press.chain, judged)).toMatchObject({ why: 'misused' })
    expect(verifyIssuer([ours.issuing.certificate], { ...judged, nowMs: Date.now() + 731 * DAY_MS })).toMatchObject({
      why: 'expired',
    })
  })

  it('cannot be made longer than a root allows', async () => {
    const nowMs = Date.now()
    const key = newKey()
    const top = { certificate: await makeRoot('acme', key, nowMs), key }
    const chain = []
    let above = top
    for (let depth = 0; depth < 3; depth += 1) {
      const below = newKey()
      const certificate = await makeIssuing(above, { fleet: 'acme', publicKey: publicOf(below), nowMs })
      chain.unshift(certificate)
      above = { certificate, key: below }
    }
    const trust = { roots: [top.certificate], fleet: 'acme' }
    expect(verifyIssuer(chain.slice(2), { trust, nowMs })).toBeNull()
    expect(verifyIssuer(chain.slice(1), { trust, nowMs })).toMatchObject({ why: 'untrusted' })
    expect(namedBy(top.certificate)).toBeNull()
  })
})
