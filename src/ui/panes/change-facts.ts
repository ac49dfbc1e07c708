import { itemWords } from '../../../protocol/change.ts'
import { quantileMs } from '../../../protocol/histogram.ts'
import type { NodeStatus } from '../../fleet/clean.ts'
import { formatAge, formatBytes, formatCount, formatMs, formatPct } from '../format.ts'
import type { Token } from '../theme.ts'
import type { Fact, FactGroup } from './facts.ts'

type Changes = NonNullable<NodeStatus['changes']>
type Change = NonNullable<Changes['change']>
type Shadow = NonNullable<Change['shadow']>

/** Pairs of classes that are named, the most frequent first. */
const PAIRS_SHOWN = 3

/**
 * The change that a node carries or carried last, what its candidate did beside what serves, and which models it has. Times
 * are by the node's clock. Of a node that tells nothing of changes there is no group.
 */
export function changeGroups(status: NodeStatus | null): FactGroup[] {
  const changes = status?.changes
  if (status === null || changes === undefined) return []
  const { change } = changes
  return [
    ...(change === null
      ? []
      : [{ title: change.isLocked ? 'Change' : 'Last change', facts: changeFacts(change, status.at) }]),
    ...(change?.shadow == null ? [] : [{ title: shadowTitle(change), facts: shadowFacts(change.shadow) }]),
    { title: 'Models', facts: modelFacts(changes) },
  ]
}

function changeFacts(change: Change, atMs: number): Fact[] {
  const { item, rollout, term, phase, since, until, progress, fault, served, uncleanStarts } = change
  const facts: Fact[] = [
    { label: item.kind, value: itemWords(item) },
    { label: 'rollout', value: `${rollout}, term ${term}` },
    { label: 'phase', value: `${phase} for ${formatAge(atMs - since)}`, token: phaseToken(phase) },
  ]
  if (phase === 'probation' && until !== null) {
    const left = until - atMs
    facts.push({
      label: 'goes back',
      value: left > 0 ? `in ${formatAge(left)}, unless it is confirmed` : 'now: nobody confirmed it',
      token: 'warning',
    })
  }
  if (phase === 'staging' && progress !== null) {
    facts.push({
      label: 'fetched',
      value: `${formatBytes(progress.doneBytes)} of ${formatBytes(progress.totalBytes)}`,
    })
  }
  if (fault !== null) facts.push({ label: 'why', value: `${fault.kind}: ${fault.msg}`, token: 'danger' })
  if (served !== null) {
    const { requests, failed, slow } = served
    facts.push({ label: 'served', value: `${formatCount(requests)} since it was activated` })
    if (requests > 0) {
      facts.push(
        { label: 'failed', value: shareOf(failed, requests), token: failed > 0 ? 'warning' : 'text' },
        { label: 'over 50 ms', value: shareOf(slow, requests), token: slow > 0 ? 'warning' : 'text' },
      )
    }
  }
  if (uncleanStarts > 0) {
    facts.push({
      label: 'bad starts',
      value: `${uncleanStarts} did not end well; 2 take it back`,
      token: 'danger',
    })
  }
  return facts
}

function phaseToken(phase: Change['phase']): Token {
  if (phase === 'failed' || phase === 'reverted') return 'danger'
  if (phase === 'confirmed') return 'ok'
  return phase === 'probation' || phase === 'reverting' ? 'warning' : 'info'
}

/** While it serves on probation it is the model before that is compared with it. */
function shadowTitle({ phase }: Change): string {
  return phase === 'probation' || phase === 'confirmed' ? 'Compared with the model before' : 'Shadow'
}

function shadowFacts(shadow: Shadow): Fact[] {
  const { source, wanted, isDone, compared, agreed, errors, candidateMs, currentMs, confusion, labelled } = shadow
  const facts: Fact[] = [
    {
      label: 'pictures',
      value: `${formatCount(compared)} of ${formatCount(wanted)}, ${source}${isDone ? ', done' : ''}`,
    },
  ]
  if (compared > 0) {
    const pct = (100 * agreed) / compared
    facts.push({
      label: 'agree',
      value: `${formatPct(pct)}, differ on ${formatCount(compared - agreed)}`,
      token: agreed < compared ? 'warning' : 'ok',
    })
  }
  const pairs = confusion
    .toSorted((a, b) => b[2] - a[2])
    .slice(0, PAIRS_SHOWN)
    .map(([current, candidate, count]) => `${current} → ${candidate} ${count} ×`)
  if (pairs.length > 0) facts.push({ label: 'now → new', value: pairs.join(', ') })
  if (errors > 0) facts.push({ label: 'only new fails', value: `${formatCount(errors)} ×`, token: 'danger' })
  const times = [candidateMs, currentMs].map(
    (of) => `p50 ${formatMs(quantileMs(of, 0.5))}, p99 ${formatMs(quantileMs(of, 0.99))}`,
  )
  if (candidateMs.count > 0) facts.push({ label: 'new runs in', value: times[0] ?? '' })
  if (currentMs.count > 0) facts.push({ label: 'now runs in', value: times[1] ?? '' })
  if (labelled !== undefined && labelled.total > 0) {
    const { total, currentRight, candidateRight } = labelled
    facts.push({
      label: 'labelled set',
      value: `new ${formatPct((100 * candidateRight) / total)} right, now ${formatPct((100 * currentRight) / total)}, of ${formatCount(total)}`,
      token: candidateRight < currentRight ? 'warning' : 'text',
    })
  }
  return facts
}

function modelFacts({ confirmed, models, nodeClass, variants, drift = [] }: Changes): Fact[] {
  return [
    ...confirmed.map(({ kind, name, version }) => ({
      label: kind === 'model' ? 'goes back to' : `${kind} now`,
      value: `${name} ${version}`,
    })),
    { label: 'node class', value: nodeClass ?? 'not measured yet' },
    ...Object.entries(variants).map(
      ([variant, { runMs, isChosen, why }]): Fact => ({
        label: variant,
        value: `${runMs === null ? 'not measured' : `${formatMs(runMs)} a picture`}${isChosen ? ', serves: ' : ': '}${why}`,
        token: isChosen ? 'ok' : 'muted',
      }),
    ),
    ...(models.length === 0 ? [] : [{ label: 'on its disk', value: models.join(', ') }]),
    ...drift.map((what, index): Fact => ({ label: index === 0 ? 'config drift' : '', value: what, token: 'warning' })),
  ]
}

function shareOf(part: number, of: number): string {
  return `${formatPct((100 * part) / of)}, ${formatCount(part)} ×`
}
