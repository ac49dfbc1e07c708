import type { Fork, StoredRecord } from '../store/contract.ts'

/** The epoch that records travel in, and the one they were written in when that is another. */
export interface WireEpoch {
  readonly epoch: string
  readonly originEpoch: string | null
}

/** The epoch a record travels in: its own, but for what a fork of the disk left unsent, which goes in the fork's. */
export function wireEpochOf(record: Pick<StoredRecord, 'seq' | 'epoch'>, forks: readonly Fork[]): WireEpoch {
  const last = forks.at(-1)
  if (last === undefined || record.seq > last.throughSeq) return { epoch: record.epoch, originEpoch: null }
  return { epoch: last.alias, originEpoch: record.epoch }
}

/** Whether a record may have travelled in an epoch: in its own, or in that of any fork that it was unsent at. */
export function mayTravelIn(
  epoch: string,
  record: Pick<StoredRecord, 'seq' | 'epoch'>,
  forks: readonly Fork[],
): boolean {
  return record.epoch === epoch || forks.some((fork) => fork.alias === epoch && record.seq <= fork.throughSeq)
}

/** The longest run of leading records that share an epoch on the wire and of origin: a block names one of each. */
export function sameWireEpoch(
  records: readonly StoredRecord[],
  forks: readonly Fork[],
): WireEpoch & { readonly records: readonly StoredRecord[] } {
  const [first] = records
  if (first === undefined) return { epoch: '', originEpoch: null, records }
  const travels = wireEpochOf(first, forks)
  const end = records.findIndex((record) => {
    const its = wireEpochOf(record, forks)
    return its.epoch !== travels.epoch || its.originEpoch !== travels.originEpoch
  })
  return { ...travels, records: end === -1 ? records : records.slice(0, end) }
}
