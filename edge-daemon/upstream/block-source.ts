import type { UpstreamClass } from '../../protocol/subjects.ts'
import type { ChainBlock, RunRequest, Store, StoredRun } from '../store/contract.ts'
import { type Block, buildBlock, type EncodingChoice, encodingFor } from './block.ts'
import type { LanePace } from './link-pace.ts'
import { RunAhead } from './run-ahead.ts'
import type { Wire } from './wire.ts'
import { type WireEpoch, wireEpochOf } from './wire-epoch.ts'

/** What a {@link BlockSource} is made of. */
export interface BlockSourceOptions {
  readonly recordClass: UpstreamClass
  readonly subject: string
  readonly encoding: EncodingChoice
  readonly pace: Pick<LanePace, 'blockBytes'>
  readonly wire: Pick<Wire, 'encodings'>
  readonly store: Pick<Store, 'readRun' | 'forks'>
}

/** Records that are next, all in one epoch of the wire. */
export interface NextRecords extends WireEpoch {
  readonly run: StoredRun
}

/** A block that was built before its turn, and what it was built on. */
interface Prepared {
  readonly previous: ChainBlock
  readonly forks: number
  readonly block: Promise<Block | null>
}

const BLOCK_RECORDS = 10_000

/** Cuts the records of a class into blocks, and builds the next one while the last is on its way. */
export class BlockSource {
  readonly #options: BlockSourceOptions
  /** Most records in the next block: halved while blocks are too large, doubled again when they are held. */
  #maxRecords = BLOCK_RECORDS
  #prepared: Prepared | null = null
  readonly #runs: RunAhead

  constructor(options: BlockSourceOptions) {
    this.#options = options
    this.#runs = new RunAhead(options.store)
  }

  /** The records behind a sequence that fit into one block; null for none. Throws EdgeError `STORE_FAILING`. */
  async read(afterSeq: number): Promise<NextRecords | null> {
    const { store } = this.#options
    const run = await this.#runs.read(this.#request(afterSeq))
    // A run is of one epoch, and a fork begins a new one: all of it travels alike.
    return run === null ? null : { run, ...wireEpochOf({ seq: run.firstSeq, epoch: run.epoch }, store.forks) }
  }

  /** Build a block; what a fork left unsent may be held in another epoch already. */
  build(next: NextRecords, previous: ChainBlock | null, isDoubtful: boolean): Promise<Block> {
    const { recordClass, subject, wire } = this.#options
    const encoding = encodingFor(this.#options.encoding, wire.encodings)
    const maybeDuplicate = isDoubtful || next.originEpoch !== null
    const { run, epoch, originEpoch } = next
    const travels = { epoch, originEpoch, previous, maybeDuplicate }
    return buildBlock(run, { recordClass, subject, encoding, ...travels })
  }

  /** Begin to build the block behind one that is on its way, if there is likely to be one. */
  prepare(ahead: Block, isDoubtful: (firstSeq: number) => boolean): void {
    const previous = { ...ahead, position: 0 }
    const block = this.#isNearlyFull(ahead.timestamps.length, ahead.plainBytes)
      ? this.#buildBehind(previous, isDoubtful)
      : null
    this.#prepared = block === null ? null : { previous, forks: this.#options.store.forks.length, block }
  }

  /** The block that was built behind `held`, if it was and still fits; it is given out once. */
  async takePrepared(held: ChainBlock | null): Promise<Block | null> {
    const prepared = this.#prepared
    this.#prepared = null
    if (prepared === null || held === null || prepared.forks !== this.#options.store.forks.length) return null
    const fits = prepared.previous.digest === held.digest && prepared.previous.epoch === held.epoch
    return fits ? await prepared.block : null
  }

  /** A block of so many records was too large; false when it cannot be made smaller. */
  shrink(records: number): boolean {
    if (records <= 1) return false
    this.#maxRecords = Math.max(1, records >> 1)
    return true
  }

  /** A block was taken. */
  grow(): void {
    this.#maxRecords = Math.min(BLOCK_RECORDS, this.#maxRecords * 2)
  }

  #request(afterSeq: number): RunRequest {
    const { recordClass, pace } = this.#options
    return { class: recordClass, afterSeq, limit: this.#maxRecords, maxBytes: pace.blockBytes() }
  }

  /** Where a block is nearly full, another one is likely to wait behind it. */
  #isNearlyFull(records: number, plainBytes: number): boolean {
    return records >= this.#maxRecords || plainBytes * 2 > this.#options.pace.blockBytes()
  }

  async #buildBehind(previous: ChainBlock, isDoubtful: (firstSeq: number) => boolean): Promise<Block | null> {
    try {
      const next = await this.read(previous.lastSeq)
      // Of another epoch the receiver is asked first.
      if (next === null || next.epoch !== previous.epoch) return null
      const { firstSeq, lastSeq, timestamps, ndjson } = next.run
      if (this.#isNearlyFull(timestamps.length, ndjson.length)) this.#runs.begin(this.#request(lastSeq))
      return await this.build(next, previous, isDoubtful(firstSeq))
    } catch {
      // Read again in its turn, which tells what is wrong.
      return null
    }
  }
}
