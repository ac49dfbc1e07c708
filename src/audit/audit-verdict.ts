import { type AuditRecord, BREAK_VERB, type OperatorAuditRecord } from '../../protocol/audit.ts'
import { type ChainFault, checkChain, checkHeads, headOf } from '../../protocol/audit-chain.ts'

/** What was read of one node, in the order in which it was found. */
export interface NodeChains {
  /** `site/node`. */
  readonly title: string
  /** Null when the node did not answer. */
  readonly kept: readonly AuditRecord[] | null
  /** By region; a region without a stream of audit records is left out. */
  readonly streams: readonly { readonly region: string; readonly records: readonly AuditRecord[] }[]
  /** Every region was read to its end; one that keeps no audit has nothing to be read. */
  readonly isAllRead: boolean
  /** Last sequence that the node was told is held upstream; null when it does not tell. */
  readonly heldSeq: number | null
}

/** What was read of one journal of an operator. */
export interface JournalChains {
  readonly title: string
  /** Null when it is of another machine; empty when it has to be on this one and is not. */
  readonly kept: readonly OperatorAuditRecord[] | null
  /** Lines of the file that are no records. */
  readonly unreadableLines: readonly number[]
  readonly streams: readonly { readonly region: string; readonly records: readonly OperatorAuditRecord[] }[]
  /** Every region was read to its end, and there is one. */
  readonly isAllRead: boolean
  /** Number of the last record that the stream is known to have taken; 0 for none. */
  readonly shippedN: number
}

/** What is wrong with an audit, in one place. */
export interface AuditFault {
  /** Whose chain: a node, or an operator's journal. */
  readonly chain: string
  /** Where it was seen: `node`, `file`, or the stream of a region. */
  readonly where: string
  readonly kind: ChainFault['kind'] | 'unreadable' | 'not_shipped' | 'unrecorded' | 'broken'
  /** Numbers in the chain (lines of the file for what is unreadable). */
  readonly n: number
  readonly through: number
  readonly msg: string
}

/** Look at the chains of a node: each by itself, then against each other. */
export function judgeNode({ title, kept, streams, isAllRead, heldSeq }: NodeChains): AuditFault[] {
  const faults: AuditFault[] = []
  if (kept !== null) faults.push(...told(title, 'node', checkChain(kept).faults))
  for (const { region, records } of streams) {
    const where = `stream in ${region}`
    faults.push(...told(title, where, checkChain(records).faults))
    if (kept === null || records.length === 0) continue
    const against = checkHeads(kept, records.map(headOf)).map((fault) => ({
      ...fault,
      by: `by what the ${where} holds`,
    }))
    faults.push(...told(title, 'node', against))
  }
  for (const { verb, chain, msg = '' } of kept ?? []) {
    if (verb === BREAK_VERB) {
      faults.push({ chain: title, where: 'node', kind: 'broken', n: chain.n, through: chain.n, msg })
    }
  }
  if (kept !== null && heldSeq !== null && isAllRead) {
    // Regions take turns: together they have what any of them was given.
    const held = new Set(streams.flatMap(({ records }) => records.map(({ chain }) => chain.hash)))
    const lost = kept.filter(({ seq, chain }) => seq <= heldSeq && !held.has(chain.hash)).map(({ chain }) => chain.n)
    faults.push(...rangesOf(lost).map((range) => notShipped(title, range, 'the node was told that it is held')))
  }
  return once(faults)
}

/** Look at a journal: its lines, its chain, and what the stream has of it. */
export function judgeJournal({
  title,
  kept,
  unreadableLines,
  streams,
  isAllRead,
  shippedN,
}: JournalChains): AuditFault[] {
  const faults: AuditFault[] = []
  for (const line of unreadableLines) {
    faults.push({
      chain: title,
      where: 'file',
      kind: 'unreadable',
      n: line,
      through: line,
      msg: `line ${line} is no record`,
    })
  }
  if (kept !== null) faults.push(...told(title, 'file', checkChain(kept).faults))
  // Nothing takes records from a journal: what does not begin at 1 was cut.
  const first = kept?.reduce((least, { chain }) => Math.min(least, chain.n), Number.POSITIVE_INFINITY) ?? 1
  if (Number.isFinite(first) && first > 1)
    faults.push(...told(title, 'file', [{ kind: 'missing', n: 1, through: first - 1 }]))
  for (const { region, records } of streams) {
    const where = `stream in ${region}`
    faults.push(...told(title, where, checkChain(records).faults))
    if (kept === null) continue
    faults.push(
      ...told(
        title,
        'file',
        checkHeads(kept, records.map(headOf)).map((fault) => ({ ...fault, by: `by what the ${where} holds` })),
      ),
    )
  }
  const last = kept?.reduce((most, { chain }) => Math.max(most, chain.n), 0) ?? shippedN
  if (shippedN > last) {
    const by = 'by the mark of what was shipped'
    faults.push(...told(title, 'file', [{ kind: 'truncated', n: last + 1, through: shippedN, by }]))
  }
  if (kept !== null && isAllRead && shippedN > 0) {
    const held = new Set(streams.flatMap(({ records }) => records.map(({ chain }) => chain.hash)))
    const lost = kept.filter(({ chain }) => chain.n <= shippedN && !held.has(chain.hash)).map(({ chain }) => chain.n)
    faults.push(...rangesOf(lost).map((range) => notShipped(title, range, 'the stream has taken it')))
  }
  return once(faults)
}

/**
 * Signed commands that a node answered, by the operators' own journals, and of which it has no record, though its account
 * reaches back to then.
 */
export function unrecorded(
  { title, kept }: Pick<NodeChains, 'title' | 'kept'>,
  sent: readonly OperatorAuditRecord[],
): AuditFault[] {
  if (kept === null) return []
  const nonces = new Set(kept.map(({ nonce }) => nonce))
  const isWhole = kept.some(({ chain }) => chain.n === 1)
  const since = isWhole ? 0 : Math.min(Number.POSITIVE_INFINITY, ...kept.map(({ timestamp }) => timestamp))
  return sent
    .filter(
      ({ nonce, code, timestamp }) => nonce !== undefined && code === 'OK' && timestamp > since && !nonces.has(nonce),
    )
    .map(({ verb, operator, timestamp, chain }) => ({
      chain: title,
      where: 'node',
      kind: 'unrecorded' as const,
      n: chain.n,
      through: chain.n,
      msg: `it has no record of ${verb} that it did for ${operator} at ${new Date(timestamp).toISOString()}`,
    }))
}

/** Of one record; ranges are of what is missing or cut off only. */
const SAID: Readonly<Record<ChainFault['kind'], string>> = {
  altered: 'was altered',
  missing: 'is missing',
  truncated: 'is cut off at the end',
  reordered: 'stands behind a later one',
  twice: 'is there twice',
  forked: 'has a rival: two went on from the one before',
  begun_anew: 'was begun anew beside an older account: the disk was wiped or replaced',
}

function told(chain: string, where: string, faults: readonly (ChainFault & { readonly by?: string })[]): AuditFault[] {
  return faults.map(({ kind, n, through = n, by }) => {
    const is = n === through ? SAID[kind] : SAID[kind].replace(/^is /, 'are ')
    return { chain, where, kind, n, through, msg: `${rangeText(n, through)} ${is}${by === undefined ? '' : `, ${by}`}` }
  })
}

function notShipped(chain: string, { n, through }: { n: number; through: number }, why: string): AuditFault {
  const is = n === through ? 'is' : 'are'
  const msg = `${rangeText(n, through)} ${is} not in the stream, though ${why}`
  return { chain, where: 'stream', kind: 'not_shipped', n, through, msg }
}

function rangeText(n: number, through: number): string {
  return n === through ? `record ${n}` : `records ${n} to ${through}`
}

function rangesOf(numbers: readonly number[]): { n: number; through: number }[] {
  const ranges: { n: number; through: number }[] = []
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && n <= last.through + 1) last.through = n
    else ranges.push({ n, through: n })
  }
  return ranges
}

/** The same fault by two regions is one. */
function once(faults: readonly AuditFault[]): AuditFault[] {
  const seen = new Set<string>()
  return faults.filter(({ where, kind, n, through }) => {
    const key = `${where} ${kind} ${n} ${through}`
    return !seen.has(key) && seen.add(key)
  })
}
