import { type DaemonFrame, type FrameOf, MAX_FRAME_BYTES } from '../../protocol/frames.ts'
import type { LiveRow, ReadRequest, ReadTopic } from './contract.ts'
import type { PageReader } from './history.ts'
import { framesOf, isTooLarge, rowsFrame } from './row-subscription.ts'
import type { SendCredit } from './send-credit.ts'

const PAGE_ROWS = 500
/** At least one row of any size that a frame holds, and little more: a read that waits for credit keeps its page. */
const PAGE_BYTES = MAX_FRAME_BYTES / 2

/** A range that a console asked for. Times are Unix ms, both ends included; only rows with `seq > afterSeq`. */
export interface RangeRequest {
  readonly id: string
  readonly topic: ReadTopic
  readonly fromMs: number
  readonly toMs: number
  readonly afterSeq?: number | undefined
  readonly limit: number
}

/** Where a range goes. */
export interface RangeOutlet {
  /** Size that rows frames are cut at. */
  readonly frameBytes: number
  readonly credit: SendCredit
  /** Resolves when the frame has left for the kernel; false when the session is gone. */
  send(frame: string): Promise<boolean>
}

/** How a range ended: `truncated` when something of it was not sent, `lastSeq` is where to read on from. */
export type RangeEnd = Pick<FrameOf<DaemonFrame, 'end'>, 'truncated'> & { readonly lastSeq: number | null }

/**
 * Send a range, oldest first, page by page. Each rows frame takes a credit, and the next page is read only when the
 * frames of the last one have left for the kernel, so a slow reader slows the read and one page is all that gathers. A
 * row that no frame holds is told in a `gap`.
 */
export async function sendRange(read: PageReader, request: RangeRequest, outlet: RangeOutlet): Promise<RangeEnd> {
  const { id, topic, fromMs, toMs } = request
  let left = request.limit
  let lastSeq = request.afterSeq ?? null
  for (;;) {
    const page = await read(pageRequest({ topic, fromMs, toMs }, lastSeq, left))
    const wanted = page.slice(0, left)
    for (const rows of framesOf(wanted, outlet.frameBytes)) {
      const text = rowsFrame(
        id,
        topic,
        rows.map((row) => row.line),
      )
      if (!(await outlet.credit.take()) || !(await outlet.send(text))) return { truncated: true, lastSeq }
      lastSeq = rows.at(-1)?.seq ?? lastSeq
    }
    for (const row of wanted) if (isTooLarge(row)) await outlet.send(gapFrame(id, topic, row))
    lastSeq = wanted.at(-1)?.seq ?? lastSeq
    if (page.length > left) return { truncated: true, lastSeq }
    if (page.length === 0) return { truncated: false, lastSeq }
    left -= page.length
  }
}

function pageRequest(
  range: Pick<ReadRequest, 'topic' | 'fromMs' | 'toMs'>,
  lastSeq: number | null,
  left: number,
): ReadRequest {
  const after = lastSeq === null ? {} : { afterSeq: lastSeq }
  // One more than is wanted tells whether the limit cut the range.
  return { ...range, ...after, limit: Math.min(PAGE_ROWS, left + 1), maxBytes: PAGE_BYTES, newestFirst: false }
}

function gapFrame(id: string, topic: ReadTopic, row: LiveRow): string {
  const { timestamp } = row
  return JSON.stringify({ t: 'gap', id, topic, missed: 1, reason: 'too_large', fromMs: timestamp, toMs: timestamp })
}
