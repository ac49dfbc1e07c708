import type { UntrustedText } from '../../protocol/untrusted-text.ts'
import { type NodeStatus, safe } from './clean.ts'

/** Somebody else at a node, as it tells of them. */
export type OtherSession = NonNullable<NodeStatus['sessions']>[number]

/** Who else is at a node, for one cell of a row. */
export interface OthersView {
  /** Whoever acted or came last, and how many more there are: `mia`, `mia +2`; null when nobody is there. */
  readonly others: UntrustedText | null
  /** `shell` while one of them has a shell there, else what one changed a moment ago; null when nobody did. */
  readonly othersAct: UntrustedText | null
}

/** How long a command of somebody else stays on the row, ms. */
const ACTING_MS = 60_000

/** The sessions of others that a status tells of, who acted last first. */
export function othersIn(status: NodeStatus | null): readonly OtherSession[] {
  const own = status?.session.key
  return (status?.sessions ?? []).filter(({ key }) => key !== own)
}

/** What a row says of them: who is here, or who acted a moment ago and has left. */
export function othersView(status: NodeStatus | null): OthersView {
  const all = othersIn(status)
  const inShell = all.find(({ shells, left }) => shells !== undefined && left === undefined)
  // A shell is the greater matter: it goes on, and may change anything.
  const acting = inShell ?? all.find(({ last }) => last !== undefined && (status?.at ?? 0) - last.at < ACTING_MS)
  const here = all.filter(({ left }) => left === undefined)
  const first = acting ?? here[0]
  if (first === undefined) return { others: null, othersAct: null }
  const more = here.filter((other) => other !== first).length + (status?.moreSessions ?? 0)
  return {
    others: safe(
      `${(inShell === undefined ? acting?.last?.by : undefined) ?? first.who}${more === 0 ? '' : ` +${more}`}`,
    ),
    othersAct: inShell === undefined ? (acting?.last?.verb ?? null) : safe('shell'),
  }
}
