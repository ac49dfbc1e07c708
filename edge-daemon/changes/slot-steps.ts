import { type ChangeArgs, type ChangeVerb, type Item, isSameItem, itemWords } from '../../protocol/change.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { decided, enter, goBack, put } from './slot.ts'
import { type Change, confirmedOf, MEMORY, type Moment, type SlotState, type SpentTime, spentMs } from './slot-state.ts'

/** A verb with its arguments, checked. */
export type Step = { readonly [V in ChangeVerb]: { readonly verb: V; readonly args: ChangeArgs<V> } }[ChangeVerb]

/**
 * What the slot is after a step of a rollout. Sent again, a step changes nothing; the caller answers with the change of
 * the rollout that the state then holds, or with null where nothing of it is here. Pure: see `slot.ts`. The caller lets
 * time pass first (`looked`), so that a confirmation does not win against a deadline that is over.
 * @throws EdgeError `TERM_STALE`, `CHANGE_LOCKED`, `CHANGE_UNFIT`
 */
export function takeStep(before: SlotState, step: Step, now: Moment): SlotState {
  const { rollout, term } = step.args
  const known = before.terms.find((one) => one.rollout === rollout)?.term ?? 0
  if (term < known) {
    throw new EdgeError('TERM_STALE', {
      message: `rollout ${rollout} is driven in term ${known} here, and this step is of term ${term}`,
      next: ['look at the rollout: somebody else drives it by now'],
    })
  }
  const state = term === known ? before : remembered(before, rollout, term)
  const own = state.change?.rollout === rollout ? state.change : null
  if (own === null) return withoutOwn(state, step, now)
  switch (step.verb) {
    case 'change.stage':
      return stage(state, step.args, now)
    case 'change.shadow':
      return shadow(state, own, step.args, now)
    case 'change.activate':
      return activate(state, own, step.args, now)
    case 'change.confirm':
      return confirm(state, own, step.args.activation, now)
    case 'change.revert':
      return revert(state, own, step.args, now)
    case 'change.end':
      return end(state, own, now)
  }
}

/** See that the mandate of a step is for the item that it is about. @throws EdgeError `MANDATE_INVALID` */
export function checkMandate(state: SlotState, step: Step): void {
  const { mandate } = step.args
  const item = itemOfStep(state, step)
  if (mandate === undefined || item === null || isSameItem(mandate.item, item)) return
  throw new EdgeError('MANDATE_INVALID', {
    message: `the mandate is for ${itemWords(mandate.item, '@')}, not for ${itemWords(item, '@')}`,
    next: ['begin a rollout of that item'],
  })
}

/** The item that a step is about: the one that it brings, else the one of the rollout's change; null where there is none. */
function itemOfStep(state: SlotState, step: Step): Item | null {
  if (step.verb === 'change.stage') return step.args.item
  return state.change?.rollout === step.args.rollout ? state.change.item : null
}

/** How long until the node goes back by itself, ms; null when it is not on probation. */
export function leftMs({ change }: SlotState, now: Moment): number | null {
  const spent: SpentTime | null = change?.phase === 'probation' ? (change.trial?.spent ?? null) : null
  return spent === null ? null : Math.max(0, (change?.trial?.withinMs ?? 0) - spentMs(spent, now))
}

function remembered(state: SlotState, rollout: string, term: number): SlotState {
  const others = state.terms.filter((one) => one.rollout !== rollout)
  const { change } = state
  // Room is made by the one that was heard longest ago, and never by the one whose change is here.
  const oldest = others.find((one) => one.rollout !== change?.rollout)
  const kept = others.length < MEMORY.terms ? others : others.filter((one) => one !== oldest)
  const terms = [...kept, { rollout, term }]
  return { ...state, terms, change: change?.rollout === rollout ? { ...change, term } : change }
}

/** A rollout of which the node carries nothing. */
function withoutOwn(state: SlotState, step: Step, now: Moment): SlotState {
  const { change } = state
  if (step.verb === 'change.end' || step.verb === 'change.revert') {
    const { rollout } = step.args
    const served = state.ended.some((one) => one.rollout === rollout && one.outcome === 'confirmed')
    if (step.verb === 'change.revert' && served) {
      throw unfit(`rollout ${change?.rollout ?? '?'} changed this node since`, 'roll back that one first')
    }
    const { activation } = step.verb === 'change.revert' ? step.args : {}
    // An activation that is still on its way must find that it is over.
    return activation === undefined
      ? state
      : decided(state, { rollout, activation }, { outcome: 'reverted', msg: 'taken back before it came' })
  }
  if (change?.isLocked === true) throw locked(change)
  if (step.verb !== 'change.stage') {
    throw unfit(`nothing of rollout ${step.args.rollout} is staged here`, 'stage its item first')
  }
  return stage(state, step.args, now)
}

function stage(state: SlotState, args: ChangeArgs<'change.stage'>, now: Moment): SlotState {
  const { rollout, term, item, sources } = args
  const own = state.change?.rollout === rollout ? state.change : null
  if (own !== null && !isSameItem(own.item, item)) {
    throw unfit(
      `rollout ${rollout} brought ${titleOf(own.item)} here, not ${titleOf(item)}`,
      'begin another rollout for it',
    )
  }
  // What failed or was taken back may be tried again; everything else is there already or on its way.
  if (own !== null && own.phase !== 'failed' && own.phase !== 'reverted') return state
  const fresh: Change = {
    rollout,
    term,
    item,
    phase: 'staging',
    since: 0,
    isLocked: true,
    isEnding: false,
    sources,
    shadow: null,
    activation: null,
    trial: null,
    before: confirmedOf(state, item.kind),
    fault: null,
    uncleanStarts: 0,
    isMarked: false,
    served: null,
  }
  return put(state, enter(fresh, 'staging', now))
}

function shadow(state: SlotState, own: Change, args: ChangeArgs<'change.shadow'>, now: Moment): SlotState {
  const { source, samples, samplePct, labelled } = args
  const wish = { source, samples, samplePct, ...(labelled === undefined ? {} : { labelled }) }
  if (own.phase !== 'staged' && own.phase !== 'shadowing') throw unfitPhase(own, 'compared')
  if (own.shadow !== null && JSON.stringify(own.shadow.wish) === JSON.stringify(wish)) return state
  return put(state, { ...enter(own, 'shadowing', now), shadow: { wish, report: null } })
}

function activate(state: SlotState, own: Change, args: ChangeArgs<'change.activate'>, now: Moment): SlotState {
  const { activation, confirmWithinSec, gates, comparePct } = args
  if (own.activation === activation) return state
  const past = outcomeOf(state, own.rollout, activation)
  if (past !== undefined) throw unfit(`activation ${activation} is over: ${past.msg}`, 'activate it under a new id')
  if (own.phase !== 'staged' && own.phase !== 'shadowing') throw unfitPhase(own, 'activated')
  return put(state, {
    ...enter(own, 'activating', now),
    activation,
    trial: { withinMs: confirmWithinSec * 1000, gates, comparePct, spent: null },
    before: confirmedOf(state, own.item.kind),
    fault: null,
    uncleanStarts: 0,
    isMarked: true,
  })
}

function confirm(state: SlotState, own: Change, activation: string, now: Moment): SlotState {
  const past = outcomeOf(state, own.rollout, activation)
  if (past?.outcome === 'confirmed') return state
  if (past !== undefined)
    throw unfit(`activation ${activation} was taken back: ${past.msg}`, 'stage and activate it anew')
  if (own.activation !== activation) {
    throw unfit(
      `activation ${activation} is not the one of this node, ${own.activation ?? 'which has none'}`,
      'activate it first',
    )
  }
  if (own.phase !== 'probation') throw unfitPhase(own, 'confirmed')
  const others = state.confirmed.filter(({ kind }) => kind !== own.item.kind)
  const kept = decided(state, own, { outcome: 'confirmed', msg: 'it was confirmed' })
  const change: Change = { ...enter(own, 'confirmed', now), trial: null, fault: null, isMarked: false }
  // What the node was set up with is what it has where nothing of the kind is confirmed.
  return { ...kept, confirmed: own.item.origin === undefined ? [...others, own.item] : others, change }
}

function revert(
  state: SlotState,
  own: Change,
  { rollout, term, activation, why }: ChangeArgs<'change.revert'>,
  now: Moment,
): SlotState {
  const fault = { kind: 'asked' as const, msg: why }
  if (activation !== undefined && activation !== own.activation) {
    const past = outcomeOf(state, own.rollout, activation)
    if (past?.outcome === 'reverted') return state
    // It never came here, and must find that it is over when it does; what is activated here under another id stays.
    const over = decided(state, { rollout: own.rollout, activation }, { outcome: 'reverted', msg: why })
    return own.activation === null ? revert(over, own, { rollout, term, why }, now) : over
  }
  switch (own.phase) {
    case 'staging':
    case 'staged':
    case 'shadowing':
      return dropped(state, own, fault, now)
    case 'activating':
    case 'probation':
    case 'confirmed':
      return goBack(state, fault, now)
    default:
      return state
  }
}

function end(state: SlotState, own: Change, now: Moment): SlotState {
  if (!own.isLocked) return state
  switch (own.phase) {
    case 'staging':
    case 'staged':
    case 'shadowing':
      return put(state, { ...enter(own, 'failed', now), isLocked: false, fault: ENDED })
    case 'activating':
    case 'probation': {
      const back = goBack(state, ENDED, now)
      return back.change === null ? back : put(back, { ...back.change, isEnding: true })
    }
    case 'reverting':
      return own.isEnding ? state : put(state, { ...own, isEnding: true })
    default:
      return put(state, { ...own, isLocked: false })
  }
}

const ENDED = { kind: 'asked' as const, msg: 'the rollout let the node go before it was confirmed' }

/** Something that never served is given up. */
function dropped(state: SlotState, own: Change, fault: NonNullable<Change['fault']>, now: Moment): SlotState {
  return put(state, { ...enter(own, 'reverted', now), fault })
}

function outcomeOf(state: SlotState, rollout: string, activation: string) {
  return state.ended.find((one) => one.rollout === rollout && one.activation === activation)
}

function titleOf(item: Item): string {
  return `${item.kind} ${itemWords(item, '@')} (${item.digest.slice(0, 12)})`
}

function locked(change: Change): EdgeError {
  return new EdgeError('CHANGE_LOCKED', {
    message: `this node carries ${titleOf(change.item)} of rollout ${change.rollout}, which is ${change.phase}`,
    next: [`wait until rollout ${change.rollout} is over, or end it here`],
  })
}

function unfitPhase(own: Change, what: string): EdgeError {
  const why = own.fault === null ? '' : `: ${own.fault.msg}`
  return unfit(
    `${titleOf(own.item)} is ${own.phase} here and cannot be ${what}${why}`,
    'look at what the node says of its change',
  )
}

function unfit(message: string, next: string): EdgeError {
  return new EdgeError('CHANGE_UNFIT', { message, next: [next] })
}
