import { randomBytes } from 'node:crypto'
import { type LedgerEntry, lostTailEntry, newEpochEntry } from './ledger.ts'
import type { Recovered } from './recover.ts'
import type { Mark } from './watermark.ts'

/** An epoch that nobody else has: 128 random bits in hex. */
export function freshEpoch(): string {
  return randomBytes(16).toString('hex')
}

/**
 * The epoch to go on in, and what the ledger has to say of it. A log that ends before its watermark, or has lost its
 * watermark, or whose tail was answered and not synced when the machine went down, may have answered for sequences that
 * are gone: only a new epoch tells the old ones from those to come.
 */
export function nextEpoch(
  recovered: Recovered,
  mark: Mark | null,
  tailIsUnsure = false,
): { epoch: string; entries: LedgerEntry[] } {
  if (mark === null) {
    const entries = recovered.epoch === null ? [] : [newEpochEntry('watermark_missing', recovered.epoch)]
    return { epoch: freshEpoch(), entries }
  }
  if (recovered.lastSeq < mark.lastSeq) {
    const entries = [lostTailEntry(recovered.lastSeq, mark.lastSeq), newEpochEntry('lost_tail', mark.epoch)]
    return { epoch: freshEpoch(), entries }
  }
  if (tailIsUnsure) return { epoch: freshEpoch(), entries: [newEpochEntry('unsynced', mark.epoch)] }
  // A new epoch is in the log before it is in the watermark.
  return { epoch: recovered.lastSeq > mark.lastSeq ? (recovered.epoch ?? mark.epoch) : mark.epoch, entries: [] }
}
