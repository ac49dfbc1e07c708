import { type LedgerRecord, ledgerRecordSchema } from '../../protocol/records.ts'
import type { RecordClass } from '../../protocol/subjects.ts'
import type { CloudBlock, CloudRecord } from './block.ts'

/** A record of a node, once, whichever regions hold it. */
export interface MergedRecord extends CloudRecord {
  readonly site: string
  readonly node: string
  readonly epoch: string
  readonly recordClass: RecordClass
  /** Regions that hold it on its live subject or sent again, in order of name. */
  readonly regions: readonly string[]
}

/** Two records that claim the same sequence of the same epoch and differ; the one kept is in the merged records. */
export interface Conflict {
  readonly site: string
  readonly node: string
  readonly epoch: string
  readonly seq: number
  readonly recordClass: RecordClass
  readonly kept: Place
  readonly other: Place
}

/** Where in the cloud something lies. */
export interface Place {
  readonly region: string
  readonly position: number
}

/** Something that a ledger record of a node tells. */
export interface LedgerNote {
  readonly site: string
  readonly node: string
  readonly epoch: string
  readonly record: LedgerRecord
}

/** A block says that it follows `throughSeq`, which no region holds: records of the class after `afterSeq` are missing. */
export interface ChainGap {
  readonly site: string
  readonly node: string
  readonly epoch: string
  readonly recordClass: RecordClass
  /** Last sequence that is held before; 0 when none is. */
  readonly afterSeq: number
  readonly throughSeq: number
  /** Timestamps of the records that are held on either side, Unix ms; 0 where none is before. */
  readonly fromMs: number
  readonly toMs: number
  /** The ledger record of the node that tells what became of them; null when nothing does. */
  readonly explainedBy: LedgerRecord | null
}

/** Copies of records that were dropped, by why there were copies. */
export interface Copies {
  /** The same record in the same region on its live subject again, though the node was sure: never right. */
  readonly twice: number
  /** The same, in a block that was flagged as maybe held already. */
  readonly flagged: number
  /** Held by several regions. */
  readonly acrossRegions: number
  /** Sent again on request. */
  readonly resent: number
  /** Travelled under a new epoch, and was held under the epoch it was written in. */
  readonly reborn: number
}

/** What several regions hold together. */
export interface Merged {
  /** Every record once, by time, then epoch and sequence. */
  readonly records: readonly MergedRecord[]
  readonly copies: Copies
  /** Records of live subjects that are in their region twice, by {@link Copies.twice}. */
  readonly twice: readonly (Place & Pick<MergedRecord, 'site' | 'node' | 'epoch' | 'seq' | 'recordClass'>)[]
  readonly conflicts: readonly Conflict[]
  readonly gaps: readonly ChainGap[]
  /** What the ledgers of the nodes tell, by time. */
  readonly ledger: readonly LedgerNote[]
}

/** One copy of a record. */
interface Copy {
  readonly block: CloudBlock
  readonly record: CloudRecord
}

/** Ledger events that tell where records are gone to. */
const LOSSES: readonly LedgerRecord['event'][] = ['evicted', 'corrupt', 'lost_tail', 'not_stored', 'undeliverable']

/**
 * Merge what regions hold of any nodes: by (node, epoch, sequence), so that each record comes out once, however blocks
 * were cut, sent to several regions or sent again. The outcome does not depend on the order of the blocks. With
 * `fromStart` the blocks reach back to the beginning of the streams, so that what is missing before the first block of
 * a class is a gap too.
 */
export function merge(blocks: readonly CloudBlock[], { fromStart = false } = {}): Merged {
  const byKey = new Map<string, Copy[]>()
  for (const block of blocks) {
    for (const record of block.records) {
      const key = keyOf(block, block.epoch, record.seq)
      const copies = byKey.get(key)
      if (copies === undefined) byKey.set(key, [{ block, record }])
      else copies.push({ block, record })
    }
  }
  const counts = { twice: 0, flagged: 0, acrossRegions: 0, resent: 0, reborn: 0 }
  const twice: Merged['twice'][number][] = []
  const conflicts: Conflict[] = []
  const kept = new Map<string, Copy & { readonly regions: readonly string[] }>()
  for (const [key, copies] of byKey) {
    copies.sort(byPreference)
    const [first, ...others] = copies as [Copy, ...Copy[]]
    const live = new Set(first.block.resent ? [] : [first.block.region])
    const regions = new Set([first.block.region])
    for (const { block, record } of others) {
      const about = { ...originOf(block), epoch: block.epoch, seq: record.seq, recordClass: block.recordClass }
      if (record.line !== first.record.line) {
        conflicts.push({ ...about, kept: placeOf(first.block), other: placeOf(block) })
        continue
      }
      if (block.resent) counts.resent += 1
      else if (!live.has(block.region)) counts.acrossRegions += 1
      else if (block.maybeDuplicate) counts.flagged += 1
      else {
        counts.twice += 1
        twice.push({ ...about, ...placeOf(block) })
      }
      if (!block.resent) live.add(block.region)
      regions.add(block.region)
    }
    kept.set(key, { ...first, regions: [...regions].sort() })
  }
  const records: MergedRecord[] = []
  const reborn = new Set<string>()
  for (const { block, record, regions } of [...kept.values()].sort(byPreference)) {
    const { epoch, originEpoch, recordClass } = block
    if (originEpoch !== null) {
      // A disk that was restored more than once sends the same records under several new epochs.
      const written = `${keyOf(block, originEpoch, record.seq)} ${record.line}`
      const before = kept.get(keyOf(block, originEpoch, record.seq))
      if (before?.record.line === record.line || reborn.has(written)) {
        counts.reborn += 1
        continue
      }
      reborn.add(written)
    }
    records.push({ ...record, ...originOf(block), epoch, recordClass, regions })
  }
  records.sort(byTime)
  const ledger = ledgerOf(records)
  return {
    records,
    copies: counts,
    twice: twice.sort(byNodeAndSeq),
    conflicts: conflicts.sort(byNodeAndSeq),
    gaps: gapsIn(blocks, { fromStart, ledger }),
    ledger,
  }
}

/** Where the chain of blocks of a class and epoch is broken in every region. */
function gapsIn(
  blocks: readonly CloudBlock[],
  { fromStart, ledger }: { readonly fromStart: boolean; readonly ledger: readonly LedgerNote[] },
): ChainGap[] {
  const chains = new Map<string, CloudBlock[]>()
  for (const block of blocks) {
    const key = JSON.stringify([block.site, block.node, block.epoch, block.recordClass])
    const chain = chains.get(key)
    if (chain === undefined) chains.set(key, [block])
    else chain.push(block)
  }
  const gaps: ChainGap[] = []
  for (const chain of chains.values()) {
    const [one] = chain as [CloudBlock, ...CloudBlock[]]
    const held = new Map(
      chain.flatMap((block) => block.records.map((record) => [record.seq, record.timestamp] as const)),
    )
    const missing = chain.flatMap(({ prevSeq, resent }) =>
      prevSeq === null || prevSeq === 0 || resent || held.has(prevSeq) ? [] : [prevSeq],
    )
    if (missing.length === 0) continue
    const sorted = [...held.keys()].sort((a, b) => a - b)
    for (const throughSeq of new Set(missing)) {
      const afterSeq = sorted.findLast((seq) => seq < throughSeq) ?? 0
      if (afterSeq === 0 && !fromStart) continue
      const nextSeq = sorted.find((seq) => seq > throughSeq) ?? throughSeq
      const { epoch, recordClass } = one
      const times = { fromMs: held.get(afterSeq) ?? 0, toMs: held.get(nextSeq) ?? 0 }
      const about = { ...originOf(one), epoch, recordClass, afterSeq, throughSeq, ...times }
      gaps.push({ ...about, explainedBy: explain(about, ledger) })
    }
  }
  return gaps.sort((a, b) => byNodeAndSeq({ ...a, seq: a.throughSeq }, { ...b, seq: b.throughSeq }))
}

/** Sequences are never used again on a disk, so a loss may be noted in a later epoch than the one that lost. */
function explain(gap: Omit<ChainGap, 'explainedBy'>, ledger: readonly LedgerNote[]): LedgerRecord | null {
  const note = ledger.find(({ site, node, record }) => {
    const { event, first_seq, last_seq } = record
    if (site !== gap.site || node !== gap.node || !LOSSES.includes(event)) return false
    return first_seq !== null && last_seq !== null && first_seq <= gap.throughSeq && last_seq > gap.afterSeq
  })
  return note?.record ?? null
}

function ledgerOf(records: readonly MergedRecord[]): LedgerNote[] {
  return records.flatMap(({ site, node, epoch, recordClass, line }) => {
    if (recordClass !== 'ledger') return []
    const parsed = ledgerRecordSchema.safeParse(JSON.parse(line))
    return parsed.success ? [{ site, node, epoch, record: parsed.data }] : []
  })
}

/** A disk numbers all classes in one row; two disks that do not know yet that they are copies may differ in the class alone. */
function keyOf({ site, node, recordClass }: CloudBlock, epoch: string, seq: number): string {
  return JSON.stringify([site, node, recordClass, epoch, seq])
}

function originOf({ site, node }: CloudBlock): { site: string; node: string } {
  return { site, node }
}

function placeOf({ region, position }: CloudBlock): Place {
  return { region, position }
}

/** A live copy before one sent again, then one the node was sure of, then by place: which is kept is no accident. */
function byPreference(a: Copy, b: Copy): number {
  return (
    Number(a.block.resent) - Number(b.block.resent) ||
    Number(a.block.maybeDuplicate) - Number(b.block.maybeDuplicate) ||
    compare(a.block.region, b.block.region) ||
    a.block.position - b.block.position
  )
}

function byTime(a: MergedRecord, b: MergedRecord): number {
  return a.timestamp - b.timestamp || byNodeAndSeq(a, b)
}

type Located = Pick<MergedRecord, 'site' | 'node' | 'epoch' | 'seq'>
function byNodeAndSeq(a: Located, b: Located): number {
  return compare(a.site, b.site) || compare(a.node, b.node) || compare(a.epoch, b.epoch) || a.seq - b.seq
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
