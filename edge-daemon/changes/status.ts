import { type ChangeStatus, type Item, itemWords, type ShadowReport } from '../../protocol/change.ts'
import type { Condition } from '../../protocol/status.ts'
import type { Progress } from './contract.ts'
import type { Change, Moment, Served, SlotState } from './slot-state.ts'
import { leftMs } from './slot-steps.ts'

/** What is known of a change beside what is kept of it. */
export interface LiveSide {
  /** What the node was set up with; null where it cannot name it. */
  readonly own: Item | null
  readonly now: Moment
  readonly served: Served
  readonly progress: Progress | null
  readonly shadow: ShadowReport | null
}

/** The change as consoles see it; null where there was none. */
export function statusOf(state: SlotState, live: LiveSide): ChangeStatus | null {
  const { change } = state
  if (change === null) return null
  const { rollout, term, item, phase, since, isLocked, activation, fault, uncleanStarts } = change
  const left = leftMs(state, live.now)
  const hasServed = change.served !== null
  const before = isLocked ? (change.before ?? live.own) : null
  return {
    rollout,
    term,
    item,
    ...(before === null ? {} : { before }),
    phase,
    since,
    isLocked,
    activation,
    until: left === null ? null : Math.max(0, Math.round(live.now.wallMs + left)),
    progress: phase === 'staging' ? live.progress : null,
    fault,
    served: hasServed ? live.served : null,
    shadow: live.shadow ?? change.shadow?.report ?? null,
    uncleanStarts,
  }
}

/** What the log says of a change that came into another phase, and whether somebody has to look at it. */
export function phaseWords({ rollout, term, item, phase, activation, fault, uncleanStarts }: Change) {
  const isBad = phase === 'failed' || phase === 'reverting' || (phase === 'reverted' && fault?.kind !== 'asked')
  const of = `${item.kind} ${itemWords(item, '@')} of rollout ${rollout}`
  const msg = `${of} is ${phase}${fault === null ? '' : `: ${fault.msg}`}`
  const fields = { rollout, term, phase, activation, digest: item.digest, uncleanStarts, fault: fault?.kind ?? null }
  return { isBad, msg, fields }
}

/** How long a return is told of as a condition when nothing follows it, ms. */
const TELL_RETURN_MS = 86_400_000

/** What an operator must see of a change while nobody looks at the rollout. */
export function findingsOf({ change }: SlotState, now: Moment): Omit<Condition, 'since'>[] {
  if (change === null) return []
  const { item, phase, fault, rollout, since } = change
  const of = `${itemWords(item, '@')} of rollout ${rollout}`
  const left = change.phase === 'probation' ? 'it goes back by itself unless it is confirmed' : null
  if (left !== null) {
    return [{ code: `${item.kind}_on_probation`, severity: 'info', msg: `${of} is on probation; ${left}` }]
  }
  const isBack = phase === 'reverting' || phase === 'reverted'
  if (!isBack || fault === null || fault.kind === 'asked') return []
  if (phase === 'reverted' && Math.abs(now.wallMs - since) > TELL_RETURN_MS) return []
  return [{ code: `${item.kind}_returned`, severity: 'warning', msg: `${of} was taken back by the node: ${fault.msg}` }]
}
