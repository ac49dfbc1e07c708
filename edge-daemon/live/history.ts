import type { LiveRow, ReadRequest, ReadTopic, RowTopic } from './contract.ts'
import { type RowWish, SharedRow, wants, wantsAll } from './row-filter.ts'
import { framesOf, rowsFrame } from './row-subscription.ts'

const PAGE_ROWS = 500
const PAGE_BYTES = 512 * 1024
/** Pages that are looked through for the backlog of a narrow filter before it is content with what it found. */
const BACKLOG_PAGES = 10

/** Reads one page of kept rows. */
export type PageReader = (request: ReadRequest) => Promise<readonly LiveRow[]>

/** A range that a console asked for. Times are Unix ms, both ends included. */
export interface RangeRequest {
  readonly id: string
  readonly topic: ReadTopic
  readonly fromMs: number
  readonly toMs: number
  readonly limit: number
}

/**
 * Send a range, oldest first, page by page: the next page is read only when the frames of the last one have left for the
 * kernel, so a slow reader slows the read and nothing gathers. `send` resolves to false when the session is gone.
 * Returns whether the limit cut it short.
 */
export async function sendRange(
  read: PageReader,
  request: RangeRequest,
  send: (frame: string) => Promise<boolean>,
): Promise<{ truncated: boolean }> {
  const { id, topic, fromMs, toMs } = request
  let left = request.limit
  let afterSeq: number | undefined
  for (;;) {
    const page = await read({
      topic,
      fromMs,
      toMs,
      ...(afterSeq === undefined ? {} : { afterSeq }),
      limit: Math.min(PAGE_ROWS, left + 1),
      maxBytes: PAGE_BYTES,
      newestFirst: false,
    })
    for (const frame of framesOf(page.slice(0, left))) {
      const lines = frame.map((row) => row.line)
      if (!(await send(rowsFrame(id, topic, lines)))) return { truncated: true }
    }
    if (page.length > left) return { truncated: true }
    left -= page.length
    const last = page.at(-1)
    if (last === undefined) return { truncated: false }
    afterSeq = last.seq
  }
}

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
