import type { Finding, FindingState } from '../doctor/finding.ts'
import { wrapWords } from '../ui/terminal/text.ts'

/** How findings are told on a terminal. */
export interface FindingsLook {
  readonly columns: number
  readonly ascii: boolean
  /** A node of which nothing is to be said gets one line. */
  readonly isBrief: boolean
}

const MARKS: Readonly<Record<FindingState, readonly [string, string]>> = {
  ok: ['✓', '+'],
  note: ['·', '-'],
  warning: ['!', '!'],
  fault: ['✗', 'x'],
  untested: ['?', '?'],
}
const MIN_COLUMNS = 40
const MAX_COLUMNS = 120

/** Findings in groups, each with its mark, what to do below it, and a line that sums them up. */
export function findingsAsText(findings: readonly Finding[], look: FindingsLook): string {
  const lines: string[] = []
  let group = ''
  for (const finding of look.isBrief ? brief(findings) : findings) {
    const title = finding.subject === '' ? finding.area : `${finding.area} ${finding.subject}`
    if (title !== group) lines.push(title)
    group = title
    lines.push(...linesOf(finding, look))
  }
  return `${[...lines, '', summaryOf(findings)].join('\n')}\n`
}

function linesOf({ state, found, cure }: Finding, { columns, ascii }: FindingsLook): string[] {
  const width = Math.min(MAX_COLUMNS, Math.max(MIN_COLUMNS, columns))
  const mark = MARKS[state][ascii ? 1 : 0]
  const lines = indented(`${mark} `, found, { by: 2, width })
  return cure === null ? lines : [...lines, ...indented(ascii ? '-> ' : '→ ', cure, { by: 4, width })]
}

function indented(
  head: string,
  text: string,
  { by, width }: { readonly by: number; readonly width: number },
): string[] {
  const blank = ' '.repeat(by + head.length)
  return wrapWords(text, width - by - head.length).map((line, at) =>
    `${at === 0 ? ' '.repeat(by) + head : blank}${line}`.trimEnd(),
  )
}

/** Of a node that is well only how it is reached. */
function brief(findings: readonly Finding[]): readonly Finding[] {
  const told = new Set(
    findings
      .filter(({ area, state }) => area === 'node' && state !== 'ok' && state !== 'note')
      .map(({ subject }) => subject),
  )
  return findings.filter(({ area, subject, check }) => area !== 'node' || told.has(subject) || check === 'reach')
}

function summaryOf(findings: readonly Finding[]): string {
  const count = (state: FindingState): number => findings.filter((one) => one.state === state).length
  const parts = [
    counted(count('fault'), 'fault'),
    counted(count('warning'), 'warning'),
    count('untested') === 0 ? null : `${count('untested')} could not be tested`,
  ].filter((part) => part !== null)
  return parts.length === 0
    ? `all ${findings.length} checks are well`
    : `${findings.length} checks: ${parts.join(', ')}`
}

function counted(count: number, what: string): string | null {
  return count === 0 ? null : `${count} ${what}${count === 1 ? '' : 's'}`
}
