import type { FoundRow, PageSize, SearchGap } from './contract.ts'

/** Gathers a page up to its size; gaps are told together by reason. */
export class PageBuilder {
  readonly rows: FoundRow[] = []
  readonly #size: PageSize
  readonly #gaps = new Map<SearchGap['reason'], SearchGap>()
  #bytes = 0

  constructor(size: PageSize) {
    this.#size = size
  }

  get isFull(): boolean {
    return this.rows.length >= this.#size.rows || this.#bytes >= this.#size.bytes
  }

  get gaps(): SearchGap[] {
    return [...this.#gaps.values()]
  }

  /** Take a row; false when it has no room. The first has, whatever its size. */
  take(row: FoundRow): boolean {
    if (this.rows.length >= this.#size.rows) return false
    const bytes = this.#bytes + Buffer.byteLength(row.line) + 1
    if (this.rows.length > 0 && bytes > this.#size.bytes) return false
    this.#bytes = bytes
    this.rows.push(row)
    return true
  }

  addGaps(gaps: readonly SearchGap[]): void {
    for (const gap of gaps) {
      const known = this.#gaps.get(gap.reason) ?? { ...gap, missed: 0 }
      this.#gaps.set(gap.reason, {
        reason: gap.reason,
        missed: known.missed + gap.missed,
        fromMs: Math.min(known.fromMs, gap.fromMs),
        toMs: Math.max(known.toMs, gap.toMs),
      })
    }
  }
}
