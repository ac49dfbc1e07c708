import type { ResultRecord } from '../../protocol/records.ts'

/** A result on its way to the filter and the store. */
export type NewResult = Omit<ResultRecord, 'seq' | 'node_id' | 'reason' | 'over_rate'>

/** What became of a result; `reason` and `overRate` are what the filter found, for the meters. */
export type Kept = (
  | { readonly stored: true; readonly epoch: string; readonly seq: number }
  | { readonly stored: false }
) & {
  readonly reason?: ResultRecord['reason']
  readonly overRate?: boolean
}

/** Filter and commit a result, and maybe its picture; resolves when it is on the disk or the disk refused. Must not reject. */
export type Keep = (result: NewResult, picture: Buffer) => Promise<Kept>
