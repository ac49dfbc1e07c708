import type { RolloutPhase } from '../../rollout/contract.ts'
import type { EventTone } from '../../rollout/event-text.ts'
import type { RolloutNode, RolloutWave } from '../rollouts/facts.ts'
import type { Token } from '../theme.ts'
import type { Look } from './look.ts'

/** A glyph and its meaning, with the word that says the same without colour. */
export interface Mark {
  readonly glyph: string
  readonly token: Token
  readonly word: string
}

type Marks<K extends string> = Readonly<Record<K, readonly [glyph: string, ascii: string, token: Token, word: string]>>

const PHASES: Marks<RolloutPhase> = {
  running: ['▶', '>', 'info', 'running'],
  paused: ['‖', '=', 'warning', 'paused'],
  reverting: ['◀', '<', 'danger', 'going back'],
  done: ['●', '+', 'ok', 'done'],
  reverted: ['✗', 'x', 'danger', 'taken back'],
}
const STANDINGS: Marks<RolloutNode['standing']> = {
  untouched: ['○', '.', 'muted', 'untouched'],
  waiting: ['○', '.', 'muted', 'waiting'],
  staging: ['◔', '-', 'info', 'staging'],
  staged: ['◔', '-', 'info', 'staged'],
  shadowing: ['◑', '~', 'info', 'on shadow'],
  shadowed: ['◑', '~', 'info', 'shadow done'],
  activating: ['◕', '*', 'info', 'activating'],
  probation: ['◕', '*', 'warning', 'probation'],
  confirming: ['◕', '*', 'info', 'confirming'],
  done: ['●', '+', 'ok', 'done'],
  deferred: ['◌', '?', 'warning', 'deferred'],
  suspect: ['▲', '!', 'danger', 'suspect'],
  reverting: ['◀', '<', 'danger', 'going back'],
  reverted: ['✗', 'x', 'danger', 'back'],
  exception: ['▲', '!', 'danger', 'exception'],
}
const WAVES: Marks<RolloutWave['phase']> = {
  waiting: ['○', '.', 'muted', 'waits'],
  running: ['▶', '>', 'info', 'runs'],
  ended: ['●', '+', 'ok', 'through'],
  brokenOff: ['✗', 'x', 'danger', 'broken'],
}
const TONES: Readonly<Record<EventTone, Token>> = {
  routine: 'muted',
  plain: 'text',
  good: 'ok',
  caution: 'warning',
  bad: 'danger',
  person: 'accent',
}

/** Mark of a rollout's phase. */
export function phaseMark(phase: RolloutPhase, look: Look): Mark {
  return markOf(PHASES[phase], look)
}

/** Mark of how a node stands. */
export function standingMark(standing: RolloutNode['standing'], look: Look): Mark {
  return markOf(STANDINGS[standing], look)
}

/** Mark of a wave. */
export function waveMark(phase: RolloutWave['phase'], look: Look): Mark {
  return markOf(WAVES[phase], look)
}

/** Meaning of an event's tone. */
export function toneToken(tone: EventTone): Token {
  return TONES[tone]
}

function markOf([glyph, ascii, token, word]: readonly [string, string, Token, string], look: Look): Mark {
  return { glyph: look.ascii ? ascii : glyph, token, word }
}
