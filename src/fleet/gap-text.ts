import type { LogGap, LogGapReason } from './view.ts'

/** Why lines are not there, as a clause behind "did not come:". */
const REASONS: Readonly<Record<LogGapReason, string>> = {
  no_credit: 'this console was too slow',
  slow_reader: 'the link to this console was too slow',
  away: 'they came while there was no link',
  evicted: 'the node no longer keeps them',
  too_large: 'they are too large to send',
  over_quota: 'too many for what the node may spend on looking; some may have matched',
  damaged: 'what the node keeps of them is damaged',
  sealed: 'the node has no key to what it keeps of them',
  let_go: 'this console keeps only so many',
  new_log: 'the node began a new log',
  told: 'nobody says why',
}

/**
 * What is known of lines that are not there, for screens and commands; `ofWhom` stands behind the count where the node is not
 * named beside it.
 */
export function gapText(gap: Pick<LogGap, 'missed' | 'reason' | 'text'>, ofWhom = ''): string {
  return gap.text ?? `${missingText(gap, ofWhom)}: ${REASONS[gap.reason] ?? gap.reason}`
}

/** The same without the reason. */
export function missingText({ missed, reason }: Pick<LogGap, 'missed' | 'reason'>, ofWhom = ''): string {
  const lines = missed === null ? 'lines' : missed === 1 ? '1 line' : `${spaced(missed)} lines`
  const whose = ofWhom === '' ? lines : `${lines} of ${ofWhom}`
  return `${whose} ${reason === 'let_go' ? 'are no longer held here' : 'did not come'}`
}

/** A count in groups of three digits. */
export function spaced(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ')
}
