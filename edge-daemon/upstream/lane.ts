import type { UpstreamClass } from '../../protocol/subjects.ts'
import type { ChainBlock, Store } from '../store/contract.ts'
import { Backoff } from './backoff.ts'
import { Bell } from './bell.ts'
import type { Block, EncodingChoice } from './block.ts'
import { BlockSource } from './block-source.ts'
import type { DiskEpoch } from './disk-epoch.ts'
import { LaneChain } from './lane-chain.ts'
import type { LanePace } from './link-pace.ts'
import { Resume } from './resume.ts'
import type { Delivery, Wire } from './wire.ts'

/** A record that a receiver will never take, with the bytes of its line. */
export interface TooLarge {
  readonly recordClass: UpstreamClass
  readonly seq: number
  readonly sizeBytes: number
}

/** What a {@link Lane} is made of. */
export interface LaneOptions {
  readonly target: string
  readonly recordClass: UpstreamClass
  readonly subject: string
  readonly encoding: EncodingChoice
  /** How large its blocks are, and when they may go. */
  readonly pace: Pick<LanePace, 'blockBytes' | 'carry'>
  readonly store: Pick<Store, 'read' | 'readRun' | 'append' | 'chains' | 'saveChain' | 'forks' | 'epoch'>
  readonly wire: Wire
  readonly disk: DiskEpoch
  /** How long the receiver holds a block before it has surely synced it. */
  readonly syncedAfterMs: number
  /** Wall clock, Unix ms. */
  readonly nowMs: () => number
  /** Whether something more urgent of the same target goes first. */
  readonly mustYield: () => boolean
  readonly onHeld: (block: Block) => void
  /** The lane was empty, failed or recovered: others may go on, the status has changed. */
  readonly onChange: () => void
  /** The receiver has lost what it had acknowledged; for the log. */
  readonly onRewound: (msg: string) => void
  /** Note a record that the receiver will never take; false when the note could not be kept, then the lane tries again. */
  readonly setAside: (record: TooLarge, msg: string) => Promise<boolean>
}

const BACKOFF = { firstMs: 250, maxMs: 30_000 } as const
/** A receiver may ask for patience, not for silence. */
const MAX_RETRY_AFTER_MS = 300_000

/**
 * Sends the records of one class to one target, in order of sequence, one block in flight, each guarded by what the
 * receiver holds last. Whenever the link comes up and whenever the receiver disagrees, it is asked what it holds, and the
 * lane goes on from there. It tries for ever and drops nothing; a record that alone is too large for the receiver is noted
 * and passed over, so that it does not hold up the rest.
 */
export class Lane {
  readonly #options: LaneOptions
  readonly #bell = new Bell()
  readonly #backoff = new Backoff(BACKOFF)
  readonly #stop = new AbortController()
  readonly #chain: LaneChain
  readonly #resume: Resume
  readonly #blocks: BlockSource
  /** Rises with every commit of the class; what was read empty is only empty as of the count before the read. */
  #commits = 0
  #committedSeq = 0
  #emptyAtCommits = -1
  #conflicts = 0
  #maybeDuplicates = 0
  #failure: string | null = null
  #pausedUntilMs = 0
  #running: Promise<void> | null = null

  constructor(options: LaneOptions) {
    this.#options = options
    this.#chain = new LaneChain({ ...options, onDue: () => this.#askAgain() })
    this.#resume = new Resume({ ...options, chain: this.#chain })
    this.#blocks = new BlockSource(options)
  }

  /** Why the last try did not succeed; null after a success. */
  get failure(): string | null {
    return this.#failure
  }

  /** Last sequence that is in the store, that the receiver acknowledged, and that it has surely synced. */
  get levels(): { readonly committed: number; readonly held: number; readonly synced: number } {
    const { heldSeq: held, syncedSeq: synced } = this.#chain
    return { committed: Math.max(this.#committedSeq, held), held, synced }
  }

  /** Blocks that were sent although the receiver may have held them, since the start. */
  get maybeDuplicates(): number {
    return this.#maybeDuplicates
  }

  get recordClass(): UpstreamClass {
    return this.#options.recordClass
  }

  start(): void {
    void this.#findCommitted()
    this.#running = this.#run()
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted
  }

  /** Whether there is, or may be, something to send. */
  get hasWork(): boolean {
    return this.#emptyAtCommits !== this.#commits
  }

  /** Records of the class were, or may have been, committed, the last with sequence `seq` where that is known. */
  committed(seq = 0): void {
    this.#committedSeq = Math.max(this.#committedSeq, seq)
    this.#commits += 1
    this.#bell.ring()
  }

  /** Go on behind a sequence up to which other targets have everything. */
  raise(seq: number): void {
    this.#chain.passOver(seq)
    this.committed()
  }

  /** Look again: the link changed, or something more urgent is done. */
  wake(): void {
    this.#bell.ring()
  }

  /** The link came back: whatever it waited for, ask the receiver what it holds and try now. */
  reconnected(): void {
    this.#backoff.reset()
    this.#pausedUntilMs = 0
    this.#askAgain()
  }

  /** Ask the receiver what it holds, also when there is nothing to send. */
  #askAgain(): void {
    this.#resume.unsettle()
    this.committed()
  }

  /** The link broke: nothing is surely held until the receiver was asked again. */
  broken(): void {
    this.#chain.broken()
    this.#resume.unsettle()
    this.#bell.ring()
  }

  /** Begin no further block; resolves when the one in flight has ended. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#bell.ring()
    await this.#running
    this.#chain.stop()
  }

  /** What was committed before the start. */
  async #findCommitted(): Promise<void> {
    try {
      const { store, recordClass } = this.#options
      const [newest] = await store.read({ classes: [recordClass], limit: 1, newestFirst: true })
      this.#committedSeq = Math.max(this.#committedSeq, newest?.seq ?? 0)
    } catch {
      // The next commit tells.
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const pauseMs = this.#pausedUntilMs - performance.now()
      if (pauseMs > 0) {
        await this.#bell.sleep(pauseMs)
      } else if (this.#options.wire.state !== 'up' || this.#options.mustYield() || !(await this.#goOn())) {
        if (!this.#stopped && this.#pausedUntilMs <= performance.now()) await this.#bell.sleep()
      }
    }
  }

  /** Ask the receiver, or send the next block; false when there is nothing to do or it failed. */
  async #goOn(): Promise<boolean> {
    const commits = this.#commits
    try {
      const prepared = await this.#blocks.takePrepared(this.#chain.state.held)
      if (prepared !== null && this.#resume.isSettled(prepared.epoch)) return await this.#send(prepared)
      const next = await this.#blocks.read(this.#chain.cursor)
      const epoch = next?.epoch ?? this.#chain.state.held?.epoch
      if (epoch !== undefined && !this.#resume.isSettled(epoch)) return await this.#settle(epoch)
      if (next === null) return this.#empty(commits)
      const isDoubtful = this.#resume.isDoubtful(next.run.firstSeq)
      return await this.#send(await this.#blocks.build(next, this.#chain.previous(next.epoch), isDoubtful))
    } catch (error) {
      this.#pause(`the store cannot be read: ${error instanceof Error ? error.message : String(error)}`)
      return false
    }
  }

  async #settle(epoch: string): Promise<boolean> {
    const resumed = await this.#resume.settle(epoch)
    if (resumed.outcome !== 'failed') return true
    this.#pause(resumed.msg, resumed.retryAfterMs)
    return false
  }

  #empty(commits: number): false {
    this.#emptyAtCommits = commits
    this.#recovered()
    return false
  }

  async #send(block: Block): Promise<boolean> {
    if (this.#stopped) return false
    const { pace, wire } = this.#options
    const send = (): Promise<Delivery> => {
      this.#chain.sending(asChainBlock(block, 0))
      if (block.maybeDuplicate) this.#maybeDuplicates += 1
      const answer = wire.send(block, this.#resume.after)
      this.#blocks.prepare(block, (firstSeq) => this.#resume.isDoubtful(firstSeq))
      return answer
    }
    const delivery = await pace.carry(block, send, this.#stop.signal)
    if (delivery === null) return false
    await this.#answered(block, delivery)
    return true
  }

  async #answered(block: Block, delivery: Delivery): Promise<void> {
    switch (delivery.outcome) {
      case 'held':
        this.#conflicts = 0
        this.#resume.took(delivery.position)
        this.#chain.held(asChainBlock(block, delivery.position), delivery.synced)
        this.#blocks.grow()
        this.#options.onHeld(block)
        this.#recovered()
        break
      case 'too_large':
        this.#chain.refused()
        await this.#tooLarge(block, delivery.msg)
        break
      case 'conflict':
        // The first is answered by asking at once; one that comes again is waited out.
        this.#resume.unsettle()
        this.#conflicts += 1
        if (this.#conflicts > 1) this.#pause(delivery.msg)
        break
      case 'again':
        this.#resume.unsettle()
        this.#pause(delivery.msg, delivery.retryAfterMs)
        break
    }
  }

  async #tooLarge(block: Block, msg: string): Promise<void> {
    if (this.#blocks.shrink(block.timestamps.length)) return
    const { recordClass } = this.#options
    const only = { recordClass, seq: block.firstSeq, sizeBytes: block.plainBytes }
    if (await this.#options.setAside(only, msg)) this.#chain.passOver(only.seq)
    else this.#pause(msg)
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

function asChainBlock({ epoch, firstSeq, lastSeq, digest }: Block, position: number): ChainBlock {
  return { epoch, firstSeq, lastSeq, digest, position }
}
