import type { X509Certificate } from 'node:crypto'
import { namedBy } from '../../identity/verify.ts'
import type { AuditWho } from '../../protocol/audit.ts'
import type { Author } from '../commands/contract.ts'
import type { Peer } from '../live/contract.ts'
import { nameOf } from '../live/contract.ts'

/** Who an author is, for the audit. */
export function whoOfAuthor({ kind, name, rights, certificate }: Author): AuditWho {
  return { kind, name, role: rights.role, ...shown(certificate) }
}

/** Whose session it is, for the audit. */
export function whoOfPeer(peer: Peer): AuditWho {
  return {
    kind: peer.kind,
    name: nameOf(peer),
    role: peer.rights.role,
    ...shown(peer.kind === 'local' ? null : peer.certificate),
  }
}

/** Who was not let in: the name is what the certificate says, which nobody has to believe. */
export function whoOfStranger(certificate: X509Certificate | null): AuditWho {
  const named = certificate === null ? null : namedBy(certificate)
  const name = named === null ? '' : named.kind === 'node' ? `${named.site}/${named.node}` : named.name
  return { kind: 'unknown', name, role: null, ...shown(certificate) }
}

function shown(certificate: X509Certificate | null): Pick<AuditWho, 'serial' | 'fingerprint'> {
  if (certificate === null) return {}
  const fingerprint = certificate.fingerprint256?.replaceAll(':', '').toLowerCase()
  return {
    ...(certificate.serialNumber === undefined ? {} : { serial: certificate.serialNumber.toLowerCase().slice(0, 64) }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
  }
}
