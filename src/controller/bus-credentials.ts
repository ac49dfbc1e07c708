import type { Named } from '../../identity/names.ts'
import type { BusUser } from '../../protocol/bus-users.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { type NatsIssuer, natsIssuerSchema, natsUserJwt } from '../nats-accounts/issuer.ts'
import { readText } from '../pki/durable-file.ts'
import type { BusCredentials } from './enrolment.ts'

/**
 * Credentials for NATS from the file of signing keys that `edgedeck nats setup --out` made. They end with the certificate.
 * @throws EdgeError `CONFIG_UNSERVABLE` when the file is none or of another fleet, `PKI_UNUSABLE` when it is open to others
 */
export function busCredentials(file: string, fleet: string): BusCredentials {
  const issuer = readIssuer(file, fleet)
  return async ({ named, natsKey, expiresAt }) => {
    const jwt = await natsUserJwt(issuer, userOf(named), { key: natsKey, expiresAtMs: expiresAt })
    return { servers: [...issuer.servers], jwt }
  }
}

function readIssuer(file: string, fleet: string): NatsIssuer {
  const read = natsIssuerSchema.safeParse(jsonOf(readText(file, { secret: true })))
  if (read.success && read.data.fleet === fleet) return read.data
  const why = read.success ? `is of the fleet ${read.data.fleet}, not ${fleet}` : 'holds no signing keys for NATS'
  throw new EdgeError('CONFIG_UNSERVABLE', {
    message: `${file} ${why}`,
    next: [
      `set nats.issuer to the issuer.json of this fleet's own bus: edgedeck nats setup --out DIR --fleet ${fleet} makes one`,
      'or leave it out',
    ],
  })
}

function userOf(named: Named): BusUser {
  switch (named.kind) {
    case 'node':
      return { kind: 'node', site: named.site, node: named.node }
    case 'operator':
      return { kind: 'operator', name: named.name, role: named.rights.role, sites: named.rights.sites }
    case 'controller':
      return { kind: 'controller', name: named.name }
    case 'service':
      return { kind: 'reader', name: named.name }
  }
}

function jsonOf(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return null
  }
}
