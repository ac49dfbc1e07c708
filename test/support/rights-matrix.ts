import { randomUUID } from 'node:crypto'
import { digestOf, newNonce, signEnvelope } from '../../identity/signing.ts'
import type { EnvelopeBody } from '../../protocol/envelope.ts'
import type { ClientFrame, CommandFrame } from '../../protocol/frames.ts'
import { PERMISSIONS, REQUESTS, type Rights, ROLES, VERBS, type Verb } from '../../protocol/rights.ts'
import type { FleetAuthority, IssuedIdentity } from './fleet-authority.ts'
import type { TestConsole } from './live-node.ts'

/** Opens a session with the node as somebody, over whatever carries it; the session has been greeted. */
export type Connect = (who: IssuedIdentity) => Promise<TestConsole>
/** The node that is asked. */
export interface AskedNode {
  readonly site: string
  readonly name: string
}
/** What may be asked of a node: every verb, and every kind of request. */
export const ASKED = [...Object.keys(VERBS), ...Object.keys(REQUESTS)] as (Verb | keyof typeof REQUESTS)[]

/** What was asked as somebody, whether it should be let through, and how it was answered. */
export interface MatrixCell {
  readonly rights: Rights
  readonly asked: (typeof ASKED)[number]
  readonly allowed: boolean
  /** Code of the error; null when it was answered. */
  readonly code: string | null
  readonly msg: string
}

/** Arguments that a verb takes and that change nothing for others. */
const STEP = { rollout: 'matrix', term: 1 }
const ITEM = { kind: 'model', name: 'matrix', version: '1', digest: '0'.repeat(64) }
const ARGS: Record<Verb, CommandFrame['args']> = {
  // Nothing is staged: what may be asked is refused by the slot, and not by the desk.
  'change.stage': { ...STEP, item: ITEM, sources: [{ kind: 'link' }] },
  'change.shadow': { ...STEP, source: 'kept', samples: 1 },
  'change.activate': { ...STEP, activation: 'matrix', confirmWithinSec: 60, gates: {} },
  'change.confirm': { ...STEP, activation: 'matrix' },
  'change.revert': { ...STEP, why: 'matrix' },
  'change.end': STEP,
  'fault.slow': { ms: 0 },
  resend: { requestId: 'matrix', fromMs: 0, toMs: 1 },
  'resend.status': { requestId: 'matrix' },
  'package.offer': { item: ITEM, statementBytes: 1 },
  'package.put': { digest: ITEM.digest, blob: 'statement', offset: 0, data: '' },
  'shell.begin': { id: 'matrix', how: 'ssh', where: 'mia@matrix:22' },
  'shell.end': { id: 'matrix' },
}

/** A command that somebody signed for a node; `change` what the body says. */
export function signedCommand(
  { key }: Pick<IssuedIdentity, 'key'>,
  node: AskedNode,
  {
    verb = 'fault.slow',
    args = ARGS[verb],
    ...change
  }: Partial<Omit<EnvelopeBody, 'args' | 'verb'>> & {
    verb?: Verb
    args?: CommandFrame['args']
  } = {},
): CommandFrame {
  const issuedAt = Date.now()
  const body = {
    v: 1,
    verb,
    args: digestOf(args as never),
    site: node.site,
    node: node.name,
    nonce: newNonce(),
  } as const
  const envelope = signEnvelope({ ...body, issuedAt, expiresAt: issuedAt + 60_000, ...change }, key)
  return { t: 'command', id: randomUUID(), verb, args, envelope }
}

/** Send a request; resolves with the code and words of the refusal, or null and nothing when it was let through. */
export async function answerOf(
  session: TestConsole,
  frame: ClientFrame & { readonly id: string },
): Promise<{ readonly code: string | null; readonly msg: string }> {
  session.send(frame)
  const answer = () => session.frames.find((one) => 'id' in one && one.id === frame.id)
  await session.until(() => answer() !== undefined)
  const found = answer()
  return found?.t === 'error' ? { code: found.code, msg: found.msg } : { code: null, msg: '' }
}

/** Ask everything as everybody: each role, with each set of permissions, at this site, another and all of them. */
export async function askMatrix(authority: FleetAuthority, node: AskedNode, connect: Connect): Promise<MatrixCell[]> {
  const cells: MatrixCell[] = []
  for (const rights of everybody(node.site)) {
    const who = await authority.operator('mia', rights)
    const session = await connect(who)
    for (const asked of ASKED) {
      const answer = await answerOf(session, requestOf(asked, who, node))
      cells.push({ rights, asked, allowed: mayAsk(rights, asked, node.site), ...answer })
    }
    session.close()
  }
  return cells
}

function everybody(site: string): Rights[] {
  const some = Array.from({ length: 2 ** PERMISSIONS.length }, (_, chosen) =>
    PERMISSIONS.filter((_permission, bit) => (chosen >> bit) & 1),
  )
  return ROLES.flatMap((role) =>
    some.flatMap((permissions) =>
      ([[site], ['elsewhere'], '*'] as const).map((sites) => ({ role, permissions, sites })),
    ),
  )
}

/** The law of requirement S3 written down a second time, so that a mistake in the first is found. */
function mayAsk({ role, permissions, sites }: Rights, asked: MatrixCell['asked'], site: string): boolean {
  const need: { readonly role: string; readonly permission?: Rights['permissions'][number] } =
    asked in VERBS ? VERBS[asked as Verb] : REQUESTS[asked as keyof typeof REQUESTS]
  const enough = { viewer: ['viewer', 'operator', 'admin'], operator: ['operator', 'admin'], admin: ['admin'] }
  const hasRole = enough[need.role as keyof typeof enough].includes(role)
  const hasPermission = need.permission === undefined || permissions.includes(need.permission)
  return hasRole && hasPermission && (sites === '*' || sites.some((one) => one === site))
}

function requestOf(
  asked: MatrixCell['asked'],
  who: IssuedIdentity,
  node: AskedNode,
): ClientFrame & { readonly id: string } {
  const id = randomUUID()
  switch (asked) {
    case 'subscribe':
      return { t: 'subscribe', id, topic: 'status', credits: 1 }
    case 'read':
      return { t: 'read', id, topic: 'logs', fromMs: 0, toMs: 1, limit: 1 }
    case 'tally':
      return { t: 'tally', id, fromMs: 0, toMs: 1000, stepMs: 1000 }
    case 'fetch':
      return { t: 'fetch', id, seq: 999_999 }
    default:
      return signedCommand(who, node, { verb: asked })
  }
}
