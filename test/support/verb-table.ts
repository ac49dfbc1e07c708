import type { CommandHandler } from '../../edge-daemon/commands/contract.ts'
import { VERBS, type Verb } from '../../protocol/rights.ts'

/** Carries out every verb by doing nothing: for whoever asks a desk for some of them. */
export function idleVerbs(): Readonly<Record<Verb, CommandHandler>> {
  const idle = Object.keys(VERBS).map((verb) => [verb, () => ({})] as const)
  return Object.fromEntries(idle) as unknown as Record<Verb, CommandHandler>
}
