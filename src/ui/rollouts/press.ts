import type { KeyName } from '../../actions/keys.ts'
import type { Strategy } from '../../rollout/contract.ts'
import { editText } from '../edit-text.ts'
import { isBeginnable, offersFor, type PackageOffer, type RolloutFace, rowOf } from './face.ts'
import { KNOBS } from './knobs.ts'

/** What is asked in a dialog of rollouts is answered with a package, a typed text or the word of a key. */
export type Answer = string | PackageOffer

/** What a key does in a dialog: another face, or an answer that ends the step. Null for a key that means nothing there. */
export type Pressed = { readonly face: RolloutFace } | { readonly answer: Answer } | null

/** What keys of a dialog need to know beside its face. */
export interface PressMeans {
  /** What is wrong with a typed line; null when it is taken. */
  readonly faultIn: (typed: string) => string | null
  /** The plan by another strategy, or why there is none. */
  readonly replan: (strategy: Strategy) => Pick<Extract<RolloutFace, { phase: 'planning' }>, 'plan' | 'fault'>
}

/** A key in a dialog of rollouts, but for those that leave the step. */
export function pressed(face: RolloutFace, key: KeyName, means: PressMeans): Pressed {
  switch (face.phase) {
    case 'choosing':
      return choose(face, key)
    case 'planning':
      return turn(face, key, means)
    case 'typing':
      return type(face, key, means)
    case 'busy':
    case 'failed':
      return null
  }
}

function choose(face: Extract<RolloutFace, { phase: 'choosing' }>, key: KeyName): Pressed {
  const shown = offersFor(face.offers, face.typed)
  const row = rowOf(shown, face.cursor)
  if (key === 'enter') {
    const offer = shown[row]
    if (offer !== undefined) return { answer: offer }
    return face.typed.trim() === '' ? null : { answer: face.typed.trim() }
  }
  const step = { up: -1, down: 1, pgup: -8, pgdn: 8 }[key]
  if (step !== undefined) {
    const next = shown[Math.max(0, Math.min(shown.length - 1, row + step))]
    return next === undefined ? null : { face: { ...face, cursor: next.item.digest } }
  }
  const typed = editText(face.typed, key)
  return typed === null ? null : { face: { ...face, typed, fault: null, cursor: null } }
}

function turn(face: Extract<RolloutFace, { phase: 'planning' }>, key: KeyName, { replan }: PressMeans): Pressed {
  const move = { up: -1, k: -1, down: 1, j: 1 }[key]
  const by = { left: -1, h: -1, right: 1, l: 1, space: 1 }[key] as 1 | -1 | undefined
  const scroll = { pgdn: 4, 'ctrl-d': 4, pgup: -4, 'ctrl-u': -4 }[key]
  const knob = KNOBS[face.row]
  if (key === 'enter') return isBeginnable(face.plan) ? { answer: 'begin' } : null
  if (key === 'f') return { answer: 'file' }
  if (move !== undefined) {
    return { face: { ...face, row: Math.max(0, Math.min(KNOBS.length - 1, face.row + move)) } }
  }
  if (scroll !== undefined) return { face: { ...face, scroll: Math.max(0, face.scroll + scroll) } }
  if (by === undefined || knob === undefined) return null
  const strategy = knob.turned(face.strategy, by)
  return { face: { ...face, strategy, ...replan(strategy), scroll: 0 } }
}

function type(face: Extract<RolloutFace, { phase: 'typing' }>, key: KeyName, { faultIn }: PressMeans): Pressed {
  if (key === 'enter') {
    const fault = faultIn(face.typed)
    return fault === null ? { answer: face.typed } : { face: { ...face, fault } }
  }
  const typed = editText(face.typed, key)
  return typed === null ? null : { face: { ...face, typed, fault: null } }
}
