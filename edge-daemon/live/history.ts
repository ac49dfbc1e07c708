import type { GapFrame } from '../../protocol/frames.ts'
import type { Unseen } from '../search/contract.ts'
import type { LiveRow, ReadRequest, RowTopic } from './contract.ts'
import { type RowWish, SharedRow, wants, wantsAll } from './row-filter.ts'

const PAGE_ROWS = 500
const PAGE_BYTES = 512 * 1024
/** Pages that are looked through for the backlog of a narrow filter before it is content with what it found. */
const BACKLOG_PAGES = 10

/** Reads one page of kept rows. */
export type PageReader = (request: ReadRequest) => Promise<readonly LiveRow[]>

/** Kept rows for somebody who was away, and how many more there were. */
export interface Backlog {
  /** Oldest first. */
  readonly rows: readonly LiveRow[]
  /** Rows after `afterSeq` that came before these and are too many; null when there are none, or nobody asked. */
  readonly missed: { readonly count: number; readonly fromMs: number; readonly toMs: number } | null
  /** Rows that nobody looked at, and why. */
  readonly unseen?: readonly (Unseen & Pick<GapFrame, 'reason'>)[]
}

/**
 * The `count` most recent kept rows that pass the filter; a narrow filter may find fewer. With `afterSeq` only rows after
 * it, and what of them is left out is counted, as far as twenty pages reach.
 */
export async function readBacklog(
  read: PageReader,
  topic: RowTopic,
  wish: RowWish,
  { count, afterSeq }: { readonly count: number; readonly afterSeq?: number | undefined },
): Promise<Backlog> {
  const found: LiveRow[] = []
  const left = { count: 0, fromMs: 0, toMs: 0 }
  const everything = wantsAll(wish)
  const isContinued = afterSeq !== undefined
  let sizeBytes = 0
  let throughSeq: number | undefined
  const isFull = (): boolean => found.length >= count || sizeBytes >= PAGE_BYTES
  for (let pages = 0; pages < (isContinued ? 2 : 1) * BACKLOG_PAGES; pages += 1) {
    if (isFull() && !isContinued) break
    const page = await read({
      topic,
      ...(throughSeq === undefined ? {} : { throughSeq }),
      ...(isContinued ? { afterSeq } : {}),
      limit: everything && !isContinued ? Math.min(PAGE_ROWS, count - found.length) : PAGE_ROWS,
      maxBytes: PAGE_BYTES,
      newestFirst: true,
    })
    for (const row of page) {
      if (!everything && !wants(wish, new SharedRow(row))) continue
      if (isFull()) {
        if (left.count === 0) left.toMs = row.timestamp
        left.count += 1
        left.fromMs = row.timestamp
        continue
      }
      found.push(row)
      sizeBytes += Buffer.byteLength(row.line)
    }
    const last = page.at(-1)
    if (last === undefined || last.seq <= (afterSeq ?? 0) + 1) break
    throughSeq = last.seq - 1
  }
  return { rows: found.reverse(), missed: isContinued && left.count > 0 ? left : null }
}
