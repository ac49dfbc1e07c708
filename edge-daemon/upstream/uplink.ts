import type { HistogramData } from '../../protocol/histogram.ts'
import type { UplinkTargetStatus } from '../../protocol/status.ts'
import { subjectOf, UPSTREAM_CLASSES, type UpstreamClass } from '../../protocol/subjects.ts'
import type { Cursors, Store } from '../store/contract.ts'
import type { Block, EncodingChoice } from './block.ts'
import { CommitGaps } from './commit-gaps.ts'
import { DiskEpoch } from './disk-epoch.ts'
import { Lane, type TooLarge } from './lane.ts'
import { LinkPace } from './link-pace.ts'
import type { UpstreamLog } from './log.ts'
import { ResendBook } from './resend/book.ts'
import { Resender } from './resend/resender.ts'
import { TransferFigures } from './transfer-figures.ts'
import type { UplinkPacer } from './uplink-pacer.ts'
import type { Wire, WireState } from './wire.ts'

/** What an {@link Uplink} is made of. */
export interface UplinkOptions {
  /** Name of the target: of its cursors in the store and in the status. */
  readonly name: string
  readonly origin: { readonly site: string; readonly node: string }
  readonly encoding: EncodingChoice
  /** Largest block before compression, on a link that is fast enough. */
  readonly blockBytes: number
  /** Where requests to send again are kept; without it there are none. */
  readonly resends?: ResendBook
  /** The cap that this target shares with everything that leaves. */
  readonly pacer: UplinkPacer
  readonly store: Store
  readonly wire: Wire
  readonly log: UpstreamLog
  /** Neither connect nor send when started: one region of several, until it is told to. */
  readonly dormant?: boolean
  /** Shared by all targets of the store; its own when left out. */
  readonly disk?: DiskEpoch
  /** How long the target holds a block before it has surely synced it; 150 s when left out. */
  readonly syncedAfterMs?: number
  /** Wall clock, Unix ms. */
  readonly nowMs?: () => number
}

/** Classes that go before all others of their target: few and small, so waiting for them costs nothing. */
const URGENT: readonly UpstreamClass[] = ['ledger', 'alert']
/** Longest a stop waits for acknowledgements on their way; what was not acknowledged is sent again at the next start. */
const STOP_GRACE_MS = 2000
/** A little over the two minutes after which a nats-server syncs, so that a broken link is noticed before. */
const SYNCED_AFTER_MS = 150_000
/** Nothing waits for a target that stands by. */
const NO_BACKLOG = { records: 0, bytes: 0, oldestAt: null }

/**
 * Brings the records of the upstream classes to one target: a lane for each class, at least once each, for ever. The
 * outbox is the store itself, above the target's cursors.
 */
export class Uplink {
  readonly #options: UplinkOptions
  readonly #lanes: readonly Lane[]
  readonly #resender: Resender
  readonly #figures = new TransferFigures()
  readonly #nowMs: () => number
  #state: WireState = 'connecting'
  #wireState: WireState = 'connecting'
  #since: number
  #undeliverable = 0
  #lastUndeliverable = ''
  #unsubscribe: (() => void) | null = null
  #isConnecting = false
  /** Name of the region that blocks go to instead; null while they come here. */
  #standsByFor: string | null

  constructor(options: UplinkOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? Date.now
    this.#since = this.#nowMs()
    this.#standsByFor = options.dormant === true ? '' : null
    const { pacer, wire, blockBytes: maxBytes } = options
    const pace = new LinkPace({ pacer, wire, maxBytes, nowMs: this.#nowMs })
    const { disk = new DiskEpoch(options.store, options.log), syncedAfterMs = SYNCED_AFTER_MS } = options
    this.#resender = new Resender({
      ...options,
      target: options.name,
      book: options.resends ?? new ResendBook(null, options.log),
      pace: pace.lane('resend'),
      liveWaits: () => this.#lanes.some((lane) => lane.failure === null && lane.hasWork),
    })
    this.#lanes = UPSTREAM_CLASSES.map(
      (recordClass) =>
        new Lane({
          target: options.name,
          recordClass,
          subject: subjectOf(options.origin, recordClass),
          encoding: options.encoding,
          pace: pace.lane(recordClass),
          store: options.store,
          wire,
          disk,
          syncedAfterMs,
          nowMs: this.#nowMs,
          mustYield: () => this.#mustYield(recordClass),
          onHeld: (block) => this.#onHeld(block),
          onChange: () => this.#onLaneChange(recordClass),
          onRewound: (msg) => options.log.warn('uplink.rewound', msg, { target: options.name }),
          setAside: (record, msg) => this.#setAside(record, msg),
        }),
    )
  }

  /** Name of the target. */
  get name(): string {
    return this.#options.name
  }

  /** Sends ranges again on request. */
  get resender(): Resender {
    return this.#resender
  }

  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** Begin to connect and to send; returns at once, whether the target is there or not. */
  start(): void {
    const { store } = this.#options
    const gaps = new CommitGaps()
    this.#unsubscribe = store.onCommit((records) => {
      const anyClass = gaps.isBefore(records)
      const lastSeqs = new Map(records.map((record) => [record.class, record.seq]))
      for (const lane of this.#lanes) {
        const seq = lastSeqs.get(lane.recordClass)
        if (anyClass || seq !== undefined) lane.committed(seq)
      }
    })
    if (this.#options.dormant !== true) this.connect()
    for (const lane of this.#lanes) lane.start()
    this.#resender.start()
  }

  /** Whether it was never told to connect. */
  get isDormant(): boolean {
    return !this.#isConnecting
  }

  /** Begin to connect, if it has not; a dormant target does so when it is told to. */
  connect(): void {
    if (this.#isConnecting) return
    this.#isConnecting = true
    this.#options.wire.start(() => this.#onWireChange())
  }

  /** Send from now on, what other regions surely have left out. */
  activate(raiseTo: Cursors): void {
    this.#standsByFor = null
    for (const lane of this.#lanes) lane.raise(raiseTo[lane.recordClass] ?? 0)
    this.#updateState()
  }

  /** Send nothing more while another region is sent to. */
  standBy(by: string): void {
    this.#standsByFor = by
    this.#updateState()
  }

  /** Begin no further block, give those in flight a moment, then close the link. */
  async stop(): Promise<void> {
    this.#unsubscribe?.()
    const lanes = Promise.all([this.#resender.stop(), ...this.#lanes.map((lane) => lane.stop())])
    let timer: NodeJS.Timeout | undefined
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_GRACE_MS)
    })
    await Promise.race([lanes, grace])
    clearTimeout(timer)
    if (this.#isConnecting) await this.#options.wire.stop()
    await lanes
  }

  /** The target as a console sees it. It is `down` also when the link is up but the receiver keeps nothing. */
  status(): UplinkTargetStatus {
    const { name, store, wire } = this.#options
    const isActive = this.#standsByFor === null
    const backlog = isActive ? store.backlog(name) : NO_BACKLOG
    return {
      name,
      kind: wire.kind,
      state: this.#state,
      since: this.#since,
      backlogRecords: backlog.records,
      backlogBytes: backlog.bytes,
      oldestAt: backlog.oldestAt,
      ackedSeq: Math.max(...this.#lanes.map((lane) => lane.levels.held)),
      rttMs: wire.rttMs,
      error: this.#error(),
      region: name,
      ...(wire.guarded === null ? {} : { guarantee: wire.guarded ? 'exactly_once' : 'at_least_once' }),
      drainSec: this.#figures.drainSec(backlog.records),
      transfer: this.#figures.lastMinute() as NonNullable<UplinkTargetStatus['transfer']>,
      levels: Object.fromEntries(this.#lanes.map((lane) => [lane.recordClass, lane.levels])),
      maybeDuplicates: this.#lanes.reduce((sum, lane) => sum + lane.maybeDuplicates, 0),
    }
  }

  /** Cumulative bytes handed to the network since the start, by class and `control` for what the wire needs besides. */
  sentBytes(): Record<string, number> {
    return this.#options.wire.sentBytes()
  }

  /** Time from a record's timestamp until the target held it, over everything acknowledged since the start. */
  transferLatency(): HistogramData {
    return this.#figures.sinceStart()
  }

  #error(): string | null {
    const { wire } = this.#options
    if (wire.state !== 'up') return wire.error
    if (this.#standsByFor !== null) return `stands by: blocks go to ${this.#standsByFor}`
    const failure = this.#failure()
    if (failure !== null) return failure
    const unaudited = this.#unaudited()
    if (unaudited !== null) return unaudited
    if (this.#undeliverable === 0) return null
    return `${this.#undeliverable} records are too large for the receiver and stay on the node (${this.#lastUndeliverable})`
  }

  /** A receiver without a stream for who did what keeps all else: it is reached, and says what it lacks. */
  #failure(): string | null {
    return this.#lanes.find((lane) => lane.failure !== null && lane.recordClass !== 'audit')?.failure ?? null
  }

  #unaudited(): string | null {
    const { store, name } = this.#options
    const waiting = store.backlog(name).byClass.audit
    const failure = this.#lanes.find((lane) => lane.recordClass === 'audit')?.failure ?? null
    return failure === null || waiting === 0 ? null : `${waiting} audit records wait: ${failure}`
  }

  #mustYield(recordClass: UpstreamClass): boolean {
    if (this.#standsByFor !== null) return true
    // An urgent lane that fails (no stream holds its subject) must not hold up the others.
    return this.#lanes.some(
      (lane) => urgency(lane.recordClass) < urgency(recordClass) && lane.failure === null && lane.hasWork,
    )
  }

  #onLaneChange(recordClass: UpstreamClass): void {
    for (const lane of this.#lanes) if (urgency(recordClass) < urgency(lane.recordClass)) lane.wake()
    this.#updateState()
  }

  #onWireChange(): void {
    const { wire } = this.#options
    const cameUp = wire.state === 'up' && this.#wireState !== 'up'
    const wentDown = wire.state !== 'up' && this.#wireState === 'up'
    this.#wireState = wire.state
    this.#updateState()
    for (const lane of this.#lanes) {
      if (cameUp) lane.reconnected()
      else if (wentDown) lane.broken()
      else lane.wake()
    }
  }

  #updateState(): void {
    const { wire, log, name } = this.#options
    const isFailing = this.#standsByFor === null && this.#failure() !== null
    const state = wire.state === 'up' && isFailing ? 'down' : wire.state
    if (state === this.#state) return
    const wasState = this.#state
    this.#state = state
    this.#since = this.#nowMs()
    this.#figures.reachable(state === 'up')
    if (state === 'up') log.info('uplink.up', `${name} is reached`, { target: name })
    else if (wasState === 'up' || state === 'down') {
      const why = this.#error()
      log.warn('uplink.down', why === null ? `${name} is not reached` : `${name} is not reached: ${why}`, {
        target: name,
      })
    }
  }

  #onHeld(block: Block): void {
    this.#figures.held(block.timestamps, this.#nowMs())
  }

  async #setAside({ recordClass, seq, sizeBytes }: TooLarge, msg: string): Promise<boolean> {
    const { store, log, name } = this.#options
    const text = `${name}: ${recordClass} record ${seq} is too large for the receiver: ${msg}`
    const noted = await store.append([
      {
        class: 'ledger',
        timestamp: this.#nowMs(),
        body: {
          event: 'undeliverable',
          reason: 'too_large',
          first_seq: seq,
          last_seq: seq,
          records: { [recordClass]: 1 },
          bytes: sizeBytes,
          msg: text,
        },
      },
    ])
    if (!noted.stored) return false
    this.#undeliverable += 1
    this.#lastUndeliverable = `last: ${recordClass} ${seq}, ${sizeBytes} bytes`
    log.warn('uplink.undeliverable', text, { target: name, seq, bytes: sizeBytes })
    return true
  }
}

function urgency(recordClass: UpstreamClass): number {
  const rank = URGENT.indexOf(recordClass)
  return rank === -1 ? URGENT.length : rank
}
