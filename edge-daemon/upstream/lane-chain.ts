import { createHash } from 'node:crypto'
import type { UpstreamClass } from '../../protocol/subjects.ts'
import { NEW_CHAIN } from '../store/chain-file.ts'
import type { Chain, ChainBlock, Store } from '../store/contract.ts'
import { SyncedLevel } from './synced-level.ts'
import type { HeldBlock } from './wire.ts'

/** What a {@link LaneChain} is made of. */
export interface LaneChainOptions {
  readonly target: string
  readonly recordClass: UpstreamClass
  readonly store: Pick<Store, 'chains' | 'saveChain'>
  /** How long a receiver holds a block before it has surely synced it. */
  readonly syncedAfterMs: number
  /** It is time to ask the receiver whether it holds everything still: then it is surely synced. */
  readonly onDue: () => void
}

/** Name of an archive as it is kept, whatever its length. */
export function archiveKey(archive: string): string {
  return createHash('sha256').update(archive).digest('hex').slice(0, 32)
}

/** How far one lane has got, in memory and in the store. */
export class LaneChain {
  readonly #options: LaneChainOptions
  readonly #synced: SyncedLevel
  #chain: Chain
  #timer: NodeJS.Timeout | undefined
  #savedSyncedSeq: number
  #isSavePlanned = false

  constructor(options: LaneChainOptions) {
    this.#options = options
    this.#chain = options.store.chains(options.target)[options.recordClass] ?? NEW_CHAIN
    this.#synced = new SyncedLevel(this.#chain.syncedSeq, options.syncedAfterMs)
    this.#savedSyncedSeq = this.#chain.syncedSeq
  }

  get state(): Chain {
    return this.#chain
  }

  /** Records with a higher sequence wait. */
  get cursor(): number {
    return this.#chain.cursor
  }

  /** Sequence of the last acknowledged record; 0 for none. */
  get heldSeq(): number {
    return Math.min(this.#chain.cursor, this.#chain.held?.lastSeq ?? 0)
  }

  get syncedSeq(): number {
    return Math.min(this.#synced.seq, this.heldSeq)
  }

  /** The block that the next one of an epoch names as the one before; null when it is the first. */
  previous(epoch: string): ChainBlock | null {
    return this.#chain.held?.epoch === epoch ? this.#chain.held : null
  }

  /** A block is about to leave: if its answer is lost, it is known again by this. */
  sending(block: ChainBlock): void {
    this.#keep({ sent: block })
    this.save()
  }

  /** The block that was sent will not be stored. */
  refused(): void {
    this.#keep({ sent: null })
  }

  /** The receiver has the block that was sent. */
  held(block: ChainBlock, synced: boolean): void {
    this.#keep({ cursor: Math.max(this.#chain.cursor, block.lastSeq), held: block, sent: null })
    // In one write with the next block, when that follows at once.
    this.#isSavePlanned = true
    setImmediate(() => {
      if (this.#isSavePlanned) this.save()
    })
    this.#synced.held(block.lastSeq, synced)
    this.#watch()
  }

  /** The receiver was asked: it is this archive, and what was acknowledged is there, the last block at `position`. */
  confirmed(archive: string, position: number | null): void {
    const { held } = this.#chain
    this.#keep({ archive, ...(held === null || position === null ? {} : { held: { ...held, position } }) })
    this.#synced.confirmed(this.heldSeq)
    if (this.syncedSeq !== this.#savedSyncedSeq) this.save()
    this.#watch()
  }

  /** The receiver holds a block of this disk that was not acknowledged. */
  advanced(to: HeldBlock, archive: string): void {
    this.#keep({ cursor: Math.max(this.#chain.cursor, to.lastSeq), held: to, sent: null, archive })
    this.#synced.confirmed(this.heldSeq)
    this.save()
    this.#watch()
  }

  /** The receiver has lost what came behind a sequence; `to` is the last block that it names, if it names one. */
  rewound(to: HeldBlock | null, afterSeq: number, archive: string): void {
    this.#keep({ cursor: afterSeq, held: to, sent: null, archive })
    this.#synced.rewound(afterSeq)
    if (to !== null) this.#synced.confirmed(to.lastSeq)
    this.save()
    this.#watch()
  }

  /** Go on behind a record that is not sent to this receiver. */
  passOver(seq: number): void {
    if (seq <= this.#chain.cursor) return
    this.#keep({ cursor: seq })
    this.save()
  }

  /** The link broke. */
  broken(): void {
    this.#synced.broken()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Write it down, without waiting: what is lost of it is found out by asking the receiver. */
  save(): void {
    const { store, target, recordClass } = this.#options
    const syncedSeq = this.syncedSeq
    this.#isSavePlanned = false
    this.#savedSyncedSeq = syncedSeq
    this.#chain = { ...this.#chain, syncedSeq }
    void store.saveChain(target, recordClass, this.#chain)
  }

  stop(): void {
    this.broken()
    this.save()
  }

  #keep(change: Partial<Chain>): void {
    this.#chain = { ...this.#chain, ...change }
  }

  /** Have the receiver asked once nothing was sent for so long that its answer makes everything surely synced. */
  #watch(): void {
    const dueInMs = this.#synced.dueInMs
    if (dueInMs === null || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#synced.dueInMs === 0) this.#options.onDue()
      else this.#watch()
    }, dueInMs + 1).unref()
  }
}
