import { join } from 'node:path'
import type { Disk } from './disk.ts'
import { type LedgerEntry, missingEntry } from './ledger.ts'
import { segmentFile } from './segment-files.ts'

/** Sequences between two segments for which there is no file; both bounds inside. */
export interface Gap {
  readonly firstSeq: number
  readonly lastSeq: number
}

/** Finds gaps as the files of a log are gone through, oldest first. */
export class GapFinder {
  readonly found: Gap[] = []
  #standsThrough: number

  /** @param firstSeq where the log begins, as far as a name tells */
  constructor(firstSeq: number) {
    this.#standsThrough = firstSeq - 1
  }

  /** A file begins at a sequence. */
  begins(startSeq: number): void {
    if (startSeq > this.#standsThrough + 1)
      this.found.push({ firstSeq: this.#standsThrough + 1, lastSeq: startSeq - 1 })
    this.stands(startSeq - 1)
  }

  /** Nothing is missing, or it is told otherwise, up to a sequence. */
  stands(throughSeq: number): void {
    this.#standsThrough = Math.max(this.#standsThrough, throughSeq)
  }
}

/** What the ledger has to say of gaps: not those that it tells of already, as a lost tail or an eviction. */
export function gapEntries(gaps: readonly Gap[], recent: readonly LedgerEntry[]): LedgerEntry[] {
  const isTold = ({ firstSeq, lastSeq }: Gap): boolean =>
    recent.some(
      ({ first_seq: first, last_seq: last }) => first !== null && last !== null && first <= firstSeq && last >= lastSeq,
    )
  return gaps.filter((gap) => !isTold(gap)).map(missingEntry)
}

/** Put empty segments into gaps that the ledger tells of, so that the next start does not come upon them again. */
export function closeGaps(folder: string, gaps: readonly Gap[], disk: Disk): void {
  for (const { firstSeq, lastSeq } of gaps) {
    try {
      disk.close(
        disk.create(join(folder, segmentFile({ startSeq: firstSeq, throughSeq: lastSeq, generation: 0 }, true))),
      )
    } catch {
      // Then the next start looks into the ledger once more.
    }
  }
}
