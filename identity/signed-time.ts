import { X509Certificate } from 'node:crypto'
import { type TimeAnswer, timeText } from '../protocol/enrolment.ts'
import { isSignedBy, newNonce } from './signing.ts'
import { type Trust, verifyChain } from './verify.ts'

/** A time that a controller of the fleet signed for a nonce of ours. */
export interface SignedTime {
  /** Unix ms, at the moment of the return. */
  readonly nowMs: number
  /** Version of the deny list and of the trust bundle that are in force there. */
  readonly denyVersion: number
  readonly trustVersion: number
}

/** An answer that took longer says too little about what time it is now. */
const MAX_ROUND_TRIP_MS = 10_000

/**
 * Ask a controller what time it is. The chain under the answer must have been valid at the time that it tells, so that an
 * ended certificate only speaks for its own time. @throws Error with a sentence when the answer is not to be believed, and
 * what `ask` throws.
 */
export async function askTime(
  ask: (nonce: string) => Promise<TimeAnswer>,
  { trust, monotonicMs = () => performance.now() }: { readonly trust: Trust; readonly monotonicMs?: () => number },
): Promise<SignedTime> {
  const nonce = newNonce()
  const askedMs = monotonicMs()
  const { chain, signature, ...said } = await ask(nonce)
  const tookMs = monotonicMs() - askedMs
  if (said.nonce !== nonce || said.fleet !== trust.fleet) throw new Error('the time is an answer to something else')
  if (tookMs > MAX_ROUND_TRIP_MS) throw new Error('the answer took too long to tell the time')
  const certificates = chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  const verdict = verifyChain(certificates, { trust, nowMs: said.at, use: 'server' })
  if (!verdict.ok) throw new Error(`the time is not signed by a controller of this fleet: ${verdict.msg}`)
  if (verdict.named.kind !== 'controller') throw new Error('the time is signed by somebody who is no controller')
  if (!isSignedBy(timeText(said), signature, verdict.leaf.publicKey))
    throw new Error('the signature of the time is wrong')
  return { nowMs: said.at + tookMs / 2, denyVersion: said.deny, trustVersion: said.trust }
}

/** Why a chain is not a controller's of this fleet at `nowMs`; null when it is. */
export function faultOfController(chain: readonly X509Certificate[], trust: Trust, nowMs: number): string | null {
  const verdict = verifyChain(chain, { trust, nowMs, use: 'server' })
  if (!verdict.ok) return verdict.msg
  return verdict.named.kind === 'controller' ? null : 'the certificate that is shown is not a controller’s'
}

/** The same but for time, for whoever has still to learn what time it is. */
export function faultOfControllerAtAnyTime(chain: readonly X509Certificate[], trust: Trust): string | null {
  return faultOfController(chain, trust, chain[0]?.validFromDate.getTime() ?? 0)
}
