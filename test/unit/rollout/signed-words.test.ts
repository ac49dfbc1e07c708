import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSignedBy } from '../../../identity/signing.ts'
import { mandateSchema, mandateText } from '../../../protocol/change.ts'
import type { Rights } from '../../../protocol/rights.ts'
import { readIdentityFolder } from '../../../src/identity/identity-folder.ts'
import type { OperatorIdentity } from '../../../src/identity/operator-identity.ts'
import type { JournalEntry, Plan } from '../../../src/rollout/contract.ts'
import { fold } from '../../../src/rollout/fold.ts'
import { MandateBook, signMandates } from '../../../src/rollout/mandates.ts'
import { signWord, type UnsignedWord, weighed } from '../../../src/rollout/signed-words.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { planOf, took } from '../../support/rollout/events.ts'

let authority: FleetAuthority
let mia: OperatorIdentity
const plan = planOf(['n1', 'n2', 'n3'])
const DECISION = { type: 'person.decided', term: 0, decision: 'pause', wave: null, why: null } as const

beforeAll(async () => {
  authority = await FleetAuthority.create()
  mia = await logIn('mia')
})

afterAll(() => authority?.[Symbol.dispose]())

async function logIn(name: string, rights: Partial<Rights> = {}): Promise<OperatorIdentity> {
  const { dir } = await authority.operator(name, rights)
  const identity = readIdentityFolder(dir)
  if (identity === null) throw new Error('nobody logged in')
  return identity
}

function entry(seq: number, word: UnsignedWord, who: OperatorIdentity | null, rollout = 'r1'): JournalEntry {
  return { seq, event: signWord(word, { rollout, seq }, who, 'somebody') }
}

function start(who: OperatorIdentity | null, its: Plan = plan): JournalEntry {
  return entry(1, { type: 'rollout.started', at: Date.now(), term: 0, plan: its, why: null }, who)
}

const faults = (entries: readonly JournalEntry[]): (string | undefined)[] =>
  weighed(entries, 'r1', plan, (chain, atMs) => mia.judgeSigner(chain, atMs)).map(({ ignored }) => ignored)

describe('what people say in a journal', () => {
  test('counts when somebody signed it who may, and is unsigned where nobody has a name', () => {
    const entries = [start(mia), entry(2, { ...DECISION, at: Date.now() }, mia)]
    expect(faults(entries)).toEqual([undefined, undefined])
    const plain = [start(null), entry(2, { ...DECISION, at: Date.now() }, null)]
    expect(weighed(plain, 'r1', plan, null)).toEqual(plain)
    expect(faults(plain)).toEqual(['nobody signed it', 'nobody signed it'])
  })

  test('does not count when anything of it was changed, or it is said again in another place', () => {
    const said = entry(2, { ...DECISION, at: Date.now() }, mia)
    const { event } = said
    if (event.type !== 'person.decided') throw new Error('it is a decision')
    const changed: JournalEntry[] = [
      { seq: 2, event: { ...event, decision: 'abort' } },
      { seq: 2, event: { ...event, wave: 'canary' } },
      { seq: 2, event: { ...event, why: 'x' } },
      { seq: 2, event: { ...event, at: event.at + 1 } },
      { seq: 2, event: { ...event, by: { ...event.by, name: 'eve' } } },
      { seq: 3, event },
    ]
    for (const one of changed) expect(faults([one])[0]).toMatch(/signature of mia is not over this|signed by mia/)
    expect(faults([said])).toEqual([undefined])
    const begun = start(mia)
    if (begun.event.type !== 'rollout.started') throw new Error('it is a start')
    const other = { ...begun.event, plan: { ...plan, strategy: { ...plan.strategy, soakSec: 0 } } }
    expect(faults([{ seq: 1, event: other }])[0]).toContain('is not over this')
    expect(faults([start(mia, { ...plan, rollout: 'r2' })])[0]).toContain('of another rollout')
  })

  test('counts only by operators of all the sites, and to pause one of them is enough', async () => {
    const two = { ...plan, nodes: plan.nodes.map((node, at) => (at === 0 ? node : { ...node, site: 'harbour' })) }
    const [some, viewer] = [
      await logIn('sam', { role: 'operator', sites: ['plant'] }),
      await logIn('vic', { role: 'viewer' }),
    ]
    const judge = (one: JournalEntry): string | undefined =>
      weighed([one], 'r1', two, (chain, atMs) => mia.judgeSigner(chain, atMs))[0]?.ignored
    expect(judge(entry(2, { ...DECISION, at: Date.now() }, some))).toBeUndefined()
    for (const decision of ['abort', 'resume', 'approve', 'promote'] as const) {
      expect(judge(entry(2, { ...DECISION, decision, at: Date.now() }, some))).toBe('sam has not the site harbour')
      expect(judge(entry(2, { ...DECISION, decision, at: Date.now() }, mia))).toBeUndefined()
    }
    expect(judge(entry(2, { ...DECISION, at: Date.now() }, viewer))).toBe('vic has not the role operator')
    expect(judge(start(some, two))).toBe('sam has not the site harbour')
  })

  test('counts as of when it was signed, and no more once whoever signed it was shut out', async () => {
    const long = Date.now() - 40 * 86_400_000
    expect(faults([entry(2, { ...DECISION, at: long }, mia)])[0]).toContain('valid from')
    const eve = await logIn('eve')
    const said = entry(2, { ...DECISION, at: Date.now() }, eve)
    expect(faults([said])).toEqual([undefined])
    const { certificate } = eve
    authority.deny({
      serials: [{ serial: certificate.serialNumber, until: Date.now() + 86_400_000, why: 'her laptop was stolen' }],
    })
    const later = await logIn('later')
    const counted = weighed([said], 'r1', plan, (chain, atMs) => later.judgeSigner(chain, atMs))
    expect(counted[0]?.ignored).toContain('her laptop was stolen')
  })

  test('leaves a hole that the fold passes over when it does not count', () => {
    const entries = [start(mia), entry(2, { ...DECISION, at: Date.now() }, null), { seq: 3, event: took(1) }]
    const counted = weighed(entries, 'r1', plan, (chain, atMs) => mia.judgeSigner(chain, atMs))
    expect(counted.map(({ ignored }) => ignored)).toEqual([undefined, 'nobody signed it', undefined])
    expect(fold(null, counted)).toMatchObject({ phase: 'running', term: 1, seq: 3, decisions: [] })
    expect(fold(null, entries)).toMatchObject({ phase: 'paused' })
  })
})

test('there is a mandate for every node that is changed, each signed over that node and item', () => {
  const atMs = Date.now()
  const many = planOf(Array.from({ length: 1201 }, (_, at) => `n${at}`))
  const events = signMandates({ ...many, peers: ['n1200'], waves: many.waves.slice(0, 1200) }, mia, atMs)
  const book = new MandateBook()
  book.take(events.map((event, at) => ({ seq: at + 2, event })))
  expect(events.length).toBe(3)
  expect(book.of('n1200')).toBeNull()
  const mandate = mandateSchema.parse(book.of('n77'))
  expect(mandate).toMatchObject({ rollout: 'r1', site: 'plant', node: 'n77', issuedAt: atMs, item: plan.item })
  expect(isSignedBy(mandateText(mandate), mandate.signature, mia.certificate.publicKey)).toBe(true)
  expect(isSignedBy(mandateText({ ...mandate, node: 'n78' }), mandate.signature, mia.certificate.publicKey)).toBe(false)
  // What somebody writes behind the start takes no node's mandate away.
  const [first] = events
  if (first?.type !== 'mandates.given') throw new Error('it gives mandates')
  const bad = first.mandates.map(({ key, mandate: its }) => ({ key, mandate: { ...its, signature: 'AAAA' } }))
  book.take([{ seq: 9, event: { ...first, mandates: bad } }])
  expect(book.of('n77')).toEqual(mandate)
})
