import { untrusted } from '../../protocol/untrusted-text.ts'
import { groupOutcomes, type OutcomeGroup } from '../shell/fan-out-groups.ts'
import { endText, type NodeOutcome } from '../shell/fan-out-outcome.ts'
import { outputLines, unkeptBytes } from '../shell/fan-out-output.ts'
import { formatBytes } from '../ui/format.ts'
import { lineDiff } from './line-diff.ts'

/** Outcomes as text for people: nodes of which nothing differs are told once, the largest group first. Safe to show. */
export function groupedText(outcomes: readonly NodeOutcome[], { diff }: { readonly diff: boolean }): string {
  const groups = groupOutcomes(outcomes)
  const largest = groups[0]
  return groups.map((group) => groupText(group, diff && group !== largest ? (largest ?? null) : null)).join('\n')
}

function groupText({ outcomes }: OutcomeGroup, against: OutcomeGroup | null): string {
  const [first] = outcomes
  const names = untrusted(outcomes.map(({ key }) => key).join(', '))
  const count = outcomes.length === 1 ? names : `${outcomes.length} nodes: ${names}`
  if (first.end.kind === 'unreachable' || first.end.kind === 'dropped') {
    const told = outcomes.map(({ key, end }) => `  ${untrusted(key)}: ${endText(end)}\n`).join('')
    const what = first.end.kind === 'unreachable' ? first.end.code : 'connection lost'
    return `== ${count} (${what})\n${told}${outputText(first)}`
  }
  const lines = outputLines(first)
  const body =
    against === null
      ? lines.map((line) => `${line}\n`).join('')
      : lineDiff(outputLines(against.outcomes[0]), lines)
          .map((line) => `${line}\n`)
          .join('')
  return `== ${count} (${endText(first.end)})\n${body}${restText(first)}`
}

function outputText(outcome: NodeOutcome): string {
  const lines = outputLines(outcome).map((line) => `${line}\n`)
  return `${lines.join('')}${restText(outcome)}`
}

function restText(outcome: NodeOutcome): string {
  const missing = unkeptBytes(outcome)
  return missing === 0 ? '' : `… ${formatBytes(missing)} more, not kept\n`
}
