import type { LiveRow, ReadRequest, RowTopic } from './contract.ts'
import { type RowWish, SharedRow, wants, wantsAll } from './row-filter.ts'

const PAGE_ROWS = 500
const PAGE_BYTES = 512 * 1024
/** Pages that are looked through for the backlog of a narrow filter before it is content with what it found. */
const BACKLOG_PAGES = 10

/** Reads one page of kept rows. */
export type PageReader = (request: ReadRequest) => Promise<readonly LiveRow[]>

/** The `count` most recent kept rows that pass the filter, oldest first. A narrow filter may find fewer. */
export async function readBacklog(
  read: PageReader,
  topic: RowTopic,
  wish: RowWish,
  count: number,
): Promise<readonly LiveRow[]> {
  const found: LiveRow[] = []
  const everything = wantsAll(wish)
  let sizeBytes = 0
  let throughSeq: number | undefined
  for (let pages = 0; pages < BACKLOG_PAGES && found.length < count && sizeBytes < PAGE_BYTES; pages += 1) {
    const page = await read({
      topic,
      ...(throughSeq === undefined ? {} : { throughSeq }),
      limit: everything ? Math.min(PAGE_ROWS, count - found.length) : PAGE_ROWS,
      maxBytes: PAGE_BYTES,
      newestFirst: true,
    })
    for (const row of page) {
      if (found.length === count || sizeBytes >= PAGE_BYTES) break
      if (!everything && !wants(wish, new SharedRow(row))) continue
      found.push(row)
      sizeBytes += Buffer.byteLength(row.line)
    }
    const last = page.at(-1)
    if (last === undefined || last.seq <= 1) break
    throughSeq = last.seq - 1
  }
  return found.reverse()
}
