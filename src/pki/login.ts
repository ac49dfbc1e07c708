import type { X509Certificate } from 'node:crypto'
import { isSameKey, newKey, pemOfKey } from '../../identity/keys.ts'
import type { Named } from '../../identity/names.ts'
import { credentialsText, newNatsKey, readCredentials } from '../../identity/nats-key.ts'
import { makeRequest } from '../../identity/request.ts'
import { newNonce } from '../../identity/signing.ts'
import { readPem, verifyChain } from '../../identity/verify.ts'
import {
  CONTROLLER_PATHS,
  type EnrolmentAnswer,
  enrolmentAnswerSchema,
  LOGIN_NAMESPACE,
  loginText,
} from '../../protocol/enrolment.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { callKnown, type FirstTrust, type FleetTrust, firstTrust, heldTrust } from './fleet-trust.ts'
import { mustBeFreeFor, writeIdentity } from './identity-folder.ts'

/** What `edgedeck login` works with. */
export interface LoginWish {
  /** `https://host:5444`. */
  readonly controller: string
  readonly name: string
  /** Folder of the identity; it remembers the fleet. */
  readonly dir: string
  readonly first: FirstTrust
  /** Sign a text with the long-term key, in a namespace; the armoured SSHSIG. */
  readonly sign: (text: string, namespace: string) => Promise<string>
  /** Unix ms. */
  readonly nowMs: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Who somebody is now, and until when. */
export interface LoggedIn {
  readonly named: Extract<Named, { kind: 'operator' }>
  readonly certificate: X509Certificate
  /** Servers of the bus that credentials were given for. */
  readonly natsServers: readonly string[]
}

/**
 * Get the certificate of a shift for a fresh key, by proof of the long-term SSH key, and put it into the identity's folder
 * (requirement S3). The fresh key never leaves this machine.
 * @throws EdgeError `LOGIN_REFUSED`, `CONTROLLER_UNREACHABLE`, `PKI_UNUSABLE`, `OUTPUT_REFUSED` or what the controller says
 */
export async function login(wish: LoginWish): Promise<LoggedIn> {
  const { controller, name, dir, timeoutMs, signal } = wish
  const link = { controller, timeoutMs, signal }
  const known = heldTrust(dir) ?? (await firstTrust(link, wish.first))
  const { fleet } = known.bundle
  const wanted = { kind: 'operator', fleet, name, rights: { role: 'viewer', permissions: [], sites: [] } } as const
  mustBeFreeFor(dir, wanted, [
    'say who you are there with --name',
    'or which other fleet with --context',
    `or remove ${dir}`,
  ])
  const key = newKey()
  const natsKey = newNatsKey()
  const asked = {
    name,
    csr: await makeRequest(key),
    natsKey: natsKey.publicKey,
    at: wish.nowMs,
    nonce: newNonce(),
  }
  const body = { ...asked, signature: await wish.sign(loginText(asked, fleet), LOGIN_NAMESPACE) }
  const { answer, held } = await callKnown(known, {
    ...link,
    path: CONTROLLER_PATHS.login,
    body,
    answer: enrolmentAnswerSchema,
  })
  const now = held.with(answer.trust, answer.deny)
  const leaf = mustBeOurs(answer, now, wish.nowMs)
  if (leaf.named.kind !== 'operator' || leaf.named.name !== name || !isSameKey(leaf.certificate.publicKey, key)) {
    throw notOurs('the certificate is not the one that was asked for')
  }
  const { nats } = answer
  const natsCreds = nats === undefined ? null : credentialsText(nats.jwt, natsKey)
  if (natsCreds !== null && readCredentials(natsCreds) === null) throw notOurs('the credentials of NATS are not ours')
  writeIdentity(dir, {
    keyPem: pemOfKey(key),
    certPem: answer.certificate,
    trust: now.bundle,
    deny: now.denied,
    ca: null,
    natsCreds,
  })
  return { named: leaf.named, certificate: leaf.certificate, natsServers: nats?.servers ?? [] }
}

function mustBeOurs(
  { certificate: pem }: EnrolmentAnswer,
  { trust }: FleetTrust,
  nowMs: number,
): { readonly named: Named; readonly certificate: X509Certificate } {
  const verdict = verifyChain(readPem(pem), { trust, nowMs, use: 'client' })
  if (verdict.ok) return { named: verdict.named, certificate: verdict.leaf }
  throw notOurs(verdict.msg, verdict.why === 'not_yet_valid' || verdict.why === 'expired')
}

function notOurs(why: string, isClock = false): EdgeError {
  return new EdgeError('LOGIN_REFUSED', {
    message: `the answer of the controller cannot be used: ${why}`,
    next: [isClock ? 'set the clock of this machine' : 'tell whoever runs the controller'],
  })
}
