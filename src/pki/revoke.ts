import type { DenyList } from '../../identity/deny-list.ts'
import { type Issuer, LIFE_MS } from '../../identity/issue.ts'
import { RENEWAL_GRACE_MS } from '../../protocol/enrolment.ts'
import type { AuthorityFolder } from './authority-folder.ts'
import type { IssuedRecord } from './issued-log.ts'

/** What is to count no more: everything that a name holds until now, or one certificate. */
export type Revoked =
  | {
      readonly what: 'name'
      /** As `pathOf` writes it. */
      readonly name: string
    }
  | {
      readonly what: 'serial'
      /** Hex, in upper case. */
      readonly serial: string
    }

/**
 * Take back a name or a certificate: both count no more from now on, and a name that is issued anew counts again.
 * `known` tells whether something like that was written down as issued here; `busKeys` are the public keys of credentials
 * for the bus that were given out with what is revoked and have not ended: a NATS server knows no deny list of ours.
 */
export function revoke(
  authority: AuthorityFolder,
  issuing: Issuer,
  { revoked, why, nowMs }: { readonly revoked: Revoked; readonly why: string; readonly nowMs: number },
): { readonly list: DenyList; readonly known: boolean; readonly busKeys: readonly string[] } {
  const { records } = authority.issued()
  if (revoked.what === 'serial') {
    const { serial } = revoked
    const record = records.find((one) => one.serial === serial)
    // A node's certificate can be renewed for a while after its end.
    const until = (record?.notAfter ?? nowMs + LIFE_MS.service) + RENEWAL_GRACE_MS
    const change = authority.deny(
      issuing,
      ({ serials, names }) => ({
        names,
        serials: [...serials.filter((one) => one.serial !== serial), { serial, until, why }],
      }),
      nowMs,
    )
    return {
      list: change,
      known: record !== undefined,
      busKeys: busKeysOf(record === undefined ? [] : [record], nowMs),
    }
  }
  const { name } = revoked
  const issued = records.filter((one) => one.name === name)
  // Certificates count in whole seconds. One that begins in this very second, after another revocation, is hit too.
  const latest = Math.max(...issued.map(({ notBefore }) => notBefore).filter((ms) => ms <= nowMs), 0)
  const before = Math.max(Math.floor(nowMs / 1000) * 1000, latest + 1000)
  const list = authority.deny(
    issuing,
    ({ serials, names }) => ({ serials, names: [...names.filter((one) => one.name !== name), { name, before, why }] }),
    nowMs,
  )
  return { list, known: issued.length > 0, busKeys: busKeysOf(issued, nowMs) }
}

function busKeysOf(records: readonly IssuedRecord[], nowMs: number): string[] {
  return [...new Set(records.flatMap(({ bus, notAfter }) => (bus === undefined || notAfter <= nowMs ? [] : [bus])))]
}
