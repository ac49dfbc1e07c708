import { randomUUID } from 'node:crypto'
import { signText } from '../../identity/signing.ts'
import { type ChangeVerb, type Mandate, type MandateBody, mandateText } from '../../protocol/change.ts'
import type { CommandFrame } from '../../protocol/frames.ts'
import type { IssuedIdentity } from './fleet-authority.ts'
import { testItem } from './slot-moves.ts'

/** A mandate that somebody signed for the node `plant/n1`; `change` what it says. */
export function signedMandate({ key, chain }: IssuedIdentity, change: Partial<MandateBody> = {}): Mandate {
  const issuedAt = change.issuedAt ?? Date.now()
  const body: MandateBody = {
    v: 1,
    rollout: 'r1',
    item: testItem('2'),
    site: 'plant',
    node: 'n1',
    issuedAt,
    notAfter: issuedAt + 86_400_000,
    ...change,
  }
  const ders = chain.map(({ raw }) => raw.toString('base64'))
  return { ...body, signature: signText(mandateText(body), key), chain: ders }
}

/** A step that is sent with a mandate and without a signature of its own. */
export function mandated(
  verb: ChangeVerb,
  mandate: Mandate | undefined,
  args: Readonly<Record<string, unknown>> = {},
): CommandFrame {
  const own: Record<string, unknown> =
    verb === 'change.stage'
      ? { item: testItem('2'), sources: [{ kind: 'link' }] }
      : verb === 'change.revert'
        ? { why: 'so' }
        : {}
  const all = { rollout: 'r1', term: 1, ...own, ...args, ...(mandate === undefined ? {} : { mandate }) }
  return { t: 'command', id: randomUUID(), verb, args: all as CommandFrame['args'] }
}
