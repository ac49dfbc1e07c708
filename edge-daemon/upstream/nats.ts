import type { Block, BlockEncoding } from './block.ts'
import { NatsLink, type NatsLinkOptions, payloadBytes } from './nats-link.ts'
import { readPubAck } from './pub-ack.ts'
import { StreamApi, type StreamFacts } from './stream-api.ts'
import type { Delivery, Holding, LaneSubject, Wire, WireState } from './wire.ts'

/** How a {@link NatsWire} reaches its servers and its stream. */
export interface NatsWireOptions extends NatsLinkOptions {
  /** Name of the stream; null (as when left out) looks for the one that holds a block's subject. */
  readonly stream?: string | null
  /** JetStream domain to ask in; null (as when left out) for the server's own. */
  readonly domain?: string | null
}

/** A server's limit on a message counts its headers too. */
const HEADER_ROOM_BYTES = 1024

/**
 * NATS JetStream. Each block names the position that must be the last on its subject, so that the stream itself refuses
 * what it holds already or what another has pushed in between (`Nats-Expected-Last-Subject-Sequence`); no message id is
 * used, since a window of ids is shorter than an outage.
 */
export class NatsWire implements Wire {
  readonly kind = 'nats'
  readonly guarded = true
  readonly #link: NatsLink
  readonly #api: StreamApi
  /** The stream by subject, as it was when last asked on this connection. */
  readonly #streams = new Map<string, StreamFacts>()

  constructor(options: NatsWireOptions) {
    const { stream = null, domain = null } = options
    this.#link = new NatsLink(options)
    this.#api = new StreamApi(this.#link, { stream, domain })
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
      if (this.#link.state !== 'up') this.#streams.clear()
      onChange()
    })
  }

  stop(): Promise<void> {
    return this.#link.stop()
  }

  sentBytes(): Record<string, number> {
    return this.#link.sentBytes()
  }

  async holding({ subject, epoch }: LaneSubject): Promise<Holding> {
    const facts = await this.#api.facts(subject)
    if (!facts.ok) return { outcome: 'unknown', msg: facts.msg }
    const stream = facts.value
    this.#streams.set(subject, stream)
    const last = await this.#api.last(stream, subject)
    if (!last.ok) return { outcome: 'unknown', msg: last.msg }
    const archive = `${stream.name}@${stream.created}`
    const tail = last.value
    const after = tail?.position ?? 0
    if (tail !== null && tail.epoch === epoch) {
      return { outcome: 'holds', block: tail, archive, after, expired: false }
    }
    return {
      outcome: 'nothing',
      archive,
      after,
      lastPosition: stream.lastPosition,
      foreignEpoch: tail?.epoch ?? null,
      keepsMarks: false,
    }
  }

  async send(block: Block, after: number): Promise<Delivery> {
    const stream = this.#streams.get(block.subject)
    if (stream === undefined) return { outcome: 'conflict', msg: 'the stream was not asked yet' }
    const message = {
      subject: block.subject,
      headers: {
        ...block.headers,
        'Nats-Expected-Stream': stream.name,
        'Nats-Expected-Last-Subject-Sequence': String(after),
      },
      body: block.body,
    }
    const limitBytes = this.#link.maxPayloadBytes
    if (payloadBytes(message) > limitBytes) {
      return { outcome: 'too_large', msg: `the server takes ${limitBytes} bytes a message` }
    }
    const answer = await this.#link.exchange([message], block.recordClass)
    if (answer.message === null) return { outcome: 'again', msg: answer.msg }
    const delivery = readPubAck(answer.message.headers?.code, answer.message.data, { subject: block.subject, stream })
    if (delivery.outcome !== 'held') this.#streams.delete(block.subject)
    return delivery
  }
}
