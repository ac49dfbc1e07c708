import type { LedgerRecord } from '../../protocol/records.ts'
import type { RecordClass } from '../../protocol/subjects.ts'
import type { PlainRecord } from './commit.ts'
import type { ForkReason } from './contract.ts'
import type { EvictionReason } from './retention-plan.ts'

/** What happened to records, before it has its place in the log. */
export type LedgerEntry = Omit<LedgerRecord, 'seq' | 'node_id' | 'timestamp'>

/** A ledger entry as a record of the log; `nowMs` is Unix ms. */
export function ledgerRecord(entry: LedgerEntry, nowMs: number): PlainRecord {
  return { class: 'ledger', timestamp: nowMs, bodyJson: JSON.stringify(entry) }
}

/** Records of some classes that go; all of these classes in the range go. */
export interface EvictedRange {
  readonly records: Partial<Record<RecordClass, number>>
  readonly firstSeq: number
  readonly lastSeq: number
  /** Bytes of their frames. */
  readonly bytes: number
}

const WHY_EVICTED = {
  max_bytes: 'because the store is over store.maxBytes',
  class_bytes: 'because their class is over its store.keep.….maxBytes',
  max_age: 'because they are older than their store.keep.….maxAge',
  disk_full: 'because the disk is full',
} as const satisfies Record<EvictionReason, string>

/** Records go because a limit says so. */
export function evictedEntry({ records, firstSeq, lastSeq, bytes }: EvictedRange, reason: EvictionReason): LedgerEntry {
  const total = Object.values(records).reduce((sum, count) => sum + count, 0)
  return {
    event: 'evicted',
    reason,
    first_seq: firstSeq,
    last_seq: lastSeq,
    records,
    bytes,
    msg: `${total} records were removed ${WHY_EVICTED[reason]}`,
  }
}

/** Bytes of a segment that are no good frame. */
export interface DamagedStretch {
  readonly segment: string
  readonly offset: number
  readonly bytes: number
  /** Sequences around it: the last before and the first behind; null at an end of the log. */
  readonly afterSeq: number | null
  readonly beforeSeq: number | null
}

/** Bytes in the middle of the log are damaged; the sequences are those between the good frames around them. */
export function corruptEntry(damage: DamagedStretch): LedgerEntry {
  const first = (damage.afterSeq ?? 0) + 1
  const last = damage.beforeSeq === null ? null : damage.beforeSeq - 1
  const isRange = last !== null && first <= last
  return {
    event: 'corrupt',
    reason: 'checksum',
    first_seq: isRange ? first : null,
    last_seq: isRange ? last : null,
    records: {},
    bytes: damage.bytes,
    msg: `damaged bytes in ${damage.segment} at ${damage.offset} were set aside and skipped`,
  }
}

/** A whole file or folder was set aside, because of what it is and not of what it held. */
export function asideEntry(name: string, why: string): LedgerEntry {
  return {
    event: 'corrupt',
    reason: 'set_aside',
    first_seq: null,
    last_seq: null,
    records: {},
    bytes: 0,
    msg: `${name} was set aside: ${why}`,
  }
}

/** Slots of a small file of the store were damaged; `lost` says what that means. */
export function slotsEntry(name: string, lost: string): LedgerEntry {
  return { ...asideEntry(name, ''), reason: 'slot', msg: `slots of ${name} were damaged: ${lost}` }
}

/** A segment file is gone, and with it every record from `firstSeq` to `lastSeq` that was still in it. */
export function missingEntry({ firstSeq, lastSeq }: { firstSeq: number; lastSeq: number }): LedgerEntry {
  return {
    event: 'corrupt',
    reason: 'segment_missing',
    first_seq: firstSeq,
    last_seq: lastSeq,
    records: {},
    bytes: 0,
    msg: `a segment is missing: what was kept of the sequences ${firstSeq} to ${lastSeq} is gone`,
  }
}

/** A cursor was damaged; records from `seq` on are sent again. */
export function cursorEntry(target: string, recordClass: RecordClass, seq: number): LedgerEntry {
  return {
    event: 'corrupt',
    reason: 'cursor',
    first_seq: null,
    last_seq: null,
    records: {},
    bytes: 0,
    msg: `the cursor of ${target} for ${recordClass} was damaged; it goes on behind sequence ${seq}`,
  }
}

/** Records that were answered as stored are no longer at the end of the log. */
export function lostTailEntry(lastSeq: number, watermarkSeq: number): LedgerEntry {
  return {
    event: 'lost_tail',
    reason: 'behind_watermark',
    first_seq: lastSeq + 1,
    last_seq: watermarkSeq,
    records: {},
    bytes: 0,
    msg: `${watermarkSeq - lastSeq} records at the end of the log are gone: it ends before its watermark`,
  }
}

/** The disk refused to sync what `store.durability: async` had answered for. */
export function unsyncedEntry(firstSeq: number, lastSeq: number, refusal: string): LedgerEntry {
  return {
    event: 'lost_tail',
    reason: 'sync_failed',
    first_seq: firstSeq,
    last_seq: lastSeq,
    records: {},
    bytes: 0,
    msg: `up to ${lastSeq - firstSeq + 1} records that were answered may be gone: the disk would not sync them (${refusal})`,
  }
}

/** A new epoch begins. */
export function newEpochEntry(
  reason: 'lost_tail' | 'watermark_missing' | 'unsynced' | ForkReason,
  previous: string | null,
): LedgerEntry {
  return {
    event: 'new_epoch',
    reason,
    first_seq: null,
    last_seq: null,
    records: {},
    bytes: 0,
    msg: previous === null ? 'a new epoch began' : `a new epoch began after ${previous}`,
  }
}

/** Another disk goes on in the epoch: this one was copied or restored. */
export function forkedEntry(reason: ForkReason, { previous, msg }: { previous: string; msg: string }): LedgerEntry {
  const entry = newEpochEntry(reason, previous)
  return { ...entry, msg: `${entry.msg}: ${msg}` }
}

/** Records that the store could not keep, counted by class; `refusal` is what the disk said, null when it was not asked. */
export function notStoredEntry(counts: ReadonlyMap<RecordClass, number>, refusal: string | null): LedgerEntry {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  return {
    event: 'not_stored',
    reason: refusal === null ? 'store_unavailable' : 'disk_refused',
    first_seq: null,
    last_seq: null,
    records: Object.fromEntries(counts),
    bytes: 0,
    msg: `${total} records were not kept: ${refusal ?? 'the store could not take them'}`,
  }
}
