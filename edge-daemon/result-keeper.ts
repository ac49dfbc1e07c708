import type { InputRecord } from '../protocol/records.ts'
import { readPictureHeader } from './inference/decode/header.ts'
import type { Kept, NewResult } from './inference/keep.ts'
import type { InputChoice } from './input-choice.ts'
import type { NewRecord, Store } from './store/store.ts'
import type { ResultFilter, Verdict } from './upstream/filter.ts'

/** What a {@link ResultKeeper} is made of. */
export interface ResultKeeperOptions {
  readonly filter: Pick<ResultFilter<NewResult>, 'classify'>
  readonly inputs: Pick<InputChoice, 'take'>
  readonly store: Pick<Store, 'append'>
  /** The disk refused this result; it was answered and is kept nowhere. */
  readonly onRefused: (result: NewResult, verdict: Verdict) => void
}

/** Takes a result through the filter into the store: what the answer to a device waits for. */
export class ResultKeeper {
  readonly #options: ResultKeeperOptions

  constructor(options: ResultKeeperOptions) {
    this.#options = options
  }

  /** Filter and commit, the picture behind its result if it is chosen; resolves when it is on the disk or refused. Never rejects. */
  async keep(result: NewResult, picture: Buffer): Promise<Kept> {
    const { filter, inputs, store, onRefused } = this.#options
    const verdict = filter.classify(result)
    const { class: recordClass, ...why } = verdict
    const { timestamp, ...rest } = result
    const records: NewRecord[] = [{ class: recordClass, timestamp, body: { ...rest, ...why } }]
    if (inputs.take(verdict, picture.length)) records.push(inputOf(picture, timestamp))
    const appended = await store.append(records)
    const found = 'reason' in verdict ? { reason: verdict.reason, overRate: 'over_rate' in verdict } : {}
    if (appended.stored) return { stored: true, epoch: appended.epoch, seq: appended.seqs[0] as number, ...found }
    onRefused(result, verdict)
    return { stored: false, ...found }
  }
}

/** By its own bytes: what a device says of its type may be wrong, and is the reason why some are abnormal. */
function inputOf(picture: Buffer, timestamp: number): NewRecord {
  const format = readPictureHeader(picture)?.format
  const body: Omit<InputRecord, 'seq' | 'node_id' | 'timestamp'> = {
    content_type: format === undefined ? 'application/octet-stream' : `image/${format}`,
    bytes: picture.length,
    data: picture.toString('base64'),
  }
  return { class: 'input', timestamp, body }
}
