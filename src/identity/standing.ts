import { PERMISSIONS, type Rights } from '../../protocol/rights.ts'
import type { IdentitySource } from './identity-source.ts'

/** Who the operator is on the screen, and what they may do as far as this console knows. */
export interface Standing {
  /** Null where nobody asks who it is: on nodes of this machine that have not joined a fleet. */
  readonly name: string | null
  readonly rights: Rights
  /** When it ends, Unix ms; null when it does not. */
  readonly untilMs: number | null
}

/** On nodes that ask nobody who they are: what such a node refuses, it says itself. */
export const LOCAL_STANDING: Standing = {
  name: null,
  rights: { role: 'admin', permissions: PERMISSIONS, sites: '*' },
  untilMs: null,
}

/** Before the end of a standing it is told for this long, ms. */
export const END_TOLD_MS = 600_000

/** Who the operator is now. */
export function standingOf(source: IdentitySource): Standing {
  const state = source.current()
  if (state.kind === 'none') return LOCAL_STANDING
  const { name, rights, untilMs } = state.identity
  return { name, rights, untilMs }
}

/** That a standing is about to end or has, with the cure; null while there is time. */
export function endingText({ untilMs }: Standing, nowMs: number): string | null {
  if (untilMs === null || untilMs - nowMs > END_TOLD_MS) return null
  if (untilMs <= nowMs) return 'your login has ended: edgedeck login'
  return `your login ends in ${Math.ceil((untilMs - nowMs) / 60_000)} min`
}
