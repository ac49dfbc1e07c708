import type { KeyObject, X509Certificate } from 'node:crypto'
import { type DenyList, verifyDenyList } from '../../identity/deny-list.ts'
import { isSameKey, newKey, pemOfKey, readKey } from '../../identity/keys.ts'
import { titleOf } from '../../identity/names.ts'
import { credentialsText, type NatsKey, natsKeyOf, newNatsKey } from '../../identity/nats-key.ts'
import { askTime, faultOfController, faultOfControllerAtAnyTime } from '../../identity/signed-time.ts'
import { trustOf } from '../../identity/trust.ts'
import { type TrustBundle, type TrustRead, verifyPinnedBundle } from '../../identity/trust-bundle.ts'
import { readPem, verifyChain } from '../../identity/verify.ts'
import { type EnrolmentAnswer, type JoinToken, joinTokenText } from '../../protocol/enrolment.ts'
import { EdgeError, ERROR_CODES, type ErrorCode, messageOf } from '../../protocol/errors.ts'
import { ControllerClient, ControllerRefusal } from './controller-client.ts'
import { damaged, type IdentityFiles } from './files.ts'
import { NodeIdentity } from './node-identity.ts'

/** How a join ended well. */
export interface Joined {
  readonly identity: NodeIdentity
  /** It had joined before, and nothing was asked. */
  readonly before: boolean
  /** How far the machine's clock is ahead of the controller's, ms; null when that was not asked. */
  readonly clockAheadMs: number | null
}

/** The own key and that of the bus, which exist before anything is asked, so that asking again asks for the same. */
interface OwnKeys {
  readonly key: KeyObject
  readonly nats: NatsKey
}

/** Whom the answer of an enrolment is believed by. */
type Believed = { readonly bundle: TrustBundle; readonly roots: readonly X509Certificate[] }

/**
 * Join the fleet that a token is of: make a key, believe the root that the token pins, learn the time, then show the token
 * to a controller that is proved by that root. May be cut at any point and run again: the key is kept before the token is
 * used, and the node has joined once its certificate, the last file, is there.
 * @throws EdgeError with the controller's own code and cure when it says no; `CONTROLLER_UNREACHABLE`, `IDENTITY_UNUSABLE`
 */
export async function joinByToken(token: JoinToken, files: IdentityFiles, timeoutMs?: number): Promise<Joined> {
  const before = NodeIdentity.load(files)
  if (before !== null) {
    if (before.site !== token.s || before.node !== token.n || before.fleet !== token.f) throw hasJoined(before, files)
  }
  const shared = { url: token.u, own: () => null, ...(timeoutMs === undefined ? {} : { timeoutMs }) }
  if (before !== null && !(await mustJoinAnew(before, token, shared))) {
    return { identity: before, before: true, clockAheadMs: null }
  }
  const keys = ownKeys(files)
  const believed = await refusalsTold(() => pinnedTrust(token, shared))
  if (before !== null && believed.bundle.version < before.bundle.version) {
    throw unfit(
      `the controller believes roots of version ${believed.bundle.version}, and ${before.bundle.version} is held`,
    )
  }
  const trust = trustOf(believed, null)
  const early = new ControllerClient({ ...shared, judge: (chain) => faultOfControllerAtAnyTime(chain, trust) })
  const { nowMs, clockAheadMs } = await refusalsTold(async () => {
    const { nowMs: told } = await askTime((nonce) => early.time(nonce), { trust })
    return { nowMs: told, clockAheadMs: Date.now() - told }
  }).finally(() => early.close())
  const client = new ControllerClient({ ...shared, judge: (chain) => faultOfController(chain, trust, nowMs) })
  try {
    const { makeRequest } = await import('../../identity/request.ts')
    const csr = await makeRequest(keys.key)
    const body = { token: joinTokenText(token), csr, natsKey: keys.nats.publicKey }
    const answer = await refusalsTold(() => client.join(body))
    const said = verifyChain(readPem(answer.certificate), { trust, nowMs: validFrom(answer), use: 'server' })
    if (said.ok && titleOf(said.named) !== `${token.s}/${token.n}`) {
      throw damaged(files.path('cert.pem'), `the controller gave a certificate for ${titleOf(said.named)}`)
    }
    return {
      identity: settle(answer, { ...believed, denied: before?.deny ?? null }, keys, files),
      before: false,
      clockAheadMs,
    }
  } finally {
    client.close()
  }
}

/** The request of a node that no controller is within reach of, in PEM, to be carried to `edgedeck pki sign`. */
export async function requestByHand(files: IdentityFiles): Promise<string> {
  const { makeRequest } = await import('../../identity/request.ts')
  return makeRequest(ownKeys(files).key)
}

/**
 * Take the answer that was carried back. The first one is believed with the root that is in it, since whoever brings it
 * could bring any; `pin`, the root's SHA-256 in base64url, settles that.
 * @throws EdgeError `IDENTITY_UNUSABLE`
 */
export function takeAnswer(answer: EnrolmentAnswer, files: IdentityFiles, pin: string | null): Joined {
  const before = NodeIdentity.load(files)
  if (before !== null) {
    for (const taken of [
      before.takeTrust(answer.trust),
      answer.deny === null ? { ok: true as const } : before.takeDeny(answer.deny),
      before.takeCertificate(answer.certificate),
    ]) {
      if (!taken.ok) throw unfit(taken.msg)
    }
    return { identity: before, before: false, clockAheadMs: null }
  }
  const read = firstBundle(answer, pin)
  if (!read.ok) throw unfit(read.msg)
  return {
    identity: settle(answer, { ...read, denied: null }, ownKeys(files), files),
    before: false,
    clockAheadMs: null,
  }
}

/** Verify all of an answer, then keep it, the certificate last. */
function settle(
  answer: EnrolmentAnswer,
  believed: Believed & { readonly denied: DenyList | null },
  { key, nats }: OwnKeys,
  files: IdentityFiles,
): NodeIdentity {
  const chain = readPem(answer.certificate)
  const [leaf] = chain
  const trust = trustOf(believed, null)
  const verdict = verifyChain(chain, { trust, nowMs: validFrom(answer), use: 'server' })
  if (!verdict.ok) throw unfit(verdict.msg)
  if (verdict.named.kind !== 'node') throw unfit(`the certificate names ${titleOf(verdict.named)}, no node`)
  if (leaf === undefined || !isSameKey(leaf.publicKey, key)) throw unfit('the certificate is for another key')
  const deny = answer.deny === null ? null : verifyDenyList(answer.deny, { trust, held: believed.denied })
  if (deny?.ok === false) throw unfit(deny.msg)

  files.writeTrust(believed.bundle)
  if (deny !== null) files.writeDeny(deny.list)
  files.writeEnrolment({
    v: 1,
    fleet: answer.fleet,
    controllers: [...answer.controllers],
    natsServers: [...(answer.nats?.servers ?? [])],
  })
  if (answer.nats !== undefined) {
    files.writeNatsCreds(credentialsText(answer.nats.jwt, nats))
    files.writeNatsSeed(null)
  }
  files.writeCertificate(answer.certificate)
  const identity = NodeIdentity.load(files)
  if (identity === null) throw damaged(files.dir, 'what was written is not there')
  return identity
}

/**
 * Whether a node that has joined needs what a token gives: its certificate has ended or counts no more. The fleet may have
 * given up who issued it without the node knowing yet; where no controller answers, what is known here decides.
 */
async function mustJoinAnew(
  before: NodeIdentity,
  token: JoinToken,
  shared: { readonly url: string; readonly own: () => null },
): Promise<boolean> {
  try {
    before.takeTrust((await pinnedTrust(token, shared)).bundle)
  } catch (error) {
    if (!(error instanceof EdgeError || error instanceof ControllerRefusal)) throw error
  }
  return before.ownFault !== null || before.leaf.validToDate.getTime() < before.nowMs()
}

async function pinnedTrust(
  token: JoinToken,
  shared: { readonly url: string; readonly own: () => null },
): Promise<Believed> {
  // Nothing but the question is sent, and what comes back is believed for its pin, whoever hands it on.
  const client = new ControllerClient({ ...shared, judge: () => null })
  try {
    const read = verifyPinnedBundle(await client.trust(), { fleet: token.f, pin: token.p })
    if (read.ok) return read
    throw new EdgeError('CONTROLLER_UNREACHABLE', {
      message: `${client.url.origin} is not the controller that the token is from: ${read.msg}`,
      next: ['check the address in the token and who answers there', 'make a new token: edgedeck pki token'],
    })
  } finally {
    client.close()
  }
}

function firstBundle({ fleet, trust }: EnrolmentAnswer, pin: string | null): TrustRead {
  if (pin !== null) return verifyPinnedBundle(trust, { fleet, pin })
  const [first] = readRootsOf(trust)
  return verifyPinnedBundle(trust, { fleet, pin: first ?? '' })
}

/** Pins of the roots that a bundle says it holds. */
function readRootsOf(trust: unknown): string[] {
  const signatures = (trust as { signatures?: { root?: unknown }[] } | null)?.signatures
  if (!Array.isArray(signatures)) return []
  return signatures.flatMap(({ root }) => (typeof root === 'string' ? [root] : []))
}

function ownKeys(files: IdentityFiles): OwnKeys {
  const pem = files.key()
  const held = pem === null ? null : readKey(pem)
  if (pem !== null && held === null) throw damaged(files.keyPath, 'it holds no key of a node')
  const key = held ?? newKey()
  if (held === null) files.writeKey(pemOfKey(key))
  const seed = files.natsSeed()
  const nats = (seed === null ? null : natsKeyOf(seed.trim())) ?? newNatsKey()
  if (nats.seed !== seed?.trim()) files.writeNatsSeed(nats.seed)
  return { key, nats }
}

function validFrom(answer: EnrolmentAnswer): number {
  try {
    return readPem(answer.certificate)[0]?.validFromDate.getTime() ?? 0
  } catch {
    throw unfit('the certificate is damaged')
  }
}

/** What a controller refuses comes out with its code and its cure. */
async function refusalsTold<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof EdgeError) throw error
    if (error instanceof ControllerRefusal) throw toldBy(error)
    throw new EdgeError('CONTROLLER_UNREACHABLE', {
      message: messageOf(error),
      next: ['check the controller and its clock'],
      cause: error,
    })
  }
}

/** A refusal as an error of ours. */
export function toldBy(refusal: ControllerRefusal): EdgeError {
  const known = Object.hasOwn(ERROR_CODES, refusal.code)
  return new EdgeError(known ? (refusal.code as ErrorCode) : 'CONTROLLER_UNREACHABLE', {
    message: `the controller says: ${refusal.message}`,
    next: refusal.next,
    cause: refusal,
  })
}

function hasJoined({ fleet, site, node }: NodeIdentity, files: IdentityFiles): EdgeError {
  return new EdgeError('IDENTITY_UNUSABLE', {
    message: `this node has joined ${fleet} as ${site}/${node}, and the token is for another`,
    next: [`to give it up, move ${files.dir} away first`, 'or use another --state-dir'],
  })
}

function unfit(msg: string): EdgeError {
  return new EdgeError('IDENTITY_UNUSABLE', {
    message: `the answer cannot be taken: ${msg}`,
    next: ['have the newest request of this node signed: edge-daemon join --request FILE, then edgedeck pki sign FILE'],
  })
}
