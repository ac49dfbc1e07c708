import { randomBytes } from 'node:crypto'
import { BLOCK_HEADERS, markSubjectOf, readBlockSubject } from '../../protocol/subjects.ts'
import type { Block, BlockEncoding } from './block.ts'
import { NatsLink, type NatsLinkOptions, type Outgoing, payloadBytes } from './nats-link.ts'
import { readPubAck } from './pub-ack.ts'
import type { SentClass } from './sent-bytes.ts'
import { StreamApi, type StreamFacts, type Told } from './stream-api.ts'
import type { Delivery, HeldBlock, Holding, LaneSubject, Wire, WireState } from './wire.ts'

/** How a {@link NatsWire} reaches its servers and its stream. */
export interface NatsWireOptions extends NatsLinkOptions {
  /** Name of the stream; null (as when left out) looks for the one that holds a block's subject. */
  readonly stream?: string | null
  /** JetStream domain to ask in; null (as when left out) for the server's own. */
  readonly domain?: string | null
  /** Make the stream when there is none. */
  readonly createStream?: boolean
}

/** A server's limit on a message counts its headers too. */
const HEADER_ROOM_BYTES = 1024
/** Blocks of others that are read over to find the last own one, where no mark tells it. */
const MAX_STEPS = 500
/** A replica may lag behind its leader for a moment; then it is asked again. */
const REPLICA_TRIES = 5
const REPLICA_PAUSE_MS = 300

/**
 * NATS JetStream. Each block names the position that must be the last on its subject, so that the stream itself refuses
 * what it holds already or what another has pushed in between (`Nats-Expected-Last-Subject-Sequence`); no message id is
 * used, since a window of ids is shorter than an outage. Where the stream allows it, a block and its mark (which block
 * was last, kept for ever) are stored in one atomic batch (ADR-50), so that a block that has expired is not sent again.
 */
export class NatsWire implements Wire {
  readonly kind = 'nats'
  readonly guarded = true
  readonly #link: NatsLink
  readonly #api: StreamApi
  /** The stream by subject, as it was when last asked on this connection. */
  readonly #streams = new Map<string, StreamFacts>()
  /** Short, since it travels with every block, and like no other client's while a batch is open. */
  readonly #batchPrefix = randomBytes(6).toString('base64url')
  #batches = 0

  constructor(options: NatsWireOptions) {
    const { stream = null, domain = null, createStream = false } = options
    this.#link = new NatsLink(options)
    this.#api = new StreamApi(this.#link, { stream, domain, createStream })
  }

  get state(): WireState {
    return this.#link.state
  }

  get error(): string | null {
    return this.#link.error
  }

  get rttMs(): number | null {
    return this.#link.rttMs
  }

  get maxBodyBytes(): number | null {
    const limitBytes = this.#link.maxPayloadBytes
    return Number.isFinite(limitBytes) ? limitBytes - HEADER_ROOM_BYTES : null
  }

  get encodings(): readonly BlockEncoding[] {
    const [first, ...others] = this.#streams.values()
    return (first?.encodings ?? []).filter((name) => others.every(({ encodings }) => encodings.includes(name)))
  }

  start(onChange: () => void): void {
    this.#link.start(() => {
      if (this.#link.state !== 'up') {
        this.#streams.clear()
        this.#api.forget()
      }
      onChange()
    })
  }

  stop(): Promise<void> {
    return this.#link.stop()
  }

  sentBytes(): Record<string, number> {
    return this.#link.sentBytes()
  }

  async holding(asked: LaneSubject): Promise<Holding> {
    const facts = await this.#api.facts(asked.subject)
    if (!facts.ok) return { outcome: 'unknown', msg: facts.msg }
    const stream = facts.value
    this.#streams.set(asked.subject, stream)
    const tail = await this.#tail(stream, asked)
    if (!tail.ok) return { outcome: 'unknown', msg: tail.msg }
    const own = await this.#lastOwn(stream, asked, tail.value)
    if (!own.ok) return { outcome: 'unknown', msg: own.msg }
    const archive = `${stream.name}@${stream.created}`
    const after = tail.value?.position ?? 0
    const foreignEpoch = tail.value === null || tail.value.epoch === asked.epoch ? null : tail.value.epoch
    if (own.value !== null) {
      const expired = own.value.position !== tail.value?.position && foreignEpoch === null
      return { outcome: 'holds', block: own.value, archive, after, expired, foreignEpoch }
    }
    const { lastPosition, keepsMarks } = stream
    return { outcome: 'nothing', archive, after, lastPosition, foreignEpoch, keepsMarks }
  }

  async send(block: Block, after: number): Promise<Delivery> {
    const stream = this.#streams.get(block.subject)
    if (stream === undefined) return { outcome: 'conflict', msg: 'the stream was not asked yet' }
    const messages = this.#messagesOf(block, after, stream)
    const limitBytes = this.#link.maxPayloadBytes
    if (messages.some((message) => payloadBytes(message) > limitBytes)) {
      return { outcome: 'too_large', msg: `the server takes ${limitBytes} bytes a message` }
    }
    const answer = await this.#link.exchange(messages, block.recordClass)
    if (answer.message === null) return { outcome: 'again', msg: answer.msg }
    const delivery = readPubAck(answer.message.headers?.code, answer.message.data, {
      subject: block.subject,
      stream,
      count: messages.length,
    })
    // The stream may be another, or may have been changed, since it was asked.
    if (delivery.outcome === 'held') this.#api.reached(stream, delivery.position)
    else this.#forget(block.subject)
    return delivery
  }

  #forget(subject: string): void {
    this.#streams.delete(subject)
    this.#api.forget()
  }

  #messagesOf(block: Block, after: number, stream: StreamFacts): Outgoing[] {
    const guards = {
      'Nats-Expected-Stream': stream.name,
      'Nats-Expected-Last-Subject-Sequence': String(after),
    }
    const message = { subject: block.subject, headers: { ...block.headers, ...guards }, body: block.body }
    const markSubject = stream.keepsMarks ? markFor(block, block.epoch) : null
    if (markSubject === null) return [message]
    this.#batches += 1
    const id = { 'Nats-Batch-Id': `${this.#batchPrefix}${this.#batches.toString(36)}` }
    const mark = {
      ...id,
      'Nats-Batch-Sequence': '2',
      'Nats-Batch-Commit': '1',
      'Nats-TTL': 'never',
      'Nats-Rollup': 'sub',
      [BLOCK_HEADERS.firstSeq]: String(block.firstSeq),
      [BLOCK_HEADERS.lastSeq]: String(block.lastSeq),
      [BLOCK_HEADERS.digest]: block.digest,
    }
    return [
      { ...message, headers: { ...message.headers, ...id, 'Nats-Batch-Sequence': '1' } },
      { subject: markSubject, headers: mark, body: new Uint8Array() },
    ]
  }

  /** The last message on the subject. One that is older than what was acknowledged may come from a replica that lags. */
  async #tail(stream: StreamFacts, { subject, position }: LaneSubject): Promise<Told<HeldBlock | null>> {
    for (let tries = 1; ; tries += 1) {
      const tail = await this.#api.last(stream, subject)
      const isBehind = tail.ok && (tail.value?.position ?? 0) < position
      if (!isBehind || stream.replicas === 1 || tries === REPLICA_TRIES) return tail
      await new Promise((resolve) => setTimeout(resolve, REPLICA_PAUSE_MS))
    }
  }

  /** The last block of the epoch that was asked about: the tail, or what the mark says of it, or one before the tail. */
  async #lastOwn(stream: StreamFacts, asked: LaneSubject, tail: HeldBlock | null): Promise<Told<HeldBlock | null>> {
    const isOwn = tail !== null && tail.epoch === asked.epoch
    if (isOwn && tail.position >= asked.position) return { ok: true, value: tail }
    const markSubject = markFor(asked, asked.epoch)
    if (markSubject !== null) {
      const mark = await this.#api.last(stream, markSubject)
      if (!mark.ok) return mark
      // The mark stands directly behind its block. One that says less than the block itself is not its mark.
      if (mark.value !== null && !(isOwn && tail.lastSeq > mark.value.lastSeq)) {
        return { ok: true, value: { ...mark.value, epoch: asked.epoch, position: mark.value.position - 1 } }
      }
    }
    if (isOwn) return { ok: true, value: tail }
    // What is not found so is sent again where it has to be, and flagged.
    return tail === null || stream.keepsMarks || this.#api.readsLastOnly
      ? { ok: true, value: null }
      : this.#walk(stream, asked, tail)
  }

  /** Read over what others pushed behind the own last block. */
  async #walk(stream: StreamFacts, asked: LaneSubject, tail: HeldBlock): Promise<Told<HeldBlock | null>> {
    let own: HeldBlock | null = null
    let position = asked.position
    for (let step = 0; position > 0 && position < tail.position && step < MAX_STEPS; step += 1) {
      const next = await this.#api.next(stream, asked.subject, position)
      if (!next.ok) return next
      if (next.value === null) break
      if (next.value.epoch === asked.epoch) own = next.value
      position = next.value.position + 1
    }
    return { ok: true, value: own }
  }
}

/** Subject of the mark of a block in an epoch; null for a subject that is no block's. */
function markFor(block: { subject: string; recordClass: SentClass }, epoch: string): string | null {
  const origin = readBlockSubject(block.subject)
  const { recordClass } = block
  if (origin === null || origin.resent || recordClass === 'resend') return null
  return markSubjectOf(origin, { recordClass, epoch })
}
