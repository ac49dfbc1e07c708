import type { UpstreamClass } from '../../protocol/subjects.ts'
import type { Store, StoredRecord } from '../store/contract.ts'
import { Backoff } from './backoff.ts'
import { Bell } from './bell.ts'
import { type Block, buildBlock, type EncodingChoice, encodingFor, sameEpoch } from './block.ts'
import type { LanePace } from './link-pace.ts'
import type { Wire } from './wire.ts'

/** What a {@link Lane} is made of. */
export interface LaneOptions {
  readonly target: string
  readonly recordClass: UpstreamClass
  readonly subject: string
  readonly encoding: EncodingChoice
  /** How large its blocks are, and when they may go. */
  readonly pace: Pick<LanePace, 'blockBytes' | 'carry'>
  readonly store: Pick<Store, 'read' | 'cursors' | 'saveCursor'>
  readonly wire: Wire
  /** Whether something more urgent of the same target goes first. */
  readonly mustYield: () => boolean
  readonly onHeld: (block: Block) => void
  /** The lane was empty, failed or recovered: others may go on, the status has changed. */
  readonly onChange: () => void
  /** Note a record that the receiver will never take; false when the note could not be kept, then the lane tries again. */
  readonly setAside: (record: StoredRecord, msg: string) => Promise<boolean>
}

const BLOCK_RECORDS = 5000
const BACKOFF = { firstMs: 250, maxMs: 30_000 } as const
/** A receiver may ask for patience, not for silence. */
const MAX_RETRY_AFTER_MS = 300_000

/**
 * Sends the records of one class to one target, in order of sequence, one block in flight, and moves the cursor when a
 * block is held. It tries for ever and drops nothing; a record that alone is too large for the receiver is noted and
 * passed over, so that it does not hold up the rest.
 */
export class Lane {
  readonly #options: LaneOptions
  readonly #bell = new Bell()
  readonly #backoff = new Backoff(BACKOFF)
  readonly #stop = new AbortController()
  #cursor: number
  #previous: { readonly epoch: string; readonly lastSeq: number; readonly digest: string } | null = null
  /** Position that the next block names as the last on its subject; null until the receiver was asked. */
  #after: number | null = null
  /** Most records in the next block: halved while blocks are too large, doubled again when they are held. */
  #maxRecords = BLOCK_RECORDS
  /** Rises with every commit of the class; what was read empty is only empty as of the count before the read. */
  #commits = 0
  #emptyAtCommits = -1
  #conflicts = 0
  #failure: string | null = null
  #pausedUntilMs = 0
  #running: Promise<void> | null = null

  constructor(options: LaneOptions) {
    this.#options = options
    this.#cursor = options.store.cursors(options.target)[options.recordClass] ?? 0
  }

  /** Why the last try did not succeed; null after a success. */
  get failure(): string | null {
    return this.#failure
  }

  /** Last acknowledged sequence. */
  get cursor(): number {
    return this.#cursor
  }

  get recordClass(): UpstreamClass {
    return this.#options.recordClass
  }

  start(): void {
    this.#running = this.#run()
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted
  }

  /** Whether there is, or may be, something to send. */
  get hasWork(): boolean {
    return this.#emptyAtCommits !== this.#commits
  }

  /** Records of the class were committed. */
  committed(): void {
    this.#commits += 1
    this.#bell.ring()
  }

  /** Look again: the link changed, or something more urgent is done. */
  wake(): void {
    this.#bell.ring()
  }

  /** The link came back: whatever it waited for, try now. */
  reconnected(): void {
    this.#backoff.reset()
    this.#pausedUntilMs = 0
    this.#after = null
    this.#bell.ring()
  }

  /** Begin no further block; resolves when the one in flight has ended. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#bell.ring()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const pauseMs = this.#pausedUntilMs - performance.now()
      if (pauseMs > 0) {
        await this.#bell.sleep(pauseMs)
      } else if (this.#options.wire.state !== 'up' || this.#options.mustYield() || !(await this.#sendNext())) {
        if (!this.#stopped && this.#pausedUntilMs <= performance.now()) await this.#bell.sleep()
      }
    }
  }

  /** Send the next block; false when there is none. */
  async #sendNext(): Promise<boolean> {
    const { store, recordClass, subject, pace, wire } = this.#options
    const commits = this.#commits
    let records: readonly StoredRecord[]
    try {
      records = sameEpoch(
        await store.read({
          classes: [recordClass],
          afterSeq: this.#cursor,
          limit: this.#maxRecords,
          maxBytes: pace.blockBytes(),
          wholeOnly: true,
        }),
      )
    } catch (error) {
      this.#pause(`the store cannot be read: ${error instanceof Error ? error.message : String(error)}`)
      return false
    }
    const [first] = records
    if (first === undefined) {
      this.#emptyAtCommits = commits
      this.#recovered()
      return false
    }
    const { epoch } = first
    if (this.#after === null && !(await this.#ask(epoch))) return false
    const previous = this.#previous?.epoch === epoch ? this.#previous : null
    const encoding = encodingFor(this.#options.encoding, wire.encodings)
    const block = await buildBlock(records, { recordClass, subject, encoding, previous })
    if (this.#stopped) return false
    const delivery = await pace.carry(block, () => wire.send(block, this.#after ?? 0), this.#stop.signal)
    if (delivery === null) return false
    if (delivery.outcome !== 'held' && delivery.outcome !== 'too_large') this.#after = null
    if (delivery.outcome === 'held') await this.#held(block, delivery.position)
    else if (delivery.outcome === 'conflict') this.#conflict(delivery.msg)
    else if (delivery.outcome === 'again') this.#pause(delivery.msg, delivery.retryAfterMs)
    else await this.#tooLarge(records, delivery.msg)
    return true
  }

  /** Ask what the receiver holds; false when it could not tell. */
  async #ask(epoch: string): Promise<boolean> {
    const { subject, recordClass, wire } = this.#options
    const holding = await wire.holding({ subject, recordClass, epoch, position: 0 })
    if (holding.outcome === 'unknown') {
      this.#pause(holding.msg, holding.retryAfterMs)
      return false
    }
    this.#after = holding.outcome === 'untold' ? 0 : holding.after
    if (holding.outcome !== 'holds') return true
    this.#previous = holding.block
    if (holding.block.lastSeq <= this.#cursor) return true
    // Its answer was lost: what is read next lies behind it.
    await this.#advance(holding.block.lastSeq)
    this.#bell.ring()
    return false
  }

  async #held(block: Block, position: number): Promise<void> {
    this.#previous = block
    this.#after = position
    this.#conflicts = 0
    this.#maxRecords = Math.min(BLOCK_RECORDS, this.#maxRecords * 2)
    await this.#advance(block.lastSeq)
    this.#options.onHeld(block)
    this.#recovered()
  }

  /** The first conflict is answered by asking at once; one that comes again is waited out. */
  #conflict(msg: string): void {
    this.#conflicts += 1
    if (this.#conflicts > 1) this.#pause(msg)
  }

  async #tooLarge(records: readonly StoredRecord[], msg: string): Promise<void> {
    const [only] = records
    if (records.length > 1 || only === undefined) {
      this.#maxRecords = Math.max(1, records.length >> 1)
    } else if (await this.#options.setAside(only, msg)) {
      await this.#advance(only.seq)
    } else {
      this.#pause(msg)
    }
  }

  async #advance(seq: number): Promise<void> {
    const { store, target, recordClass } = this.#options
    this.#cursor = seq
    await store.saveCursor(target, recordClass, seq)
  }

  #pause(msg: string, retryAfterMs = 0): void {
    this.#failure = msg
    this.#pausedUntilMs =
      performance.now() + Math.max(this.#backoff.nextMs(), Math.min(retryAfterMs, MAX_RETRY_AFTER_MS))
    this.#options.onChange()
  }

  #recovered(): void {
    this.#failure = null
    this.#backoff.reset()
    this.#options.onChange()
  }
}
