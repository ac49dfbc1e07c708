import { readUri } from '../../identity/names.ts'
import type { IssuedRecord } from '../pki/issued-log.ts'
import type { Ledger } from './ledger.ts'

/** Count a certificate that was issued at the command line for a node (`edgedeck pki sign`) as the owner of the node's name. */
export function ownerOfName({ uri, key, at }: IssuedRecord, ledger: Pick<Ledger, 'own'>): void {
  const named = readUri(uri)
  if (named?.kind === 'node') ledger.own({ site: named.site, node: named.node, key, at })
}
