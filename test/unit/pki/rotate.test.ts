import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { verifyDenyList } from '../../../identity/deny-list.ts'
import { newKey, publicOf } from '../../../identity/keys.ts'
import { trustOf } from '../../../identity/trust.ts'
import { verifyTrustBundle } from '../../../identity/trust-bundle.ts'
import { readPem, verifyChain } from '../../../identity/verify.ts'
import { type AuthorityFolder, openAuthority } from '../../../src/pki/authority-folder.ts'
import { createAuthority } from '../../../src/pki/create-authority.ts'
import { replaceFile } from '../../../src/pki/durable-file.ts'
import { bound, finishRootRotation, rotateIssuing, rotateRoot } from '../../../src/pki/rotate.ts'

const PASSPHRASE = 'correct horse battery'
const NOW_MS = 1_793_000_000_000
const DAY_MS = 86_400_000
const press = { kind: 'node', fleet: 'acme', site: 'plant-a', node: 'press-4' } as const

let home: string
let count = 0
let before: AuthorityFolder
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'edgedeck-rotate-'))
  const wish = { fleet: 'acme', rootPassphrase: PASSPHRASE, issuingPassphrase: PASSPHRASE, nowMs: NOW_MS }
  await createAuthority({ ...wish, dir: join(home, 'acme') })
})
beforeEach(() => {
  count += 1
  const dir = join(home, String(count))
  // Sealing keys is meant to cost time, so every test takes a copy of the same ones.
  cpSync(join(home, 'acme'), dir, { recursive: true })
  before = openAuthority(dir)
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

const both = { rootPassphrase: PASSPHRASE, issuingPassphrase: PASSPHRASE, distrust: null, nowMs: NOW_MS }

async function leafOf(authority: AuthorityFolder) {
  const wish = { named: press, publicKey: publicOf(newKey()), nowMs: NOW_MS }
  return readPem((await authority.issue(authority.unlockIssuing(PASSPHRASE), wish, 'pki')).chainPem)
}

function isBelieved(chain: Awaited<ReturnType<typeof leafOf>>, by: AuthorityFolder): boolean {
  const trust = trustOf(by, null)
  return verifyChain(chain, { trust, nowMs: NOW_MS, use: 'server' }).ok
}

describe('a new issuing certificate', () => {
  it('leaves what the old one issued in force, and signs the deny list anew', async () => {
    const old = await leafOf(before)
    const held = before.denied()
    const after = await rotateIssuing(before, both)
    expect(isBelieved(old, after)).toBe(true)
    expect(isBelieved(await leafOf(after), before)).toBe(true)
    expect(verifyDenyList(after.denied(), { trust: trustOf(before, null), held: null })).toMatchObject({ ok: true })
    expect(after.denied()?.version).toBe((held?.version ?? 0) + 1)
    expect(after.denied()?.chain[0]).toBe(after.issuing.raw.toString('base64'))
  })

  it('ends what the old one issued when that is distrusted, for everybody with the new bundle', async () => {
    const old = await leafOf(before)
    const after = await rotateIssuing(before, { ...both, distrust: 'the controller was broken into' })
    expect(after.bundle.version).toBe(2)
    expect(isBelieved(old, after)).toBe(false)
    expect(isBelieved(await leafOf(after), after)).toBe(true)
    const trust = trustOf(after, null)
    expect(verifyDenyList(after.denied(), { trust, held: null }).ok).toBe(true)
    const earlier = JSON.parse(readFileSync(join(after.dir, 'denied', '1.json'), 'utf8'))
    expect(verifyDenyList(earlier, { trust, held: null }).ok).toBe(false)
  })

  it('is put in force after a crash between its key and its certificate', async () => {
    const after = await rotateIssuing(before, both)
    const pem = readFileSync(after.path('issuing'), 'utf8')
    // As a crash leaves it: the key is in its place, the certificate waits.
    replaceFile(join(after.dir, 'issuing-next.pem'), pem)
    renameSync(
      join(after.dir, `issuing-${before.issuing.serialNumber.slice(0, 8).toLowerCase()}.pem`),
      after.path('issuing'),
    )
    const opened = openAuthority(after.dir)
    expect(opened.issuing.serialNumber).toBe(after.issuing.serialNumber)
    expect(() => opened.unlockIssuing(PASSPHRASE)).not.toThrow()
    expect(existsSync(join(after.dir, 'issuing-next.pem'))).toBe(false)
  })
})

describe('a new root', () => {
  it('takes the place of the old one in steps in which nobody is locked out', async () => {
    const old = await leafOf(before)
    const version = before.denied()?.version ?? 0
    const overlap = await rotateRoot(before, { passphrase: PASSPHRASE, nowMs: NOW_MS })
    expect(overlap.roots).toHaveLength(2)
    const held = { fleet: 'acme', trusted: before.roots, held: before.bundle }
    expect(verifyTrustBundle(overlap.bundle, held)).toMatchObject({ ok: true })
    expect(isBelieved(old, overlap)).toBe(true)
    expect(isBelieved(await leafOf(overlap), before)).toBe(true)
    await expect(rotateRoot(overlap, { passphrase: PASSPHRASE, nowMs: NOW_MS })).rejects.toMatchObject({
      code: 'PKI_REFUSED',
    })
    expect(() => finishRootRotation(overlap, { passphrase: PASSPHRASE, nowMs: NOW_MS })).toThrow(/below the old root/)

    const below = await rotateIssuing(overlap, both)
    const young = await leafOf(below)
    expect(isBelieved(young, overlap)).toBe(true)
    expect(isBelieved(young, before)).toBe(false)
    expect(isBelieved(old, below)).toBe(true)
    expect(bound(below, NOW_MS)).toEqual([])

    const done = finishRootRotation(below, { passphrase: PASSPHRASE, nowMs: NOW_MS })
    expect(isBelieved(young, done)).toBe(true)
    expect(isBelieved(old, done)).toBe(false)
    expect(existsSync(done.path('oldRootKey'))).toBe(false)
    // Who was away all the time knows the old root alone, and finds the way by its last signature.
    expect(verifyTrustBundle(done.bundle, held)).toMatchObject({ ok: true })
    expect(verifyTrustBundle(before.bundle, { fleet: 'acme', trusted: done.roots, held: done.bundle }).ok).toBe(false)
    expect(done.denied()?.version).toBeGreaterThan(version)
  })

  it('waits for certificates that only the old one leads to', async () => {
    await leafOf(before)
    const overlap = await rotateRoot(before, { passphrase: PASSPHRASE, nowMs: NOW_MS })
    const below = await rotateIssuing(overlap, both)
    expect(bound(below, NOW_MS)).toMatchObject([{ name: 'node/plant-a/press-4' }])
    expect(bound(below, NOW_MS + 31 * DAY_MS)).toEqual([])
  })

  it('is not begun by a wrong passphrase', async () => {
    await expect(rotateRoot(before, { passphrase: 'something else', nowMs: NOW_MS })).rejects.toMatchObject({
      code: 'PASSPHRASE_WRONG',
    })
    expect(openAuthority(before.dir).bundle).toEqual(before.bundle)
  })
})
