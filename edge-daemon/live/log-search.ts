import type { ClientFrame, FrameOf, GapFrame } from '../../protocol/frames.ts'
import type { LogSearch, Unseen } from '../search/contract.ts'
import type { LiveRow } from './contract.ts'
import type { Backlog } from './history.ts'
import { PAGE, type RangeEnd, type RangeOutlet, type RangeRequest, sendRows } from './range-read.ts'

/** A console is told how far its search has got this often at most. */
const PROGRESS_EVERY_MS = 250
/** Bytes of rows that a backlog holds at most. */
const BACKLOG_BYTES = 512 * 1024
/** How long is looked for the backlog of a subscription; what is older then is told as not looked at. */
const BACKLOG_MS = 10_000

/**
 * Send what a search finds, page by page: each rows frame takes a credit, and nothing is looked for while there is none.
 * It ends at once when nobody wants more.
 */
export async function sendSearch(search: LogSearch, request: RangeRequest, outlet: RangeOutlet): Promise<RangeEnd> {
  const { id, topic } = request
  let left = request.limit
  let lastSeq = (request.newestFirst ? request.beforeSeq : request.afterSeq) ?? null
  let toldMs = performance.now()
  outlet.credit.onEnd(() => search.end())
  try {
    while (left > 0) {
      const page = await search.next({ ...PAGE, rows: Math.min(PAGE.rows, left) })
      const sent = await sendRows(page.rows, request, outlet)
      lastSeq = sent.lastSeq ?? lastSeq
      if (!sent.isWhole) break
      for (const gap of page.gaps) await outlet.send(JSON.stringify({ t: 'gap', id, topic, ...gap }))
      if (page.isDone) return { truncated: false, lastSeq }
      left -= page.rows.length
      if (performance.now() - toldMs < PROGRESS_EVERY_MS) continue
      toldMs = performance.now()
      await outlet.send(progressFrame(id, page))
    }
  } catch (error) {
    if (!outlet.credit.isEnded) throw error
  } finally {
    search.end()
  }
  return { truncated: true, lastSeq }
}

/** Count lines and answer with the counts, and from when on they are whole; nothing when nobody wants them any more. */
export async function sendTally(
  search: LogSearch,
  { id, stepMs, knownFromMs: fromMs }: Pick<FrameOf<ClientFrame, 'tally'>, 'id' | 'stepMs'> & { knownFromMs: number },
  outlet: Pick<RangeOutlet, 'credit' | 'send'>,
): Promise<void> {
  outlet.credit.onEnd(() => search.end())
  try {
    for (;;) {
      const page = await search.next(PAGE)
      for (const gap of page.gaps) await outlet.send(JSON.stringify({ t: 'gap', id, topic: 'logs', ...gap }))
      await outlet.send(
        page.isDone
          ? JSON.stringify({ t: 'tallied', id, stepMs, fromMs, steps: page.steps ?? [] })
          : progressFrame(id, page),
      )
      if (page.isDone) return
    }
  } catch (error) {
    if (!outlet.credit.isEnded) throw error
  } finally {
    search.end()
  }
}

/**
 * The newest lines that a search (newest first) finds and that are wanted, for a subscription that goes on behind them.
 * @param isContinued whether what else it finds is to be counted, as for who was away
 */
export async function findBacklog(search: LogSearch, { count, isContinued, wants }: BacklogWish): Promise<Backlog> {
  const found: LiveRow[] = []
  const left = { count: 0, fromMs: 0, toMs: 0 }
  const unseen: (Unseen & Pick<GapFrame, 'reason'>)[] = []
  const endMs = performance.now() + BACKLOG_MS
  let sizeBytes = 0
  const isFull = (): boolean => found.length >= count || sizeBytes >= BACKLOG_BYTES
  try {
    while (isContinued || !isFull()) {
      const page = await search.next(PAGE)
      unseen.push(...page.gaps)
      for (const row of page.rows.filter(wants)) {
        if (isFull()) {
          if (left.count === 0) left.toMs = row.timestamp
          left.count += 1
          left.fromMs = row.timestamp
        } else {
          found.push(row)
          sizeBytes += Buffer.byteLength(row.line)
        }
      }
      if (page.isDone) break
      if (performance.now() > endMs) {
        if (page.left !== null) unseen.push({ ...page.left, reason: 'over_quota' })
        break
      }
    }
  } finally {
    search.end()
  }
  return { rows: found.reverse(), missed: isContinued && left.count > 0 ? left : null, unseen }
}

/** What of a search becomes a backlog. */
export interface BacklogWish {
  /** Most rows. */
  readonly count: number
  readonly isContinued: boolean
  readonly wants: (row: LiveRow) => boolean
}

function progressFrame(
  id: string,
  { atMs, lookedAtBytes }: { readonly atMs: number; readonly lookedAtBytes: number },
): string {
  return JSON.stringify({ t: 'progress', id, atMs, lookedAtBytes })
}
