import type { InputRecord } from '../../protocol/records.ts'
import type { Store } from '../store/store.ts'
import type { Sample, SampleSource } from './source.ts'

/** The pictures that the node keeps, newest first. They are those of abnormal results above all (`inputs.*`). */
export class KeptSource implements SampleSource {
  readonly #store: Pick<Store, 'read'>
  #throughSeq: number | undefined
  #isClosed = false

  constructor(store: Pick<Store, 'read'>) {
    this.#store = store
  }

  readonly dropped = 0

  /** @throws EdgeError `STORE_FAILING` when the store cannot be read. */
  async next(): Promise<Sample | null> {
    if (this.#isClosed || this.#throughSeq === 0) return null
    // One at a time: whoever commits meanwhile waits for no more than one picture.
    const request = { classes: ['input'] as const, newestFirst: true, limit: 1 }
    const [record] = await this.#store.read(
      this.#throughSeq === undefined ? request : { ...request, throughSeq: this.#throughSeq },
    )
    if (record === undefined || this.#isClosed) return null
    this.#throughSeq = record.seq - 1
    // The store's own lines are trusted: this daemon wrote them, and a checksum guards them.
    const { data } = JSON.parse(record.line) as InputRecord
    return { picture: Buffer.from(data, 'base64') }
  }

  close(): void {
    this.#isClosed = true
  }
}
