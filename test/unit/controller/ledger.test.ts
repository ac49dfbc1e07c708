import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { JoinToken } from '../../../protocol/enrolment.ts'
import { hashOfSecret, type JoinAsk, Ledger, type LedgerEntry, replaceText } from '../../../src/controller/ledger.ts'
import { seededRandom } from '../../support/random.ts'

const HOUR_MS = 3_600_000

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function tokenOf(n: string, secret: string): JoinToken {
  return { u: 'https://c:5444', f: 'acme', s: 'plant', n, k: digest(secret), p: digest('root') }
}

function entryOf({ s: site, n: node, k }: JoinToken, replace = false): LedgerEntry {
  const body = { hash: hashOfSecret(k), site, node, expiresAt: HOUR_MS }
  return {
    e: 'token',
    ...body,
    at: 0,
    ...(replace ? { replace: Buffer.from(replaceText(body)).toString('base64') } : {}),
  }
}

function ask(token: JoinToken, key: string, more: Partial<JoinAsk> = {}): JoinAsk {
  // Whoever knows the text has signed it, here.
  const isReplaceSigned = (text: string, signature: string) => Buffer.from(signature, 'base64').toString() === text
  return { token, key: digest(key), nowMs: 1, deniedMs: null, isReplaceSigned, ...more }
}

test('a token that may replace a name does so for the node it was made for alone', () => {
  const ledger = new Ledger()
  ledger.own({ site: 'plant', node: 'n1', key: digest('old'), at: 0 })
  ledger.own({ site: 'plant', node: 'n2', key: digest('old'), at: 0 })
  const token = tokenOf('n1', 'a')
  const good = entryOf(token, true) as LedgerEntry & { e: 'token' }
  // The signature of one token under another, as whoever can write the journal would try.
  const other = tokenOf('n2', 'b')
  ledger.add({ ...(entryOf(other) as LedgerEntry & { e: 'token' }), replace: good.replace as string })
  ledger.add(good)
  expect(ledger.join(ask(other, 'thief'))).toMatchObject({ ok: false, code: 'NAME_TAKEN' })
  expect(ledger.join(ask(token, 'new'))).toMatchObject({ ok: true, replaced: digest('old') })
  expect(ledger.ownerOf('plant', 'n1')).toBe(digest('new'))
})

test('a used token is answered again for a day after its end, unless the name is another’s or was revoked', () => {
  const ledger = new Ledger()
  const token = tokenOf('n1', 'a')
  ledger.add(entryOf(token))
  expect(ledger.join(ask(token, 'k'))).toMatchObject({ ok: true })
  const later = { nowMs: HOUR_MS + 1 }
  expect(ledger.join(ask(token, 'k', later))).toMatchObject({ ok: true, entry: null })
  expect(ledger.join(ask(token, 'k', { ...later, deniedMs: 2 }))).toMatchObject({ ok: false, code: 'IDENTITY_REVOKED' })
  expect(ledger.join(ask(token, 'k', { nowMs: 26 * HOUR_MS }))).toMatchObject({ ok: false, code: 'TOKEN_EXPIRED' })
  ledger.own({ site: 'plant', node: 'n1', key: digest('offline'), at: 5 })
  expect(ledger.join(ask(token, 'k', later))).toMatchObject({ ok: false, code: 'IDENTITY_REFUSED' })
})

test('a certificate of before does not take a name back', () => {
  const ledger = new Ledger()
  const token = tokenOf('n1', 'a')
  ledger.add(entryOf(token))
  ledger.join(ask(token, 'k', { nowMs: 100 }))
  ledger.own({ site: 'plant', node: 'n1', key: digest('offline'), at: 99 })
  expect(ledger.ownerOf('plant', 'n1')).toBe(digest('k'))
})

test('whatever comes in which order, a token counts for one key and a name has one owner, also after a restart', () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = seededRandom(seed)
    const pick = (count: number): number => Math.floor(random() * count)
    const ledger = new Ledger()
    const journal: LedgerEntry[] = []
    const usedBy = new Map<string, string>()
    for (let step = 0; step < 80; step += 1) {
      const token = tokenOf(`n${pick(3)}`, `secret ${pick(6)}`)
      if (pick(3) === 0) {
        const entry = entryOf(token, pick(2) === 0)
        journal.push(entry)
        ledger.add(entry)
        continue
      }
      const asked = ask(token, `key ${pick(3)}`, { nowMs: step })
      const decision = ledger.join(asked)
      if (!decision.ok) continue
      if (decision.entry !== null) journal.push(decision.entry)
      const hash = hashOfSecret(token.k)
      expect(usedBy.get(hash) ?? asked.key).toBe(asked.key)
      usedBy.set(hash, asked.key)
      expect(ledger.ownerOf(token.s, token.n)).toBe(asked.key)
    }
    // A journal is followed by who writes it, so entries come twice; a restart reads them once.
    const again = new Ledger()
    for (const entry of [...journal, ...journal]) again.add(entry)
    for (const node of ['n0', 'n1', 'n2']) {
      expect([seed, node, again.ownerOf('plant', node)]).toEqual([seed, node, ledger.ownerOf('plant', node)])
    }
  }
})
