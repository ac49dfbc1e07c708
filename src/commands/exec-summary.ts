import { untrusted } from '../../protocol/untrusted-text.ts'
import { endText, isOk, type NodeOutcome, summaryText } from '../shell/fan-out-outcome.ts'
import { unkeptBytes } from '../shell/fan-out-output.ts'
import { quotedName } from '../shell/quoted-name.ts'
import { formatBytes } from '../ui/format.ts'
import { brief } from './exec-selection.ts'

/** What a run comes to, for stderr: each way it went wrong with who and the cure, what was not kept, and the sum. Safe to show. */
export function summaryLines(
  outcomes: readonly NodeOutcome[],
  { command, tookMs, keeps }: { readonly command: string; readonly tookMs: number; readonly keeps: boolean },
): string {
  const failures = new Map<string, string[]>()
  for (const outcome of outcomes) {
    if (isOk(outcome)) continue
    const why = failureText(outcome)
    const alike = failures.get(why)
    if (alike === undefined) failures.set(why, [outcome.key])
    else alike.push(outcome.key)
  }
  const cut = keeps ? outcomes.filter((outcome) => unkeptBytes(outcome) > 0) : []
  const lines = [
    ...Array.from(failures, ([why, keys]) => `${untrusted(brief(keys))}: ${why}`),
    ...hintLines(command, outcomes),
    ...cut.map(
      (outcome) => `${untrusted(outcome.key)}: ${formatBytes(unkeptBytes(outcome))} of its output were not kept`,
    ),
    summaryText(outcomes, tookMs),
  ]
  return lines.map((line) => `edgedeck: ${line}\n`).join('')
}

function failureText({ end }: NodeOutcome): string {
  if (end.kind !== 'unreachable') return endText(end)
  const cure = end.next.length === 0 ? '' : ` → ${end.next.join('; ')}`
  return `${end.code}: ${end.msg}${cure}`
}

/** Words behind `--` reach a program as they are: a whole line as one word is the name of none. */
function hintLines(command: string, outcomes: readonly NodeOutcome[]): string[] {
  const name = quotedName(command, outcomes)
  if (name === null) return []
  const said = `${untrusted(name.text)} was taken as the name of one program: no shell reads what stands behind --`
  return [`${said} → for a line of a shell write -- sh -c ${untrusted(name.quoted)}`]
}
