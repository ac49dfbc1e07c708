import { isOk, type NodeOutcome } from './fan-out-outcome.ts'

/** Nodes of which nothing tells apart how the command went there: the same end and the same outputs. */
export interface OutcomeGroup {
  /** The same for the same end and outputs. */
  readonly id: string
  readonly outcomes: readonly [NodeOutcome, ...NodeOutcome[]]
}

/** Folds outcomes that are alike together, as they come. */
export class OutcomeGroups {
  readonly #groups = new Map<string, [NodeOutcome, ...NodeOutcome[]]>()

  add(outcome: NodeOutcome): void {
    const id = likeness(outcome)
    const group = this.#groups.get(id)
    if (group === undefined) this.#groups.set(id, [outcome])
    else group.push(outcome)
  }

  /** The largest group first, among equals what went well, then as they came. */
  sorted(): OutcomeGroup[] {
    return Array.from(this.#groups, ([id, members]) => ({ id, outcomes: members })).sort(
      (a, b) => b.outcomes.length - a.outcomes.length || Number(isOk(b.outcomes[0])) - Number(isOk(a.outcomes[0])),
    )
  }
}

/** Fold outcomes that are alike together, as {@link OutcomeGroups.sorted} has them. */
export function groupOutcomes(outcomes: readonly NodeOutcome[]): OutcomeGroup[] {
  const groups = new OutcomeGroups()
  for (const outcome of outcomes) groups.add(outcome)
  return groups.sorted()
}

/** What outcomes must have in common. Why nodes were not reached differs by their addresses; its code is what counts. */
function likeness({ end, stdout, stderr }: NodeOutcome): string {
  const how = end.kind === 'unreachable' ? end.code : end.kind === 'dropped' ? '' : JSON.stringify(end)
  return `${end.kind} ${how} ${stdout.digest} ${stderr.digest}`
}
