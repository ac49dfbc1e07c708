import type { RunRequest, Store, StoredRun } from '../store/contract.ts'

/** Reads runs of the store, one of them ahead of its turn, so that a backlog is read while the block before is compressed. */
export class RunAhead {
  readonly #store: Pick<Store, 'readRun'>
  #ahead: { readonly afterSeq: number; readonly run: Promise<StoredRun | null> } | null = null

  constructor(store: Pick<Store, 'readRun'>) {
    this.#store = store
  }

  /** The next run; one that was read ahead is given out once, if it is still what is asked for. */
  async read(request: RunRequest): Promise<StoredRun | null> {
    const ahead = this.#ahead
    this.#ahead = null
    if (ahead?.afterSeq === request.afterSeq) {
      const run = await ahead.run
      // None may be there by now where there was none, and blocks may have become smaller.
      const fits = run !== null && run.timestamps.length <= request.limit && run.ndjson.length <= request.maxBytes
      if (fits) return run
    }
    return this.#store.readRun(request)
  }

  /** Begin to read what will be asked for next. */
  begin(request: RunRequest): void {
    // What cannot be read is read again in its turn, which tells what is wrong.
    this.#ahead = { afterSeq: request.afterSeq, run: this.#store.readRun(request).catch(() => null) }
  }
}
