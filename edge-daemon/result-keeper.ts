import type { Kept, NewResult } from './inference/keep.ts'
import type { Store } from './store/store.ts'
import type { ResultFilter, Verdict } from './upstream/filter.ts'

/** What a {@link ResultKeeper} is made of. */
export interface ResultKeeperOptions {
  readonly filter: ResultFilter<NewResult>
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

  /** Filter and commit; resolves when it is on the disk or refused. Never rejects. */
  async keep(result: NewResult): Promise<Kept> {
    const verdict = this.#options.filter.classify(result)
    const { class: recordClass, ...why } = verdict
    const { timestamp, ...rest } = result
    const appended = await this.#options.store.append([{ class: recordClass, timestamp, body: { ...rest, ...why } }])
    const found = 'reason' in verdict ? { reason: verdict.reason, overRate: 'over_rate' in verdict } : {}
    if (appended.stored) return { stored: true, epoch: appended.epoch, seq: appended.seqs[0] as number, ...found }
    this.#options.onRefused(result, verdict)
    return { stored: false, ...found }
  }
}
