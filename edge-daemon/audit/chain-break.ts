import { type AuditEntry, type AuditRecord, BREAK_VERB } from '../../protocol/audit.ts'
import type { LedgerRecord } from '../../protocol/records.ts'
import type { Store } from '../store/contract.ts'

/** Ledger entries that are looked through, the newest first: each start that finds a lost key writes some. */
const LOOKED_THROUGH = 1000

/**
 * The record that begins what follows on records nobody can read any more, since their key was declared lost; null where
 * the newest that can be read is the newest there is. Without it the account would go on beside what was shipped as
 * though nothing had been written between.
 * @throws EdgeError `STORE_FAILING` when the store cannot be read
 */
export async function chainBreak(store: Pick<Store, 'read'>, nodeName: string): Promise<AuditEntry | null> {
  const [newest] = await store.read({ classes: ['audit'], limit: 1, newestFirst: true, wholeOnly: true })
  const told = await store.read({ classes: ['ledger'], limit: LOOKED_THROUGH, newestFirst: true })
  const through = told
    // The store's own lines are trusted: this daemon wrote them, and a checksum guards them.
    .map(({ line }) => JSON.parse(line) as LedgerRecord)
    .filter(({ reason, records }) => reason === 'key_lost' && (records?.audit ?? 0) > 0)
    .reduce((last, { last_seq }) => Math.max(last, last_seq ?? 0), 0)
  if (through <= (newest?.seq ?? 0)) return null
  const goesOn = newest === undefined ? 'at 1' : `behind record ${(JSON.parse(newest.line) as AuditRecord).chain.n}`
  return {
    timestamp: Date.now(),
    phase: 'outcome',
    verb: BREAK_VERB,
    who: { kind: 'node', name: nodeName, role: null },
    route: 'direct',
    address: 'self',
    code: 'KEY_LOST',
    msg: `audit records up to sequence ${through} are sealed under a key that was declared lost; the chain goes on ${goesOn}`,
  }
}
