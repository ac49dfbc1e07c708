import { type DaemonFrame, type FrameOf, MAX_FRAME_BYTES } from '../../protocol/frames.ts'
import type { LiveRow, ReadRequest, ReadTopic } from './contract.ts'
import type { PageReader } from './history.ts'
import { framesOf, isTooLarge, rowsFrame } from './row-subscription.ts'
import type { SendCredit } from './send-credit.ts'

const PAGE_ROWS = 500
/** At least one row of any size that a frame holds, and little more: a read that waits for credit keeps its page. */
const PAGE_BYTES = MAX_FRAME_BYTES / 2

/** A range that a console asked for. Times are Unix ms, both ends included; only rows with `afterSeq < seq < beforeSeq`. */
export interface RangeRequest {
  readonly id: string
  readonly topic: ReadTopic
  readonly fromMs: number
  readonly toMs: number
  readonly afterSeq?: number | undefined
  readonly beforeSeq?: number | undefined
  readonly newestFirst?: boolean | undefined
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
 * Send a range, oldest first or newest first, page by page. Each rows frame takes a credit, and the next page is read only
 * when the frames of the last one have left for the kernel, so a slow reader slows the read and one page is all that
 * gathers. A row that no frame holds is told in a `gap`.
 */
export async function sendRange(
  read: PageReader,
  request: RangeRequest,
  outlet: RangeOutlet,
  passes: (row: LiveRow) => boolean = () => true,
): Promise<RangeEnd> {
  const { id, topic } = request
  let left = request.limit
  let at = request.newestFirst ? request.beforeSeq : request.afterSeq
  let lastSeq = at ?? null
  for (;;) {
    const page = await read(pageRequest(request, at, left))
    at = page.at(-1)?.seq ?? at
    const passing = page.filter(passes)
    const wanted = passing.slice(0, left)
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
    if (passing.length > left) return { truncated: true, lastSeq }
    if (page.length === 0) return { truncated: false, lastSeq }
    left -= wanted.length
  }
}

function pageRequest(request: RangeRequest, at: number | undefined, left: number): ReadRequest {
  const { topic, fromMs, toMs, afterSeq, beforeSeq, newestFirst = false } = request
  const after = newestFirst ? afterSeq : at
  const before = newestFirst ? at : beforeSeq
  return {
    topic,
    fromMs,
    toMs,
    ...(after === undefined ? {} : { afterSeq: after }),
    ...(before === undefined ? {} : { throughSeq: before - 1 }),
    // One more than is wanted tells whether the limit cut the range.
    limit: Math.min(PAGE_ROWS, left + 1),
    maxBytes: PAGE_BYTES,
    newestFirst,
  }
}

function gapFrame(id: string, topic: ReadTopic, row: LiveRow): string {
  const { timestamp } = row
  return JSON.stringify({ t: 'gap', id, topic, missed: 1, reason: 'too_large', fromMs: timestamp, toMs: timestamp })
}
