import { X509Certificate } from 'node:crypto'
import { isSignedBy } from '../../identity/signing.ts'
import { MANDATE_LIFE_MS, type Mandate, mandateSchema, mandateText } from '../../protocol/change.ts'
import { ENVELOPE_SKEW_MS } from '../../protocol/envelope.ts'
import { missingRight, VERBS, type Verb } from '../../protocol/rights.ts'
import type { ControlIdentity } from '../live/contract.ts'
import type { Author, CommandArgs } from './contract.ts'

/** What a mandate is judged by. */
export interface MandateCourt {
  /** The node that was asked. */
  readonly node: { readonly site: string; readonly name: string }
  /** Unix ms by the clock that the node trusts. */
  readonly nowMs: number
  readonly judgeChain: ControlIdentity['judgeChain']
}

/** Whose word a step is carried out on, or why the mandate does not count. */
export type MandateVerdict =
  | { readonly ok: true; readonly by: Author }
  | { readonly ok: false; readonly msg: string; readonly next: string }

/** Verbs that only take something back or let it go: they need no mandate that still counts by its time. */
const TAKING_BACK: readonly Verb[] = ['change.revert', 'change.end']

/**
 * Whether a step that a controller sends in its own name is what an operator wants of this node (architecture decision
 * 7): the mandate is over this rollout and node, in its time, and by somebody whose certificate counted when it was signed,
 * whom nobody has shut out since, and who has the right at this site. Whether it is over the item the slot sees.
 */
export function judgeMandate(verb: Verb, args: CommandArgs, court: MandateCourt): MandateVerdict {
  const read = mandateSchema.safeParse(args.mandate)
  if (!read.success) {
    return no(args.mandate === undefined ? `${verb} came without one` : 'it is damaged')
  }
  const mandate = read.data
  const { node, nowMs } = court
  if (mandate.rollout !== args.rollout) return no(`it is for rollout ${mandate.rollout}`)
  if (mandate.site !== node.site || mandate.node !== node.name) {
    return no(`it is for the node ${mandate.site}/${mandate.node}, not for ${node.site}/${node.name}`)
  }
  const late = lateness(mandate, nowMs)
  if (late !== null && !(late.isOver && TAKING_BACK.includes(verb))) return no(late.msg)
  const chain = readChain(mandate.chain)
  if (chain === null) return no('a certificate in it cannot be read')
  const verdict = court.judgeChain(chain, mandate.issuedAt)
  if (!verdict.ok) return no(verdict.msg)
  const { named, leaf } = verdict
  if (named.kind !== 'operator') return no(`it is signed by a ${named.kind}, and only operators may sign one`)
  if (!isSignedBy(mandateText(mandate), mandate.signature, leaf.publicKey)) {
    return no(`the signature is not by ${named.name}, or what was signed was changed`)
  }
  const missing = missingRight(named.rights, VERBS[verb], node.site)
  if (missing !== null) return no(`${named.name}, who signed it, has not ${missing}`)
  return { ok: true, by: { kind: 'operator', name: named.name, rights: named.rights, certificate: leaf } }
}

function lateness({ issuedAt, notAfter }: Mandate, nowMs: number): { isOver: boolean; msg: string } | null {
  if (notAfter <= issuedAt || notAfter - issuedAt > MANDATE_LIFE_MS) {
    return { isOver: false, msg: `it is for longer than ${MANDATE_LIFE_MS / 86_400_000} days, or for no time` }
  }
  if (issuedAt - nowMs > ENVELOPE_SKEW_MS)
    return { isOver: false, msg: "it is signed in the future by this node's clock" }
  if (nowMs > notAfter) return { isOver: true, msg: `it ended at ${new Date(notAfter).toISOString()}` }
  return null
}

function readChain(chain: readonly string[]): X509Certificate[] | null {
  try {
    return chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  } catch {
    return null
  }
}

function no(why: string): MandateVerdict {
  return {
    ok: false,
    msg: `the mandate of an operator for this step does not count: ${why}`,
    next: 'have an operator start the rollout again, or go on with it from a console',
  }
}
