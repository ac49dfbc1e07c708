import type { ResultRecord } from '../../protocol/records.ts'
import { safe } from './clean.ts'
import type { RowOrigin } from './log-intake.ts'
import type { ResultQuery, ResultView } from './view.ts'

/** Nodes whose results are kept at a time; an operator looks at one after the other. */
const MAX_NODES = 16
/** What is kept of why a result failed, characters. */
const MAX_MSG_CHARS = 512

/** The newest results of the nodes that were looked at, bounded, each node's in time order on our clock. */
export class ResultBook {
  readonly #maxRows: number
  /** The node whose results came last stands last. */
  readonly #nodes = new Map<string, ResultView[]>()

  constructor(maxRowsPerNode: number) {
    this.#maxRows = maxRowsPerNode
  }

  /** Take results of a node; one that is known is not taken again. */
  add(origin: RowOrigin, records: readonly ResultRecord[]): void {
    const rows = this.#nodes.get(origin.key) ?? []
    this.#nodes.delete(origin.key)
    this.#nodes.set(origin.key, rows)
    for (const record of records) insert(rows, viewOf(origin, record))
    if (rows.length > this.#maxRows) rows.splice(0, rows.length - this.#maxRows)
    const [oldest] = this.#nodes.keys()
    if (this.#nodes.size > MAX_NODES && oldest !== undefined) this.#nodes.delete(oldest)
  }

  /** Results that match, oldest first. */
  query(query: ResultQuery): ResultView[] {
    const { key, fromMs = 0, toMs = Number.POSITIVE_INFINITY, abnormalOnly = false, limit } = query
    const found = (this.#nodes.get(key) ?? []).filter(
      (row) => row.atMs >= fromMs && row.atMs <= toMs && (!abnormalOnly || row.reason !== null),
    )
    return limit === undefined ? found : found.slice(-limit)
  }
}

function insert(rows: ResultView[], row: ResultView): void {
  let at = rows.length
  while (at > 0 && isAfter(rows[at - 1], row)) at -= 1
  if (row.seq > 0 && rows[at - 1]?.seq === row.seq) return
  rows.splice(at, 0, row)
}

/** In the node's own order where it has one: a better measured clock must not make one result two. */
function isAfter(a: ResultView | undefined, b: ResultView): boolean {
  if (a === undefined) return false
  return a.seq > 0 && b.seq > 0 ? a.seq > b.seq : a.atMs > b.atMs
}

function viewOf(origin: RowOrigin, record: ResultRecord): ResultView {
  return {
    key: origin.key,
    seq: record.seq,
    atMs: Math.round(record.timestamp - origin.offsetMs),
    code: record.code,
    pred: record.pred,
    confidence: record.confidence,
    model: record.model === null ? null : safe(record.model),
    totalMs: record.total_ms,
    bytes: record.bytes,
    msg: record.msg === undefined ? null : safe(record.msg.slice(0, MAX_MSG_CHARS)),
    reason: record.reason === undefined ? null : safe(record.reason),
  }
}
