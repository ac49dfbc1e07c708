import { resendSubjectOf } from '../../../protocol/subjects.ts'
import type { Store, StoredRecord } from '../../store/contract.ts'
import { type Block, buildBlock, contentOf, type EncodingChoice, encodingFor } from '../block.ts'
import type { LanePace } from '../link-pace.ts'
import type { HeldBlock, Holding, Wire } from '../wire.ts'
import { sameWireEpoch, type WireEpoch } from '../wire-epoch.ts'
import { type LaneProgress, NOT_BEGUN, type Resend, type ResendClass } from './request.ts'

/** What a {@link ResendRun} is made of. */
export interface ResendRunOptions {
  readonly origin: { readonly site: string; readonly node: string }
  readonly encoding: EncodingChoice
  readonly pace: Pick<LanePace, 'blockBytes' | 'carry'>
  readonly store: Pick<Store, 'read' | 'forks'>
  readonly wire: Pick<Wire, 'holding' | 'send' | 'encodings'>
  /** The request's progress changed. */
  readonly onProgress: (request: Resend) => void
}

/** What one step came to. */
export type ResendStep =
  | { readonly outcome: 'more' | 'done' | 'stopped' }
  | { readonly outcome: 'failed'; readonly msg: string; readonly retryAfterMs?: number }

/** Records that are next, and what the target holds last before them. */
interface NextResent extends WireEpoch {
  readonly records: readonly StoredRecord[]
  readonly previous: HeldBlock | null
}

const MORE = { outcome: 'more' } as const
const BLOCK_RECORDS = 5000
/** More records than any block holds. */
const HELD_RECORDS = 20_000

/**
 * Sends one request's range to one target, class by class, block by block, on the resend subjects. The target is asked
 * what it holds of this very request whenever that is not known, so that a lost acknowledgement, a restart or a request
 * asked twice makes no second copy.
 */
export class ResendRun {
  readonly #options: ResendRunOptions
  #request: Resend
  #maxRecords = BLOCK_RECORDS
  /** What the target holds last of the class and epoch that is being sent; null when it has to be asked. */
  #known: { readonly lane: string; readonly after: number; readonly previous: HeldBlock | null } | null = null

  constructor(request: Resend, options: ResendRunOptions) {
    this.#request = request
    this.#options = options
  }

  get request(): Resend {
    return this.#request
  }

  /** Ask, or send the next block. Throws EdgeError `STORE_FAILING` when the store cannot be read now. */
  async step(signal: AbortSignal): Promise<ResendStep> {
    const recordClass = this.#request.classes.find((name) => this.#progress(name).done === false)
    if (recordClass === undefined) return { outcome: 'done' }
    const { records, ...travels } = sameWireEpoch(await this.#read(recordClass), this.#options.store.forks)
    if (records.length === 0) {
      this.#advance(recordClass, { done: true })
      return MORE
    }
    const lane = `${recordClass} ${travels.epoch}`
    if (this.#known?.lane !== lane) return this.#ask(recordClass, travels.epoch)
    const { previous, after } = this.#known
    const block = await this.#build(recordClass, { records, ...travels, previous })
    const delivery = await this.#options.pace.carry(block, () => this.#options.wire.send(block, after), signal)
    if (delivery === null) return { outcome: 'stopped' }
    switch (delivery.outcome) {
      case 'held':
        this.#known = { lane, after: delivery.position, previous: { ...block, position: delivery.position } }
        this.#maxRecords = Math.min(BLOCK_RECORDS, this.#maxRecords * 2)
        this.#sent(recordClass, block.lastSeq, records.length)
        return MORE
      case 'too_large':
        this.#tooLarge(recordClass, records)
        return MORE
      case 'conflict':
        this.#known = null
        return { outcome: 'failed', msg: delivery.msg }
      case 'again':
        this.#known = null
        return { ...delivery, outcome: 'failed' }
    }
  }

  /** The link broke: the target is asked before the next block. */
  unsettle(): void {
    this.#known = null
  }

  #read(recordClass: ResendClass): Promise<StoredRecord[]> {
    const { fromMs, toMs, throughSeq } = this.#request
    const afterSeq = this.#progress(recordClass).lastSeq
    const [limit, maxBytes] = [this.#maxRecords, this.#options.pace.blockBytes()]
    return this.#options.store.read({
      classes: [recordClass],
      fromMs,
      toMs,
      afterSeq,
      throughSeq,
      limit,
      maxBytes,
      wholeOnly: true,
    })
  }

  #build(recordClass: ResendClass, next: NextResent): Promise<Block> {
    const { origin, encoding, wire } = this.#options
    const { records, ...travels } = next
    return buildBlock(contentOf(records), {
      ...travels,
      maybeDuplicate: false,
      recordClass: 'resend',
      subject: resendSubjectOf(origin, recordClass),
      encoding: encodingFor(encoding, wire.encodings),
      resend: this.#request.requestId,
    })
  }

  /** Ask what the target holds of this request, and go on behind it. */
  async #ask(recordClass: ResendClass, epoch: string): Promise<ResendStep> {
    const { origin, wire } = this.#options
    const { requestId: resend } = this.#request
    const subject = resendSubjectOf(origin, recordClass)
    const holding = await wire.holding({ subject, recordClass: 'resend', epoch, position: 0, resend })
    if (holding.outcome === 'unknown') return { ...holding, outcome: 'failed' }
    const previous = ownBlock(holding, resend)
    const lane = `${recordClass} ${epoch}`
    this.#known = { lane, after: holding.outcome === 'untold' ? 0 : holding.after, previous }
    if (previous !== null) await this.#recover(recordClass, previous.lastSeq)
    return MORE
  }

  /** The target holds more than was acknowledged here. */
  async #recover(recordClass: ResendClass, heldSeq: number): Promise<void> {
    const { lastSeq: afterSeq } = this.#progress(recordClass)
    if (heldSeq <= afterSeq) return
    const { fromMs, toMs, throughSeq } = this.#request
    const range = { classes: [recordClass], fromMs, toMs, afterSeq, throughSeq: Math.min(throughSeq, heldSeq) }
    const held = await this.#options.store.read({ ...range, limit: HELD_RECORDS })
    this.#sent(recordClass, heldSeq, held.length)
  }

  #tooLarge(recordClass: ResendClass, records: readonly StoredRecord[]): void {
    const [only] = records
    if (records.length > 1) {
      this.#maxRecords = Math.max(1, records.length >> 1)
    } else if (only !== undefined) {
      this.#advance(recordClass, { lastSeq: only.seq, leftOut: this.#progress(recordClass).leftOut + 1 })
    }
  }

  #sent(recordClass: ResendClass, lastSeq: number, records: number): void {
    const was = this.#progress(recordClass)
    this.#advance(recordClass, { lastSeq, records: was.records + records, blocks: was.blocks + 1 })
  }

  #progress(recordClass: ResendClass): LaneProgress {
    return this.#request.progress[recordClass] ?? NOT_BEGUN
  }

  #advance(recordClass: ResendClass, change: Partial<LaneProgress>): void {
    const progress = { ...this.#request.progress, [recordClass]: { ...this.#progress(recordClass), ...change } }
    this.#request = { ...this.#request, progress }
    this.#options.onProgress(this.#request)
  }
}

/** The last block of this request on its subject; null when there is none, or another request's came later. */
function ownBlock(holding: Exclude<Holding, { outcome: 'unknown' }>, resend: string): HeldBlock | null {
  return holding.outcome === 'holds' && holding.block.resend === resend ? holding.block : null
}
