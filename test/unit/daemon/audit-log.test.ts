import { expect, test, vi } from 'vitest'
import { AuditLog } from '../../../edge-daemon/audit/audit-log.ts'
import type { AuditEntry, AuditRecord } from '../../../protocol/audit.ts'
import { auditRecordSchema } from '../../../protocol/audit.ts'
import { checkChain } from '../../../protocol/audit-chain.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const LOCAL = { kind: 'local', name: 'local', role: 'admin' } as const

function entry(verb: string, phase: AuditEntry['phase'] = 'intent'): AuditEntry {
  return { timestamp: 1_793_000_000_000, phase, verb, who: LOCAL, route: 'direct', address: '127.0.0.1' }
}

async function logOver(store: MemoryStore): Promise<AuditLog> {
  const log = new AuditLog({ store, nodeName: 'n1', retryMs: 5 })
  await log.start()
  return log
}

const kept = (store: MemoryStore): AuditRecord[] =>
  store.records
    .filter((record) => record.class === 'audit')
    .map(({ line }) => auditRecordSchema.parse(JSON.parse(line)) as AuditRecord)

test('writes one chain whatever comes at once, and goes on with it in the next run', async () => {
  const store = new MemoryStore()
  const first = await logOver(store)
  const numbers = await Promise.all(Array.from({ length: 20 }, (_, n) => first.write(entry(`v${n}`))))
  expect(numbers).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
  first.keep(entry('late', 'outcome'))
  await first.stop()
  const second = await logOver(store)
  expect(await second.write(entry('next'))).toBe(22)
  await second.stop()
  expect(checkChain(kept(store))).toMatchObject({ first: { n: 1 }, head: { n: 22 }, faults: [] })
  expect(kept(store).map(({ verb }) => verb)).toEqual([
    ...Array.from({ length: 20 }, (_, n) => `v${n}`),
    'late',
    'next',
  ])
})

test('refuses what cannot be written before it is done, and tries again what has happened', async () => {
  const store = new MemoryStore()
  const log = await logOver(store)
  await log.write(entry('a'))
  store.refusing = 'the disk is full'
  log.keep(entry('a', 'outcome'))
  await expect(log.write(entry('b'))).rejects.toMatchObject({
    code: 'AUDIT_FAILING',
    message: expect.stringContaining('the disk is full'),
  })
  store.refusing = null
  await vi.waitFor(() => expect(kept(store)).toHaveLength(2), { timeout: 60_000 })
  expect(kept(store).map(({ verb, phase }) => `${verb} ${phase}`)).toEqual(['a intent', 'a outcome'])
  expect(await log.write(entry('c'))).toBe(3)
  await log.stop()
  expect(checkChain(kept(store)).faults).toEqual([])
})

test('says that nothing was done of an intent that a dying store kept and did not answer for', async () => {
  const store = new MemoryStore()
  const log = await logOver(store)
  await log.write(entry('a'))
  store.dying = true
  log.keep(entry('a', 'outcome'))
  await expect(log.write(entry('b'))).rejects.toMatchObject({ code: 'AUDIT_FAILING' })
  store.dying = false
  await log.write(entry('c'))
  await log.stop()
  const told = kept(store).map(({ verb, phase, code, of }) => [verb, phase, code, of].join(' '))
  expect(told.slice(0, 3)).toEqual(['a intent  ', 'a outcome  ', 'b intent  '])
  expect(told.slice(3).toSorted()).toEqual(['b outcome AUDIT_FAILING 3', 'c intent  '])
  expect(checkChain(kept(store)).faults).toEqual([])
})

test('does not wait for ever: what is over a bound is counted in the ledger', async () => {
  const store = new MemoryStore()
  const log = await logOver(store)
  store.refusing = 'the disk is full'
  for (let n = 0; n < 1010; n += 1) log.keep(entry(`v${n}`, 'refused'))
  store.refusing = null
  await vi.waitFor(() => expect(kept(store)).toHaveLength(1000), { timeout: 60_000 })
  await log.stop()
  const ledger = store.records.filter((record) => record.class === 'ledger').map(({ line }) => JSON.parse(line))
  expect(ledger).toMatchObject([{ event: 'not_stored', reason: 'audit_overflow', records: { audit: 10 } }])
  expect(kept(store)[0]?.verb).toBe('v10')
  expect(checkChain(kept(store)).faults).toEqual([])
})
