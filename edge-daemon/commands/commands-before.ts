import type { AuditRecord } from '../../protocol/audit.ts'
import type { Store } from '../store/contract.ts'

/** Newest audit records that are looked through at the start; half a kilobyte each. */
const LOOKED_THROUGH = 4096

/**
 * The signed commands that this node let through before it started, newest first, from its own audit: also a clock that
 * stands at the same time after every start (it is behind what the fleet has signed) brings none of them back.
 * @throws EdgeError `STORE_FAILING` when the store cannot be read
 */
export async function commandsBefore(
  store: Pick<Store, 'read'>,
): Promise<{ readonly author: string; readonly nonce: string }[]> {
  const rows = await store.read({ classes: ['audit'], limit: LOOKED_THROUGH, newestFirst: true })
  return rows.flatMap(({ line }) => {
    // The store's own lines are trusted: this daemon wrote them, and a checksum guards them.
    const { phase, nonce, who } = JSON.parse(line) as AuditRecord
    return phase === 'intent' && nonce !== undefined ? [{ author: who.name, nonce }] : []
  })
}
