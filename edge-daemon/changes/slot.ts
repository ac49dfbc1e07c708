import type { ChangeFault, ShadowReport } from '../../protocol/change.ts'
import { type Change, MEMORY, type Moment, type SlotState, spentMs } from './slot-state.ts'

/** Starts of daemon or model that may end badly on one activation before the node goes back. */
export const MAX_UNCLEAN_STARTS = 2
/** How much of a probation may be forgotten with a machine that loses its power. */
const KEEP_SPENT_MS = 60_000
const MAX_MSG_CHARS = 1000

/** Why a change ends badly. */
export interface Fault {
  readonly kind: ChangeFault
  readonly msg: string
}

/** What happens to a change besides what its rollout asks for (`slot-steps.ts`). */
export type SlotEvent =
  /** The daemon starts: what it finds marked did not end well. */
  | { readonly type: 'started' }
  /** The daemon ends as it was asked to. */
  | { readonly type: 'stopping' }
  | { readonly type: 'staged' }
  | { readonly type: 'failed'; readonly fault: Fault }
  | { readonly type: 'compared'; readonly report: ShadowReport }
  /** The candidate serves. */
  | { readonly type: 'loaded' }
  /** It has served without dying for a while. */
  | { readonly type: 'proven' }
  /** The process of the candidate died. */
  | { readonly type: 'died'; readonly msg: string }
  | { readonly type: 'gate'; readonly fault: Fault }
  /** What was confirmed serves again. */
  | { readonly type: 'returned' }
  /** Time has passed. */
  | { readonly type: 'looked' }

/**
 * What the slot is after an event; the same object when nothing of it is to be kept. Pure: whoever calls it writes the
 * new state down before anything comes of it. An event that does not fit the phase, because it comes late, changes nothing.
 */
export function next(state: SlotState, event: SlotEvent, now: Moment): SlotState {
  const { change } = state
  if (change === null) return state
  const { phase } = change
  const isOn = phase === 'activating' || phase === 'probation'
  switch (event.type) {
    case 'started':
      return isOn ? started(state, change, now) : state
    case 'stopping':
      return isOn ? put(state, { ...anchored(change, now), isMarked: false }) : state
    case 'staged':
      return phase === 'staging' ? put(state, { ...enter(change, 'staged', now), fault: null }) : state
    case 'failed':
      return failed(state, change, event.fault, now)
    case 'compared':
      if (phase !== 'shadowing' || change.shadow === null) return state
      return put(state, { ...enter(change, 'staged', now), shadow: { ...change.shadow, report: event.report } })
    case 'loaded':
      return phase === 'activating' ? put(state, begun(change, now)) : state
    case 'proven':
      return phase === 'probation' && change.isMarked ? put(state, { ...change, isMarked: false }) : state
    case 'died':
      return isOn ? unclean(state, change, event.msg, now) : state
    case 'gate':
      return phase === 'probation' ? goBack(state, event.fault, now) : state
    case 'returned': {
      if (phase !== 'reverting') return state
      const back = enter(change, 'reverted', now)
      return put(state, { ...back, isLocked: !change.isEnding, isEnding: false })
    }
    case 'looked':
      return looked(state, now)
  }
}

/** The change goes back to what was confirmed before it; the outcome of its activation is decided with this. */
export function goBack(state: SlotState, fault: Fault, now: Moment): SlotState {
  const { change } = state
  if (change === null) return state
  const told = { kind: fault.kind, msg: fault.msg.slice(0, MAX_MSG_CHARS) }
  const others = state.confirmed.filter(({ kind }) => kind !== change.item.kind)
  const wasConfirmed = change.phase === 'confirmed'
  const back: Change = {
    ...enter(change, 'reverting', now),
    isLocked: true,
    trial: null,
    fault: told,
    isMarked: false,
  }
  return {
    ...(change.activation === null ? state : decided(state, change, { outcome: 'reverted', msg: told.msg })),
    confirmed:
      wasConfirmed && change.before !== null ? [...others, change.before] : wasConfirmed ? others : state.confirmed,
    change: back,
  }
}

/** Write down what became of an activation; a later outcome takes the place of an earlier one. */
export function decided(
  state: SlotState,
  { rollout, activation }: { readonly rollout: string; readonly activation: string | null },
  { outcome, msg }: { readonly outcome: 'confirmed' | 'reverted'; readonly msg: string },
): SlotState {
  if (activation === null) return state
  const others = state.ended.filter((one) => one.rollout !== rollout || one.activation !== activation)
  const ended = [...others, { rollout, activation, outcome, msg: msg.slice(0, MAX_MSG_CHARS) }].slice(-MEMORY.ended)
  return { ...state, ended }
}

/** Put the change into a phase. */
export function enter(change: Change, phase: Change['phase'], now: Moment): Change {
  return { ...change, phase, since: Math.max(0, Math.round(now.wallMs)) }
}

/** The state with this change. */
export function put(state: SlotState, change: Change): SlotState {
  return { ...state, change }
}

function started(state: SlotState, change: Change, now: Moment): SlotState {
  if (change.isMarked) {
    const counted = unclean(state, change, 'the daemon ended while it was new on it', now)
    if (counted.change?.phase === 'reverting') return counted
    return looked(put(counted, { ...anchored(counted.change as Change, now), isMarked: true }), now)
  }
  return looked(put(state, { ...anchored(change, now), isMarked: true }), now)
}

function begun(change: Change, now: Moment): Change {
  const { trial } = change
  const spent = { spentMs: 0, bootId: now.bootId, atUpMs: now.upMs, atWallMs: Math.max(0, Math.round(now.wallMs)) }
  const served = { requests: 0, failed: 0, slow: 0 }
  return { ...enter(change, 'probation', now), trial: trial === null ? null : { ...trial, spent }, served }
}

/** The same change with the time that is over as of now, by the clocks of this boot. */
function anchored(change: Change, now: Moment): Change {
  const { trial } = change
  if (trial === null || trial.spent === null) return change
  const spent = {
    spentMs: spentMs(trial.spent, now),
    bootId: now.bootId,
    atUpMs: now.upMs,
    atWallMs: Math.max(0, Math.round(now.wallMs)),
  }
  return { ...change, trial: { ...trial, spent } }
}

function unclean(state: SlotState, change: Change, msg: string, now: Moment): SlotState {
  const counted = put(state, { ...change, uncleanStarts: change.uncleanStarts + 1 })
  if (change.uncleanStarts + 1 < MAX_UNCLEAN_STARTS) return counted
  return goBack(counted, { kind: 'unclean_starts', msg: `it ended badly ${MAX_UNCLEAN_STARTS} times: ${msg}` }, now)
}

function failed(state: SlotState, change: Change, fault: Fault, now: Moment): SlotState {
  const told = { kind: fault.kind, msg: fault.msg.slice(0, MAX_MSG_CHARS) }
  switch (change.phase) {
    case 'staging':
    case 'staged':
    case 'shadowing':
      return put(state, { ...enter(change, 'failed', now), fault: told })
    case 'activating': {
      // It never served; the outcome of the activation is known with that.
      const over = decided(state, change, { outcome: 'reverted', msg: told.msg })
      const isLocked = !change.isEnding
      return put(over, { ...enter(change, 'failed', now), fault: told, trial: null, isMarked: false, isLocked })
    }
    case 'probation':
      return goBack(state, told, now)
    default:
      return state
  }
}

function looked(state: SlotState, now: Moment): SlotState {
  const { change } = state
  const spent = change?.trial?.spent ?? null
  if (change === null || change.trial === null || spent === null || change.phase !== 'probation') return state
  const { withinMs } = change.trial
  const overMs = spentMs(spent, now)
  if (overMs >= withinMs) {
    const msg = `no confirmation came within ${Math.round(withinMs / 1000)} s`
    return goBack(state, { kind: 'unconfirmed', msg }, now)
  }
  if (overMs - spent.spentMs < Math.min(KEEP_SPENT_MS, withinMs / 10)) return state
  return put(state, anchored(change, now))
}

/** What has to go on now; whatever goes on under another key is broken off first. */
export type Activity = {
  readonly kind: 'stage' | 'shadow' | 'load' | 'return'
  readonly key: string
  readonly change: Change
} | null

/** What the state asks for: found from it alone, so that a start after a crash goes on where it was. */
export function activityOf({ change }: SlotState): Activity {
  if (change === null) return null
  const kinds = { staging: 'stage', shadowing: 'shadow', activating: 'load', reverting: 'return' } as const
  const { phase, rollout, item, since } = change
  const kind = phase in kinds ? kinds[phase as keyof typeof kinds] : null
  if (kind === null) return null
  const wish = kind === 'shadow' ? JSON.stringify(change.shadow?.wish ?? null) : (change.activation ?? '')
  return { kind, key: [kind, rollout, item.digest, since, wish].join(' '), change }
}
