import type { LedgerEntry } from './ledger.ts'
import { type RangeSource, readRange } from './range-read.ts'

const LEDGER_RECORDS = 64

/** The last entries of the ledger, newest first. */
export function recentLedger(source: RangeSource): LedgerEntry[] {
  const records = readRange(source, { classes: ['ledger'], limit: LEDGER_RECORDS, newestFirst: true })
  return [...records].flatMap((record) => (record === null ? [] : [JSON.parse(record.line)]))
}

/** Last result that a statistic of the log covers; 0 when there is none. */
export function lastFolded(source: RangeSource): number {
  for (const record of readRange(source, { classes: ['stat'], limit: 1, newestFirst: true })) {
    if (record !== null) return coveredBy(record.line)
  }
  return 0
}

/** Last sequence that a statistic covers, by its JSON. */
export function coveredBy(statJson: string): number {
  const { last_seq: lastSeq }: { last_seq?: unknown } = JSON.parse(statJson)
  return typeof lastSeq === 'number' ? lastSeq : 0
}
