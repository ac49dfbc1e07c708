import { type DaemonFrame, type FrameOf, MAX_FRAME_BYTES } from '../../protocol/frames.ts'
import type { LiveRow, ReadRequest, ReadTopic } from './contract.ts'
import type { PageReader } from './history.ts'
import { framesOf, isTooLarge, rowsFrame } from './row-subscription.ts'
import type { SendCredit } from './send-credit.ts'

/** At least one row of any size that a frame holds, and little more: a read that waits for credit keeps its page. */
export const PAGE = { rows: 500, bytes: MAX_FRAME_BYTES / 2 } as const

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
  /** Size that the next rows frame is cut at. */
  frameBytes(): number
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
export async function sendRange(read: PageReader, request: RangeRequest, outlet: RangeOutlet): Promise<RangeEnd> {
  let left = request.limit
  let at = request.newestFirst ? request.beforeSeq : request.afterSeq
  let lastSeq = at ?? null
  for (;;) {
    const page = await read(pageRequest(request, at, left))
    at = page.at(-1)?.seq ?? at
    const wanted = page.slice(0, left)
    const sent = await sendRows(wanted, request, outlet)
    lastSeq = sent.lastSeq ?? lastSeq
    if (!sent.isWhole || page.length > left) return { truncated: true, lastSeq }
    if (page.length === 0) return { truncated: false, lastSeq }
    left -= page.length
  }
}

/** Send rows of an answer: how far that came, and whether all of them went. */
export async function sendRows(
  wanted: readonly LiveRow[],
  { id, topic }: Pick<RangeRequest, 'id' | 'topic'>,
  { frameBytes, credit, send }: RangeOutlet,
): Promise<{ readonly isWhole: boolean; readonly lastSeq: number | null }> {
  let lastSeq: number | null = null
  for (const rows of framesOf(wanted, frameBytes)) {
    const lines = rows.map((row) => row.line)
    if (!(await credit.take()) || !(await send(rowsFrame(id, topic, lines)))) return { isWhole: false, lastSeq }
    lastSeq = rows.at(-1)?.seq ?? lastSeq
  }
  for (const row of wanted) if (isTooLarge(row)) await send(gapFrame(id, topic, row))
  return { isWhole: true, lastSeq: wanted.at(-1)?.seq ?? lastSeq }
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
    limit: Math.min(PAGE.rows, left + 1),
    maxBytes: PAGE.bytes,
    newestFirst,
  }
}

function gapFrame(id: string, topic: ReadTopic, row: LiveRow): string {
  const { timestamp } = row
  return JSON.stringify({ t: 'gap', id, topic, missed: 1, reason: 'too_large', fromMs: timestamp, toMs: timestamp })
}
