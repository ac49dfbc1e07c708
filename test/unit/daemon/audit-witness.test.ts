import type { X509Certificate } from 'node:crypto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { AuditLog } from '../../../edge-daemon/audit/audit-log.ts'
import { AuditWitness } from '../../../edge-daemon/audit/audit-witness.ts'
import { MAX_TOLD_SESSIONS, SessionBook } from '../../../edge-daemon/audit/session-book.ts'
import type { Order } from '../../../edge-daemon/commands/contract.ts'
import type { Peer } from '../../../edge-daemon/live/contract.ts'
import type { AuditRecord } from '../../../protocol/audit.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import type { Rights } from '../../../protocol/rights.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const RIGHTS: Rights = { role: 'operator', permissions: [], sites: '*' }
const CERTIFICATE = { serialNumber: '0A1B', fingerprint256: 'AA:'.repeat(31).concat('BB') } as X509Certificate

let store: MemoryStore
let log: AuditLog
let sessions: SessionBook
let witness: AuditWitness
let nowMs: number

beforeEach(async () => {
  store = new MemoryStore()
  nowMs = 1_793_000_000_000
  log = new AuditLog({ store, nodeName: 'n1' })
  await log.start()
  sessions = new SessionBook(() => nowMs)
  witness = new AuditWitness({ log, sessions, nowMs: () => nowMs })
})

afterEach(() => vi.useRealTimers())

function peer(name: string, kind: 'operator' | 'controller' = 'operator'): Exclude<Peer, { kind: 'local' }> {
  return { kind, name, rights: RIGHTS, certificate: CERTIFICATE, route: 'direct', address: '10.0.0.9' }
}

function order(by: Peer, changes: Partial<Order> = {}): Order {
  const author = { kind: by.kind, name: by.kind === 'local' ? 'local' : by.name, rights: by.rights, certificate: null }
  const envelope = { nonce: 'q83vASNFZ4mrze8BI0VniQ', why: 'drill' } as Order['envelope']
  return { verb: 'fault.slow', args: { ms: 5, token: 'x' }, changes: true, by: author, peer: by, envelope, ...changes }
}

async function written(): Promise<AuditRecord[]> {
  witness.stop()
  await log.stop()
  return store.records.map(({ line }) => JSON.parse(line))
}

test('writes who wants what before, and what became of it after, with what an auditor asks for', async () => {
  const mia = order(peer('mia'), { by: { kind: 'operator', name: 'mia', rights: RIGHTS, certificate: CERTIFICATE } })
  await witness.intended(mia)
  await witness.ended(mia, { ok: true, result: {} })
  const failed = order(peer('hub', 'controller'), { by: mia.by })
  await witness.intended(failed)
  await witness.ended(failed, { ok: false, error: new EdgeError('COMMAND_REFUSED', { message: 'no faults here' }) })
  const who = { kind: 'operator', name: 'mia', role: 'operator', serial: '0a1b', fingerprint: `${'aa'.repeat(31)}bb` }
  expect(await written()).toMatchObject([
    {
      phase: 'intent',
      verb: 'fault.slow',
      args: { ms: 5, token: '…' },
      args_digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      nonce: 'q83vASNFZ4mrze8BI0VniQ',
      why: 'drill',
      who,
      route: 'direct',
      address: '10.0.0.9',
      chain: { n: 1 },
    },
    { phase: 'outcome', of: 1, code: 'OK', duration_ms: expect.any(Number), who, chain: { n: 2 } },
    { phase: 'intent', who, carrier: { kind: 'controller', name: 'hub' }, chain: { n: 3 } },
    { phase: 'outcome', of: 3, code: 'COMMAND_REFUSED', msg: 'no faults here', chain: { n: 4 } },
  ])
})

test('refuses a command of which nothing can be written', async () => {
  store.refusing = 'full'
  await expect(witness.intended(order(peer('mia')))).rejects.toMatchObject({ code: 'AUDIT_FAILING' })
  expect(sessions.told()).toEqual({})
})

test('sums up a flood of refusals, each kind for itself, and leaves room for others', async () => {
  const refusal = new EdgeError('RIGHT_MISSING', { message: 'resend needs the role operator' })
  const frame = { t: 'command', id: 'c', verb: 'resend', args: {} } as const
  for (let n = 0; n < 500; n += 1) witness.refused(peer('eve'), frame, refusal)
  for (let n = 0; n < 40; n += 1) {
    witness.notLetIn({ route: 'nats', address: 'nats', certificate: null }, 'the certificate is not from this fleet')
  }
  for (let n = 0; n < 30; n += 1) witness.refused(peer(`eve${n}`), frame, refusal)
  const records = await written()
  expect(records.length).toBeLessThanOrEqual(20 + 9)
  const counted = records.filter(({ count }) => count !== undefined)
  expect(counted[0]).toMatchObject({ who: { name: 'eve' }, verb: 'resend', count: 480, code: 'RIGHT_MISSING' })
  expect(counted[1]).toMatchObject({ who: { kind: 'unknown', name: '' }, verb: 'session', count: 40 })
  expect(counted.at(-1)).toMatchObject({ verb: 'various', count: 24 })
  expect(records.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(570)
})

test('writes who was given which picture of a device, and who was refused it; many are summed up from first to last', async () => {
  witness.fetched({ kind: 'local', rights: RIGHTS, route: 'direct', address: '127.0.0.1' }, 7, null)
  witness.fetched(peer('vic'), 8, new EdgeError('RIGHT_MISSING', { message: 'fetch needs the permission data' }))
  for (let seq = 1; seq <= 150; seq += 1) witness.fetched(peer('mia'), seq, null)
  const records = await written()
  expect(records).toMatchObject([
    { phase: 'outcome', verb: 'fetch', args: { seq: 7 }, code: 'OK', who: { name: 'local' } },
    { phase: 'refused', verb: 'fetch', args: { seq: 8 }, code: 'RIGHT_MISSING', who: { name: 'vic', serial: '0a1b' } },
    ...Array.from({ length: 99 }, (_, at) => ({ verb: 'fetch', args: { seq: at + 1 }, who: { name: 'mia' } })),
    { verb: 'fetch', args: { first: { seq: 100 }, last: { seq: 150 } }, count: 51, code: 'OK', who: { name: 'mia' } },
  ])
  expect(records.at(-1)).not.toHaveProperty('args_digest')
})

test('writes when people come and go, and nothing of local sessions but their commands', async () => {
  const local: Peer = { kind: 'local', rights: RIGHTS, route: 'direct', address: '127.0.0.1' }
  const [mine, hers] = [witness.opened(local), witness.opened(peer('mia'))]
  await witness.intended(order(local, { envelope: null }))
  hers.closed()
  mine.closed()
  expect((await written()).map(({ phase, verb, who }) => `${phase} ${verb} ${who.name}`)).toEqual([
    'opened session mia',
    'intent fault.slow local',
    'closed session mia',
  ])
})

test('tells who is connected and what each changed last, also for a while of who left, and nothing to one who is alone', () => {
  const ben = peer('ben')
  const alone = sessions.open(ben)
  expect(sessions.told()).toEqual({})
  const mia = peer('mia 中文')
  const key = sessions.open(mia)
  sessions.acted(mia, { verb: 'resend', by: 'mia 中文' })
  nowMs += 1000
  const who = { kind: 'operator', role: 'operator', route: 'direct', since: nowMs - 1000 }
  const acted = { key, who: 'mia 中文', ...who, last: { verb: 'resend', at: nowMs - 1000 } }
  expect(sessions.told()).toEqual({ sessions: [acted, { key: alone, who: 'ben', ...who }] })
  sessions.close(key)
  expect(sessions.told().sessions?.[0]).toEqual({ ...acted, left: nowMs })
  nowMs += 300_001
  expect(sessions.told()).toEqual({})
  for (let n = 0; n < 40; n += 1) sessions.open(peer(`p${n}`))
  expect(sessions.told()).toMatchObject({
    sessions: { length: MAX_TOLD_SESSIONS },
    moreSessions: 41 - MAX_TOLD_SESSIONS,
  })
})
