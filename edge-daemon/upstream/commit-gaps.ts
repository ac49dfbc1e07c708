import type { StoredRecord } from '../store/contract.ts'

/**
 * Notices commits that a listener of the store never heard of: a worker that dies after its sync and before its word
 * leaves records on the disk that nobody was told about. Sequences rise by one over all classes, so a jump tells.
 */
export class CommitGaps {
  #heardSeq: number | null = null

  /** Whether something was committed between the last batch and this one; each batch is asked about once, in order. */
  isBefore(records: readonly StoredRecord[]): boolean {
    const first = records[0]
    if (first === undefined) return false
    const isGap = this.#heardSeq !== null && first.seq > this.#heardSeq + 1
    this.#heardSeq = records.at(-1)?.seq ?? first.seq
    return isGap
  }
}
