import type { DenyList } from '../../identity/deny-list.ts'
import { readPem, type Trust, verifyChain } from '../../identity/verify.ts'
import type { FleetContext } from '../config/context.ts'
import type { IdentityState } from '../identity/identity-source.ts'
import { type Finding, FindingsOf } from './finding.ts'
import { lasting, MINUTE_MS } from './times.ts'

/** What is known of who the operator is. */
export interface IdentityFacts {
  readonly context: Pick<FleetContext, 'nodes' | 'nats' | 'controller'>
  readonly state: IdentityState
  /** Whom the folder of the identity believes; null when it holds nothing that could be read. */
  readonly trust: Trust | null
  readonly denied: DenyList | null
  /** Unix ms. */
  readonly nowMs: number
}

const LOGIN = 'edgedeck login'
/** An operator's certificate that ends within this time is told. */
const ENDING_MS = 30 * MINUTE_MS
/** A console that has a controller asks it at every command. */
const OLD_LIST_MS = 2 * 86_400_000

/** Say who the operator is, whether their certificate counts, and how old what they know of revocations is. */
export function judgeIdentity({ context, state, trust, denied, nowMs }: IdentityFacts): readonly Finding[] {
  const say = new FindingsOf('identity')
  const isJoined = context.controller !== null || context.nats !== null || context.nodes.some(isSecure)
  if (state.kind === 'none') {
    const { reason } = state
    if (isJoined) say.fault('login', reason.replace(/ *(?:→|: log in with| edgedeck login).*$/, ''), cureIn(reason))
    else say.note('login', 'nobody is logged in, and nothing here asks who you are')
    return say.all
  }
  const { identity } = state
  const { role, permissions, sites } = identity.rights
  const where = sites === '*' ? 'all sites' : sites.length === 0 ? 'no site' : sites.join(', ')
  say.ok('login', `${identity.name} of ${identity.fleet}: ${[role, ...permissions].join(' + ')} at ${where}`)
  if (trust === null) {
    say.fault('trust', 'the trust bundle of the identity cannot be read', LOGIN)
    return say.all
  }
  const verdict = verifyChain(readPem(identity.tls.cert), { trust, nowMs, use: 'client' })
  const leftMs = identity.untilMs - nowMs
  if (!verdict.ok) {
    if (verdict.why === 'expired') say.fault('certificate', `your certificate ended ${lasting(leftMs)} ago`, LOGIN)
    else if (verdict.why === 'not_yet_valid') {
      say.fault('certificate', verdict.msg, 'set the clock of this machine, which is behind that of the controller')
    } else if (verdict.why === 'revoked') say.fault('certificate', verdict.msg, 'ask an admin of the fleet why')
    else say.fault('certificate', `your certificate does not count: ${verdict.msg}`, LOGIN)
  } else if (leftMs < ENDING_MS) say.warning('certificate', `your certificate ends in ${lasting(leftMs)}`, LOGIN)
  else say.ok('certificate', `your certificate ends in ${lasting(leftMs)}`)
  judgeList(denied, nowMs, say)
  return say.all
}

function judgeList(denied: DenyList | null, nowMs: number, say: FindingsOf): void {
  if (denied === null) return void say.note('deny', 'no deny list is held: nothing was revoked when you logged in')
  const ageMs = nowMs - denied.issuedAt
  const about = `the deny list held here is version ${denied.version}, signed ${lasting(ageMs)} ago`
  if (ageMs > OLD_LIST_MS) say.warning('deny', about, LOGIN)
  else say.ok('deny', about)
}

function cureIn(reason: string): string {
  return / → (.*)$/.exec(reason)?.[1] ?? LOGIN
}

function isSecure({ url }: { readonly url: string | null }): boolean {
  return url?.startsWith('wss:') ?? false
}
