import type { X509Certificate } from 'node:crypto'
import { credentialsText, type NatsKey, natsKeyOf, newNatsKey, readCredentials } from '../../identity/nats-key.ts'
import { signText } from '../../identity/signing.ts'
import { type EnrolmentAnswer, type RenewRequest, renewText } from '../../protocol/enrolment.ts'
import type { NodeIdentity, Taken } from './node-identity.ts'

/** Share of its life after which a certificate is renewed, and how much earlier a node may begin, so that a fleet does not at once. */
const RENEW_AT = 2 / 3
const JITTER = 0.1

/**
 * When a certificate is to be renewed, Unix ms: at two thirds of its life, or up to a tenth of it before. Drawn from its
 * serial number, so that it stays the same over restarts.
 */
export function renewalDueMs({ validFromDate, validToDate, serialNumber }: X509Certificate): number {
  const lifeMs = validToDate.getTime() - validFromDate.getTime()
  const draw = Number.parseInt(serialNumber.slice(-8), 16) / 2 ** 32
  return validFromDate.getTime() + lifeMs * (RENEW_AT - JITTER * draw)
}

/**
 * Ask for a new certificate for the same key, and take all that comes with it. Throws what `ask` throws and what the disk
 * says.
 */
export async function renew(
  identity: NodeIdentity,
  ask: (request: RenewRequest) => Promise<EnrolmentAnswer>,
): Promise<Taken> {
  const { files, key } = identity
  // Loaded only now: it is large, and a node needs it once in three weeks.
  const { makeRequest } = await import('../../identity/request.ts')
  const nats = busKey(identity)
  const asked = { certificate: identity.tls().cert, csr: await makeRequest(key), natsKey: nats.publicKey }
  const answer = await ask({ ...asked, signature: signText(renewText(asked), key) })
  const trust = identity.takeTrust(answer.trust)
  if (!trust.ok) return trust
  if (answer.deny !== null) {
    const deny = identity.takeDeny(answer.deny)
    if (!deny.ok) return deny
  }
  const certificate = identity.takeCertificate(answer.certificate)
  if (!certificate.ok) return certificate
  if (answer.nats !== undefined) {
    files.writeNatsCreds(credentialsText(answer.nats.jwt, nats))
    files.writeNatsSeed(null)
  }
  files.writeEnrolment({
    v: 1,
    fleet: answer.fleet,
    controllers: [...answer.controllers],
    natsServers: [...(answer.nats?.servers ?? files.enrolment()?.natsServers ?? [])],
  })
  return { ok: true }
}

/** The key of the bus that the node has, or a new one that is kept before anybody hears of it. */
function busKey({ files }: NodeIdentity): NatsKey {
  const creds = files.natsCreds()
  const held = creds === null ? null : (readCredentials(creds)?.key ?? null)
  if (held !== null) return held
  const seed = files.natsSeed()
  const begun = seed === null ? null : natsKeyOf(seed.trim())
  if (begun !== null) return begun
  const fresh = newNatsKey()
  files.writeNatsSeed(fresh.seed)
  return fresh
}
