import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Issuer } from '../../../identity/issue.ts'
import { isSameKey, newKey, publicOf } from '../../../identity/keys.ts'
import { readPem, verifyChain } from '../../../identity/verify.ts'
import { type AuthorityFolder, openAuthority } from '../../../src/pki/authority-folder.ts'
import { createAuthority } from '../../../src/pki/create-authority.ts'
import { openSealedKey, sealKey } from '../../../src/pki/sealed-key.ts'

const ROOT = 'correct horse battery'
const ISSUING = 'staple of the press'
const NOW_MS = 1_793_000_000_000
const DAY_MS = 86_400_000

let home: string
let authority: AuthorityFolder
let issuing: Issuer

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'edgedeck-pki-'))
  const wish = { fleet: 'acme', rootPassphrase: ROOT, issuingPassphrase: ISSUING, nowMs: NOW_MS }
  await createAuthority({ ...wish, dir: join(home, 'acme') })
  authority = openAuthority(join(home, 'acme'))
  issuing = authority.unlockIssuing(ISSUING)
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

const press = { kind: 'node', fleet: 'acme', site: 'plant-a', node: 'press-4' } as const

describe('the folder of an authority', () => {
  it('holds sealed keys that only their passphrase opens, and that others cannot read', () => {
    for (const file of ['rootKey', 'issuingKey', 'issued'] as const) {
      expect(statSync(authority.path(file)).mode & 0o777).toBe(0o600)
      expect(readFileSync(authority.path(file), 'utf8')).not.toContain('PRIVATE KEY')
    }
    expect(statSync(authority.dir).mode & 0o777).toBe(0o700)
    expect(() => authority.unlockIssuing(ROOT)).toThrow(/the passphrase does not open .*issuing\.key/)
  })

  it('refuses a key that others can read, and says what to do', () => {
    chmodSync(authority.path('issuingKey'), 0o640)
    try {
      expect(() => authority.unlockIssuing(ISSUING)).toThrow(
        expect.objectContaining({
          code: 'PKI_UNUSABLE',
          next: expect.arrayContaining([expect.stringMatching(/^run "chmod 600 /)]),
        }),
      )
    } finally {
      chmodSync(authority.path('issuingKey'), 0o600)
    }
  })

  it('is never made over another', async () => {
    const wish = { dir: authority.dir, fleet: 'acme', rootPassphrase: ROOT, issuingPassphrase: ROOT, nowMs: NOW_MS }
    await expect(createAuthority(wish)).rejects.toMatchObject({ code: 'PKI_UNUSABLE' })
    expect(openAuthority(authority.dir).roots[0]?.raw.equals(authority.roots[0]?.raw ?? Buffer.alloc(0))).toBe(true)
  })

  it('writes down what it issues before it is handed out, past a line that was cut off', async () => {
    const wish = { named: press, publicKey: publicOf(newKey()), nowMs: NOW_MS }
    const first = await authority.issue(issuing, wish, 'pki')
    truncateSync(authority.path('issued'), statSync(authority.path('issued')).size - 9)
    const second = await authority.issue(issuing, wish, 'renew')
    expect(authority.issued()).toEqual({ records: [second.record], damaged: 1 })
    expect(second.record).toMatchObject({ name: 'node/plant-a/press-4', how: 'renew', key: first.record.key })
    const judged = { trust: authority.trust(), nowMs: NOW_MS, use: 'server' } as const
    expect(verifyChain(readPem(second.chainPem), judged)).toMatchObject({ ok: true, named: press })
  })

  it('says that the issuing certificate has to be renewed once it is over', async () => {
    const wish = { named: press, publicKey: publicOf(newKey()), nowMs: NOW_MS + 731 * DAY_MS }
    await expect(authority.issue(issuing, wish, 'pki')).rejects.toMatchObject({
      code: 'PKI_REFUSED',
      next: ['make a new one: edgedeck pki rotate issuing'],
    })
  })

  it('is told from a folder that is none', () => {
    expect(() => openAuthority(home)).toThrow(expect.objectContaining({ code: 'PKI_UNUSABLE' }))
  })
})

describe('the deny list of an authority', () => {
  const entry = (n: number) => ({ serial: `0${n}`, until: NOW_MS + DAY_MS, why: 'lost' })

  it('loses nothing that another process denies at the same time', () => {
    const other = openAuthority(authority.dir)
    const before = authority.denied()?.version ?? 0
    authority.deny(
      issuing,
      (denied) => {
        // The other one comes in between, once: after that this change starts again from what it wrote.
        if (!denied.serials.some(({ serial }) => serial === '02')) {
          other.deny(issuing, (held) => ({ ...held, serials: [...held.serials, entry(2)] }), NOW_MS)
        }
        return { ...denied, serials: [...denied.serials, entry(1)] }
      },
      NOW_MS,
    )
    expect(other.denied()).toMatchObject({ version: before + 2, serials: [entry(2), entry(1)] })
    expect(JSON.parse(readFileSync(authority.path('deny'), 'utf8'))).toEqual(other.denied())
  })

  it('comes back when its file is lost, and is not taken when it was changed', () => {
    const list = authority.denied()
    unlinkSync(authority.path('deny'))
    expect(authority.denied()).toEqual(list)
    writeFileSync(authority.path('deny'), JSON.stringify({ ...list, serials: [] }))
    expect(() => authority.denied()).toThrow(/signature of the deny list is wrong/)
    writeFileSync(authority.path('deny'), JSON.stringify(list))
  })

  it('drops entries that hit nothing any more', () => {
    const list = authority.deny(issuing, (denied) => denied, NOW_MS + 2 * DAY_MS)
    expect(list.serials).toEqual([])
  })
})

describe('a sealed key', () => {
  it('is refused with any byte of it changed', () => {
    const key = newKey()
    const text = sealKey(key, 'root of acme', ROOT)
    expect(isSameKey(openSealedKey(text, ROOT, 'root.key'), key)).toBe(true)
    const sealed = JSON.parse(text)
    for (const changed of [
      { ...sealed, holder: 'root of other' },
      { ...sealed, data: `A${sealed.data.slice(1)}`.replace(sealed.data, `B${sealed.data.slice(1)}`) },
      { ...sealed, tag: Buffer.alloc(16).toString('base64') },
      { ...sealed, cipher: { ...sealed.cipher, iv: Buffer.alloc(12).toString('base64') } },
    ]) {
      expect(() => openSealedKey(JSON.stringify(changed), ROOT, 'root.key')).toThrow(/does not open/)
    }
    const cheap = { ...sealed, kdf: { ...sealed.kdf, n: 2 ** 14 } }
    expect(() => openSealedKey(JSON.stringify(cheap), ROOT, 'root.key')).toThrow(/holds no sealed key/)
  })

  it('is opened by the same letters however a keyboard makes them', () => {
    const key = newKey()
    const text = sealKey(key, 'x', 'schl\u00fcssel-bund')
    expect(isSameKey(openSealedKey(text, 'schlu\u0308ssel-bund', 'x'), key)).toBe(true)
  })
})
