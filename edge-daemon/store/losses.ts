import type { RecordClass } from '../../protocol/subjects.ts'
import type { PlainRecord } from './commit.ts'
import { isLostWhenRefused } from './incoming.ts'
import { type LedgerEntry, notStoredEntry } from './ledger.ts'

/** Counts records that could not be kept, until the ledger says so, and in all. */
export class Losses {
  readonly #untold = new Map<RecordClass, number>()
  #total = 0
  /** What the disk said when it refused some of them; null when it refused none. */
  #refusal: string | null = null

  /** Since the start. */
  get total(): number {
    return this.#total
  }

  /** Records of a class were not kept. */
  add(recordClass: RecordClass, count: number): void {
    this.#total += count
    this.#untold.set(recordClass, (this.#untold.get(recordClass) ?? 0) + count)
  }

  /** The disk refused records, and said why; those that are tried again are no loss. */
  refused(records: readonly PlainRecord[], refusal: string): void {
    for (const record of records) {
      if (!isLostWhenRefused(record)) continue
      this.add(record.class, 1)
      this.#refusal = refusal
    }
  }

  /** What the ledger has to say. */
  entries(): LedgerEntry[] {
    return this.#untold.size === 0 ? [] : [notStoredEntry(this.#untold, this.#refusal)]
  }

  /** The ledger has it. */
  told(): void {
    this.#untold.clear()
    this.#refusal = null
  }
}
