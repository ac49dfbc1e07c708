import type { Outcome } from './world.ts'

/** Violations that are printed; the rest is counted. */
const SHOWN = 12

/** Whether a scenario was passed. */
export function isPassed({ violations, tooLittle }: Outcome): boolean {
  return violations.length === 0 && tooLittle.length === 0
}

/** A scenario's judgement in lines of text. */
export function reportLines(name: string, outcome: Outcome, tookMs: number): string[] {
  const { figures, happened, violations, tooLittle } = outcome
  const { acks, abnormal, normal, blocks, statistics, missing, twice, mergedAway, excused, unanswered } = figures
  const ledger = Object.entries(figures.ledger).map(([event, count]) => `${event} ${count}`)
  const done = Object.entries(happened).map(([what, count]) => `${what} ${count}`)
  return [
    `${isPassed(outcome) ? 'PASSED' : 'FAILED'} ${name} in ${(tookMs / 1000).toFixed(0)} s`,
    `  acknowledged ${acks} (${abnormal} abnormal, ${normal} normal), no answer ${unanswered}`,
    `  in the cloud ${blocks} blocks, ${statistics} statistics; missing ${missing}, twice ${twice}, merged away ${mergedAway}, excused ${excused}`,
    `  done: ${done.join(', ')}`,
    ...(ledger.length > 0 ? [`  ledger: ${ledger.join(', ')}`] : []),
    ...tooLittle.map((what) => `  too little happened: ${what}`),
    ...violations.slice(0, SHOWN).map(({ rule, node, msg }) => `  ${rule} (${node}): ${msg}`),
    ...(violations.length > SHOWN ? [`  and ${violations.length - SHOWN} more`] : []),
  ]
}
