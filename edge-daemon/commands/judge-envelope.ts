import { X509Certificate } from 'node:crypto'
import { digestOf, isSignedBy } from '../../identity/signing.ts'
import type { Verdict } from '../../identity/verify.ts'
import type { Json } from '../../protocol/canonical-json.ts'
import { ENVELOPE_LIFE_MS, ENVELOPE_SKEW_MS, type Envelope, signedText } from '../../protocol/envelope.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { CommandFrame } from '../../protocol/frames.ts'
import type { Peer } from '../live/contract.ts'
import type { Author } from './contract.ts'

/** What an envelope is judged by. */
export interface EnvelopeCourt {
  /** The node that was asked. */
  readonly node: { readonly site: string; readonly name: string }
  /** Unix ms by the clock that the node trusts. */
  readonly nowMs: number
  /** When the node started, by that clock: what it did before then it does not know any more. */
  readonly startedMs: number
  readonly judgeChain: (chain: readonly X509Certificate[]) => Verdict
}

/** Who signed a command, or why it does not count; `next` is one imperative sentence. */
export type EnvelopeVerdict =
  | { readonly ok: true; readonly by: Author }
  | { readonly ok: false; readonly code: ErrorCode; readonly msg: string; readonly next: string }

const SIGN_ANEW = 'send it again: the console signs it anew'

/**
 * Whether an envelope is what its author wants of this node now (architecture decision 7): over this verb, these arguments
 * and this node, by an operator whose certificate counts, at its time. Says nothing of rights, and nothing of whether it came before.
 */
export function judgeEnvelope(
  { verb, args }: Pick<CommandFrame, 'verb' | 'args'>,
  envelope: Envelope,
  peer: Exclude<Peer, { kind: 'local' }>,
  court: EnvelopeCourt,
): EnvelopeVerdict {
  const { node, nowMs, startedMs } = court
  if (envelope.verb !== verb) return invalid(`it is signed for ${envelope.verb}, not for ${verb}`)
  if (envelope.site !== node.site || envelope.node !== node.name) {
    return invalid(`it is signed for the node ${envelope.site}/${envelope.node}, not for ${node.site}/${node.name}`)
  }
  const digest = digestOrNull(args)
  if (digest === null) return invalid('its arguments have no canonical form')
  if (envelope.args !== digest) return invalid('its arguments are not those that were signed')
  const by = envelope.chain === undefined ? ownWord(peer, nowMs) : handedOn(envelope.chain, peer, court)
  if (typeof by === 'string') return invalid(by)
  if (by.certificate === null || !isSignedBy(signedText(envelope), envelope.signature, by.certificate.publicKey)) {
    return invalid(`the signature is not by ${by.name}, or what was signed was changed`)
  }
  const late = lateness(envelope, nowMs, startedMs)
  return late === null ? { ok: true, by } : { ok: false, code: 'COMMAND_EXPIRED', msg: late, next: SIGN_ANEW }
}

function lateness({ issuedAt, expiresAt }: Envelope, nowMs: number, startedMs: number): string | null {
  const lifeMs = expiresAt - issuedAt
  if (lifeMs <= 0 || lifeMs > ENVELOPE_LIFE_MS) {
    return `it is signed for ${seconds(lifeMs)}, and at most ${seconds(ENVELOPE_LIFE_MS)} are taken`
  }
  if (issuedAt - nowMs > ENVELOPE_SKEW_MS)
    return `it is signed ${seconds(issuedAt - nowMs)} in the future by this node's clock`
  if (nowMs > expiresAt) return `it ended ${seconds(nowMs - expiresAt)} ago by this node's clock`
  if (issuedAt < startedMs) return 'it was signed before this node started, which cannot tell whether it did it'
  return null
}

/** The session's own certificate; a string says why it does not do. */
function ownWord(peer: Exclude<Peer, { kind: 'local' }>, nowMs: number): Author | string {
  const { kind, name, rights, certificate } = peer
  if (kind !== 'operator') return `a ${kind} may only hand on what an operator signed`
  // Sessions are judged anew every few seconds; a command must not slip in between.
  if (nowMs > certificate.validToDate.getTime()) return 'the certificate of this session has ended'
  return { kind, name, rights, certificate }
}

/** Who the chain in an envelope names; a string says why it does not do. */
function handedOn(
  chain: readonly string[],
  peer: Exclude<Peer, { kind: 'local' }>,
  court: EnvelopeCourt,
): Author | string {
  const certificates = readChain(chain)
  if (certificates === null) return 'a certificate in it cannot be read'
  const verdict = court.judgeChain(certificates)
  if (!verdict.ok) return verdict.msg
  const { named, leaf } = verdict
  if (named.kind !== 'operator') return `it is signed by a ${named.kind}, and only operators may sign commands`
  if (peer.kind !== 'controller' && peer.name !== named.name) {
    return `it is signed by ${named.name}, and only a controller may hand on what others signed`
  }
  return { kind: 'operator', name: named.name, rights: named.rights, certificate: leaf }
}

function readChain(chain: readonly string[]): X509Certificate[] | null {
  try {
    return chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  } catch {
    return null
  }
}

function digestOrNull(args: CommandFrame['args']): string | null {
  try {
    return digestOf(args as Json)
  } catch {
    return null
  }
}

function invalid(msg: string): EnvelopeVerdict {
  return { ok: false, code: 'SIGNATURE_INVALID', msg, next: 'send it with the console, signed as yourself' }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}
