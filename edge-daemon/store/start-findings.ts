import type { ForkFile } from './fork-file.ts'
import { gapEntries } from './gaps.ts'
import { corruptEntry, cursorEntry, type LedgerEntry, slotsEntry } from './ledger.ts'
import type { Quarantine } from './quarantine.ts'
import type { Recovered } from './recover.ts'
import type { TargetSet } from './targets.ts'
import type { Watermark } from './watermark.ts'

/** All that a start looked at. */
interface Started {
  readonly recovered: Recovered
  readonly targets: Pick<TargetSet, 'damaged'>
  readonly watermark: Pick<Watermark, 'isDamaged'>
  readonly forks: Pick<ForkFile, 'isDamaged'>
  readonly quarantine: Pick<Quarantine, 'entries'>
  /** What the ledger said last. */
  readonly ledger: readonly LedgerEntry[]
}

/** What the ledger has to say of the damage that a start found, and how much damage there is with what is known already. */
export function startFindings(found: Started): { entries: LedgerEntry[]; damaged: number } {
  const { recovered, targets, watermark, forks, quarantine, ledger } = found
  const entries: LedgerEntry[] = recovered.damages.filter(({ isNew }) => isNew).map(corruptEntry)
  for (const { target, recordClass, seq } of targets.damaged) entries.push(cursorEntry(target, recordClass, seq))
  if (watermark.isDamaged) entries.push(slotsEntry('watermark', 'the one before it is in force'))
  if (forks.isDamaged) entries.push(slotsEntry('forks', 'what they told is asked of the receivers again'))
  entries.push(...quarantine.entries, ...gapEntries(recovered.gaps, ledger))
  const known = recovered.damages.filter(({ isNew }) => !isNew).length
  return { entries, damaged: known + entries.length }
}
